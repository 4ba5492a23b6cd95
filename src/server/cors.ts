import type { CorsSettings } from '../config/sections/process.ts'
import { preflightHeader } from './csrf.ts'
import { allowHeader } from './http.ts'
import type { HttpRequest, HttpResponse } from './http.ts'

const maxAgeSeconds = '600'
/** The headers that the gateway reads. */
const requestHeaders = [
  'authorization',
  'content-type',
  'last-event-id',
  'x-request-id',
  preflightHeader,
]
const responseHeaders = 'retry-after, www-authenticate, x-request-id'

/** Pages of the configured origins may call. By default there are none. */
export interface Cors {
  /** `methods`: the methods of the route. */
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
  // The presence of the header depends on the origin, so caches must know it even where the header is absent.
  const vary: Record<string, string> = allowed.size > 0 ? { vary: 'Origin' } : {}
  const allowedOrigin = (request: HttpRequest) => {
    const origin = request.headers.get('origin')
    return origin && allowed.has(origin) ? origin : undefined
  }
  /** The origin itself, never `*`, which would admit everybody with credentials. */
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
