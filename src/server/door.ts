import { challengeOf } from '../auth/caller.ts'
import type { RequestHeaders } from '../auth/caller.ts'
import type { Caller } from '../domain.ts'
import {
  GatewayError,
  MethodNotAllowedError,
  NotFoundError,
  UnauthenticatedError,
} from '../errors.ts'
import type { GraphContext } from '../graphql/context.ts'
import type { PresentError } from '../graphql/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import { acceptedTypes, mediaTypes } from './accept.ts'
import type { Cors } from './cors.ts'
import type { GraphiQL } from './graphiql.ts'
import { healthAnswer } from './health.ts'
import { jsonAnswer } from './http.ts'
import type { Answer, Incoming } from './http.ts'
import { answerError } from './result-answer.ts'
import type { RunGraphQL } from './yoga.ts'

const graphqlPath = '/graphql'
const graphqlMethods = 'GET, POST, OPTIONS'
/** A client's own id is taken if it can stand in a log line as it is. */
const saneRequestId = /^[\w.:-]{1,128}$/

export interface DoorOptions {
  readonly authenticator: { authenticate(headers: RequestHeaders): Promise<Caller> }
  readonly openSession: (caller: Caller) => Promise<Omit<GraphContext, 'lastEventId'>>
  readonly runGraphQL: RunGraphQL
  readonly cors: Cors
  readonly graphiql: GraphiQL | undefined
  readonly isReady: () => boolean
  readonly present: PresentError
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
}

/** Answers any request. Never rejects: an error is an answer, too. */
export function createDoor(options: DoorOptions): (incoming: Incoming) => Promise<Answer> {
  const { authenticator, openSession, cors, graphiql, present, clock, newId, logger } = options

  return async (incoming) => {
    const startedAt = clock.monotonic()
    const given = incoming.headers.get('x-request-id')
    const requestId = given && saneRequestId.test(given) ? given : newId()
    const answer = await route(incoming).catch((error: unknown) => refuse(error, incoming))
    const ms = Math.round(clock.monotonic() - startedAt)
    const { method, url } = incoming
    const fields = { requestId, method, path: url.pathname, status: answer.status, ms }
    logger.debug(fields, 'request answered')
    const headers = { ...answer.headers, ...cors.headers(incoming), 'x-request-id': requestId }
    return { ...answer, headers }
  }

  async function route(incoming: Incoming): Promise<Answer> {
    const { method, url } = incoming
    const health = healthAnswer(url.pathname, options.isReady)
    if (health) return health
    const asset = method === 'GET' ? graphiql?.asset(incoming) : undefined
    if (asset) return asset
    if (url.pathname !== graphqlPath) throw new NotFoundError('Nothing is here.')
    if (method === 'OPTIONS') return cors.preflight(incoming)
    if (method !== 'GET' && method !== 'POST') {
      throw new MethodNotAllowedError('Use GET or POST.')
    }
    const accepted = acceptedTypes(incoming.headers.get('accept'))
    const isPage = method === 'GET' && accepted[0] === mediaTypes.html
    if (graphiql && isPage && !url.searchParams.has('query')) return graphiql.page()

    // Before anything of the body is read: who is not known costs nothing more.
    const caller = await authenticator.authenticate(incoming.headers)
    const graphqlTypes = accepted.filter((type) => type !== mediaTypes.html)
    if (graphqlTypes.length === 0) return notAcceptable()
    return options.runGraphQL({
      incoming,
      accepted: graphqlTypes,
      openContext: async () => ({
        ...(await openSession(caller)),
        lastEventId: incoming.headers.get('last-event-id') ?? undefined,
      }),
    })
  }

  function refuse(error: unknown, incoming: Incoming): Answer {
    const shown = present(error)
    if (!(error instanceof GatewayError)) return jsonAnswer(500, { errors: [shown] })
    const answer = answerError(error, shown)
    const headers: Record<string, string> = { ...answer.headers }
    if (error instanceof UnauthenticatedError) {
      headers['www-authenticate'] = challengeOf(error, incoming.headers)
    }
    if (error instanceof MethodNotAllowedError) headers['allow'] = graphqlMethods
    return { ...answer, headers }
  }
}

function notAcceptable(): Answer {
  const message = `the answer can be ${Object.values(mediaTypes).join(', ')}`
  return jsonAnswer(406, { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] })
}
