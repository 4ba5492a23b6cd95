import type { CorsSettings } from '../config/sections/process.ts'
import { preflightHeader } from './csrf.ts'
import { allowHeader } from './http.ts'
import type { HttpRequest, HttpResponse } from './http.ts'

const maxAgeSeconds = '600'
/** Those that the gateway reads. */
const requestHeaders = [
  'authorization',
  'content-type',
  'last-event-id',
  'x-request-id',
  preflightHeader,
]
const responseHeaders = 'retry-after, www-authenticate, x-request-id'

/** Which pages may call: exactly the configured origins, none by default. */
export interface Cors {
  /** `methods`: those of the route. */
  preflight(request: HttpRequest, methods: readonly string[]): HttpResponse
  headers(request: HttpRequest): Readonly<Record<string, string>>
  /** Whether the request says that it comes from a page of a configured origin. */
  isAllowed(request: HttpRequest): boolean
}

/** @param options.credentials whether pages may send cookies: only where cookies are credentials. */
export function createCors(
  settings: CorsSettings,
  { credentials }: { readonly credentials: boolean },
): Cors {
  const allowed = new Set(settings.origins)
  const allowHeaders = [...requestHeaders, ...settings.requestHeaders].join(', ')
  // Whether a header is there depends on the origin, so caches must know, even where it is absent.
  const vary: Record<string, string> = allowed.size > 0 ? { vary: 'Origin' } : {}
  const allowedOrigin = (request: HttpRequest) => {
    const origin = request.headers.get('origin')
    return origin && allowed.has(origin) ? origin : undefined
  }
  /** The origin itself, never `*`: with credentials, that would be everybody. */
  const grantTo = (origin: string) => ({
    'access-control-allow-origin': origin,
    ...(credentials && { 'access-control-allow-credentials': 'true' }),
  })
  return {
    preflight(request, methods) {
      const origin = allowedOrigin(request)
      const allow = allowHeader(methods)
      const granted = origin && {
        ...grantTo(origin),
        'access-control-allow-methods': allow,
        'access-control-allow-headers': allowHeaders,
        'access-control-max-age': maxAgeSeconds,
      }
      return { status: 204, headers: { allow, ...vary, ...granted } }
    },
    headers(request) {
      const origin = allowedOrigin(request)
      if (!origin) return vary
      return { ...vary, ...grantTo(origin), 'access-control-expose-headers': responseHeaders }
    },
    isAllowed: (request) => allowedOrigin(request) !== undefined,
  }
}
