import type { Answer, Incoming } from './http.ts'

const maxAgeSeconds = '600'
const methods = 'GET, POST, OPTIONS'
const requestHeaders = 'authorization, content-type, last-event-id, x-request-id'
const responseHeaders = 'retry-after, www-authenticate, x-request-id'

/** Which pages may call: exactly the configured origins, none by default. Credentials are headers, never cookies. */
export interface Cors {
  preflight(incoming: Incoming): Answer
  headers(incoming: Incoming): Readonly<Record<string, string>>
}

export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins)
  // Whether a header is there depends on the origin, so caches must know, even where it is absent.
  const vary: Record<string, string> = allowed.size > 0 ? { vary: 'Origin' } : {}
  const allowedOrigin = (incoming: Incoming) => {
    const origin = incoming.headers.get('origin')
    return origin && allowed.has(origin) ? origin : undefined
  }
  return {
    preflight(incoming) {
      const origin = allowedOrigin(incoming)
      const granted = origin && {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': methods,
        'access-control-allow-headers': requestHeaders,
        'access-control-max-age': maxAgeSeconds,
      }
      return { status: 204, headers: { allow: methods, ...vary, ...granted } }
    },
    headers(incoming) {
      const origin = allowedOrigin(incoming)
      if (!origin) return vary
      return {
        ...vary,
        'access-control-allow-origin': origin,
        'access-control-expose-headers': responseHeaders,
      }
    },
  }
}
