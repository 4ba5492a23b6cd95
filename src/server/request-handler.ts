import type { RequestHeaders } from '../auth/authenticator.ts'
import {
  GatewayError,
  MethodNotAllowedError,
  NotFoundError,
  UnauthenticatedError,
} from '../errors.ts'
import type { PresentError } from '../graphql/execution/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Cors } from './cors.ts'
import { errorResponse } from './graphql/result-response.ts'
import { allowHeader, jsonResponse } from './http.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import type { RouteName } from './routes.ts'

/** Default headers of every response: no cache may show it to another caller, and no browser may guess its type. */
const safeHeaders = {
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
} as const

/** A client's own request id is used if it is safe in a log line. */
const saneRequestId = /^[\w.:-]{1,128}$/

/** The handler of a path. */
export interface Route {
  /** Without OPTIONS, which every route has. */
  readonly methods: readonly string[]
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>
}

/** All routes. */
export type Routes = Readonly<Partial<Record<RouteName, Route>>>

export interface RequestHandlerOptions {
  readonly authenticator: {
    /** The `WWW-Authenticate` header of a refusal. */
    challenge(error: UnauthenticatedError, headers: RequestHeaders): string
  }
  readonly cors: Cors
  readonly clock: Clock
  readonly present: PresentError
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'requestAnswered'>
}

/** Handles any request. Never rejects: an error is turned into a response. */
export function createRequestHandler(
  routes: Routes,
  options: RequestHandlerOptions,
): (request: HttpRequest) => Promise<HttpResponse> {
  const { authenticator, cors, present, clock, newId, logger, metrics } = options

  return async (request) => {
    const startedAt = clock.monotonic()
    const given = request.headers.get('x-request-id')
    const requestId = given && saneRequestId.test(given) ? given : newId()
    const response = await route(request).catch((error: unknown) => refuse(error, request))
    const ms = clock.monotonic() - startedAt
    const { status } = response
    metrics.requestAnswered(response.kind ?? 'none', status, ms)
    const { method, url } = request
    logger.debug(
      { requestId, method, path: url.pathname, status, ms: Math.round(ms) },
      'request answered',
    )
    const headers = {
      ...safeHeaders,
      ...response.headers,
      ...cors.headers(request),
      'x-request-id': requestId,
    }
    return { ...response, headers }
  }

  async function route(request: HttpRequest): Promise<HttpResponse> {
    const { method } = request
    const found = routeOf(request)
    if (!found) throw new NotFoundError('There is nothing at this path.')
    if (method === 'OPTIONS') return cors.preflight(request, found.methods)
    if (!found.methods.includes(method)) {
      throw new MethodNotAllowedError(`Use ${found.methods.join(' or ')}.`)
    }
    return await found.handle(request)
  }

  function routeOf({ route: name }: HttpRequest): Route | undefined {
    return name && routes[name]
  }

  function refuse(error: unknown, request: HttpRequest): HttpResponse {
    const shown = present(error)
    if (!(error instanceof GatewayError)) return jsonResponse(500, { errors: [shown] })
    const response = errorResponse(error, shown)
    const headers: Record<string, string> = { ...response.headers }
    if (error instanceof UnauthenticatedError) {
      headers['www-authenticate'] = authenticator.challenge(error, request.headers)
    }
    if (error instanceof MethodNotAllowedError) {
      headers['allow'] = allowHeader(routeOf(request)?.methods ?? [])
    }
    return { ...response, headers }
  }
}
