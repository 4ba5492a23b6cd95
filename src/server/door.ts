import type { Caller } from '../domain.ts'
import {
  BadRequestError,
  GatewayError,
  MethodNotAllowedError,
  NotFoundError,
  UnauthenticatedError,
} from '../errors.ts'
import type { GraphContext } from '../graphql/context.ts'
import type { PresentError } from '../graphql/execution/errors.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics, RequestKind } from '../observe/metrics.ts'
import { acceptedTypes, mediaTypes } from './accept.ts'
import { checkCookieRequest } from './csrf.ts'
import type { GraphiQL } from './graphiql.ts'
import { healthAnswer, type Readiness } from './health.ts'
import type { HeapGuard } from './heap-guard.ts'
import { jsonAnswer, type Answer, type Incoming } from './http.ts'
import { methodsOf } from './paths.ts'
import { answerError } from './result-answer.ts'
import { createWaysIn, type WaysInOptions } from './ways-in.ts'
import type { Exchange, RunGraphQL } from './yoga.ts'

/** Headers of every answer that does not say otherwise: no cache may show one caller's to another, and no browser guesses a type. */
const safeHeaders = {
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
} as const

/** A client's own id is taken if it can stand in a log line as it is. */
const saneRequestId = /^[\w.:-]{1,128}$/

export interface DoorOptions extends WaysInOptions {
  readonly openSession: (caller: Caller) => Promise<Omit<GraphContext, 'lastEventId' | 'budget'>>
  readonly runGraphQL: RunGraphQL
  readonly graphiql: GraphiQL | undefined
  readonly readiness: () => Promise<Readiness>
  /** Undefined: nothing is watched. */
  readonly heap?: HeapGuard | undefined
  readonly present: PresentError
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'requestAnswered'>
}

/** Answers any request. Never rejects: an error is an answer, too. */
export function createDoor(options: DoorOptions): (incoming: Incoming) => Promise<Answer> {
  const { authenticator, openSession, cors, graphiql, present, clock, newId } = options
  const { logger, metrics } = options
  const waysIn = createWaysIn(options)

  return async (incoming) => {
    const startedAt = clock.monotonic()
    const given = incoming.headers.get('x-request-id')
    const requestId = given && saneRequestId.test(given) ? given : newId()
    let kind: RequestKind = 'none'
    const tell = (known: RequestKind) => (kind = known)
    const answer = await route(incoming, tell).catch((error: unknown) => refuse(error, incoming))
    const ms = clock.monotonic() - startedAt
    metrics.requestAnswered(kind, answer.status, ms)
    const { method, url } = incoming
    const fields = {
      requestId,
      method,
      path: url.pathname,
      status: answer.status,
      ms: Math.round(ms),
    }
    logger.debug(fields, 'request answered')
    const headers = {
      ...safeHeaders,
      ...answer.headers,
      ...cors.headers(incoming),
      'x-request-id': requestId,
    }
    return { ...answer, headers }
  }

  /** `tell`: what it asks, once that is known. */
  async function route(incoming: Incoming, tell: (kind: RequestKind) => void): Promise<Answer> {
    const { method, url } = incoming
    const health = await healthAnswer(incoming.route, options.readiness)
    if (health) return health
    const entered = waysIn(incoming)
    if (entered) return entered
    if (incoming.route !== 'graphql') throw new NotFoundError('Nothing is here.')
    if (method === 'OPTIONS') return cors.preflight(incoming)
    if (method !== 'GET' && method !== 'POST') {
      throw new MethodNotAllowedError('Use GET or POST.')
    }
    if (/\bwebsocket\b/i.test(incoming.headers.get('upgrade') ?? '')) {
      throw new BadRequestError(
        `WebSocket is not spoken here: a subscription is read as server-sent events, with "accept: ${mediaTypes.events}".`,
      )
    }
    const accepted = acceptedTypes(incoming.headers.get('accept'))
    if (graphiql && method === 'GET' && !url.searchParams.has('query')) {
      const asset = graphiql.asset(incoming)
      if (asset) return asset
      if (accepted[0] === mediaTypes.html) return graphiql.page()
    }

    options.heap?.check()
    // Before anything of the body is read: who is not known costs nothing more.
    const identity = await authenticator.authenticate(incoming.headers)
    if (identity === undefined) throw new UnauthenticatedError('A credential is needed.')
    if (identity.by === 'cookie') checkCookieRequest(incoming, cors)
    const { caller, status } = identity
    const graphqlTypes = accepted.filter((type) => type !== mediaTypes.html)
    if (graphqlTypes.length === 0) return notAcceptable()
    const exchange: Exchange = {
      incoming,
      accepted: graphqlTypes,
      credentialStatus: status,
      openContext: async () => ({
        ...(await openSession(caller)),
        lastEventId: lastEventIdOf(incoming),
      }),
    }
    const answer = await options.runGraphQL(exchange)
    tell(exchange.kind ?? 'none')
    return answer
  }

  function refuse(error: unknown, incoming: Incoming): Answer {
    const shown = present(error)
    if (!(error instanceof GatewayError)) return jsonAnswer(500, { errors: [shown] })
    const answer = answerError(error, shown)
    const headers: Record<string, string> = { ...answer.headers }
    if (error instanceof UnauthenticatedError) {
      headers['www-authenticate'] = authenticator.challenge(error, incoming.headers)
    }
    if (error instanceof MethodNotAllowedError) {
      headers['allow'] = methodsOf(incoming.route)
    }
    return { ...answer, headers }
  }
}

/**
 * Where an event stream is resumed. Polyfills of `EventSource` cannot set the header everywhere, and send it in the query,
 * as `lastEventId`, `lastEventID` or `Last-Event-ID`.
 */
function lastEventIdOf({ method, url, headers }: Incoming): string | undefined {
  const given = headers.get('last-event-id')
  if (given != null || method !== 'GET') return given ?? undefined
  const [, value] =
    [...url.searchParams].findLast(([name]) => /^last-?event-?id$/i.test(name)) ?? []
  return value === '' ? undefined : value
}

function notAcceptable(): Answer {
  const message = `the answer can be ${Object.values(mediaTypes).join(', ')}`
  return jsonAnswer(406, { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] })
}
