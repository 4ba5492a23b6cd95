import type { RequestHeaders } from '../../auth/authenticator.ts'
import type { Identity } from '../../auth/identity.ts'
import type { Caller } from '../../domain.ts'
import { BadRequestError, UnauthenticatedError } from '../../errors.ts'
import { acceptedTypes, mediaTypes, webSocketMessages } from '../accept.ts'
import type { Cors } from '../cors.ts'
import { checkCookieRequest } from '../csrf.ts'
import type { GraphiQL } from '../graphiql/graphiql.ts'
import { jsonResponse } from '../http.ts'
import type { HttpRequest, HttpResponse } from '../http.ts'
import type { LoadShedder } from '../load-shedding.ts'
import type { Route } from '../request-handler.ts'
import type { OperationRequest, RequestContext } from './operation.ts'
import type { RunOperation } from './yoga.ts'

export interface GraphQLRouteOptions {
  readonly authenticator: {
    /** Returns undefined if no credential is presented. @throws for a credential that is refused */
    authenticate(headers: RequestHeaders): Promise<Identity | undefined>
  }
  readonly openSession: (caller: Caller) => Promise<Omit<RequestContext, 'lastEventId'>>
  readonly runOperation: RunOperation
  /** Undefined: the page is off. */
  readonly graphiql: GraphiQL | undefined
  readonly cors: Cors
  readonly load: LoadShedder
}

/** Checks the caller before any of the body is read, so that an unknown caller costs no more. */
export function createCallerCheck({
  authenticator,
  cors,
  load,
}: Pick<GraphQLRouteOptions, 'authenticator' | 'cors' | 'load'>) {
  /** @throws {@link UnauthenticatedError} {@link ForbiddenError} {@link UnavailableError} */
  return async (request: HttpRequest): Promise<Identity> => {
    load.check()
    const identity = await authenticator.authenticate(request.headers)
    if (identity === undefined) throw new UnauthenticatedError('A credential is needed.')
    if (identity.by === 'cookie') checkCookieRequest(request, cors)
    return identity
  }
}

/** The route of GraphQL: operations, and the GraphiQL page. */
export function createGraphQLRoute(options: GraphQLRouteOptions): Route {
  const { openSession, runOperation, graphiql } = options
  const checkCaller = createCallerCheck(options)

  return {
    methods: ['GET', 'POST'],
    async handle(request) {
      if (/\bwebsocket\b/i.test(request.headers.get('upgrade') ?? '')) {
        throw new BadRequestError(
          `A WebSocket needs the protocol ${webSocketMessages}. A subscription can also be read as server-sent events, with "accept: ${mediaTypes.events}".`,
        )
      }
      const accepted = request.accepted ?? acceptedTypes(request.headers.get('accept'))
      if (graphiql && request.method === 'GET') {
        const asset = request.url.searchParams.has('query') ? undefined : graphiql.asset(request)
        if (asset) return asset
        // A link with a query opens the page with that query in it: only a person who looks prefers HTML.
        if (accepted[0] === mediaTypes.html) return graphiql.page()
      }

      const { caller, status } = await checkCaller(request)
      const graphqlTypes = accepted.filter((type) => type !== mediaTypes.html)
      if (graphqlTypes.length === 0) return notAcceptable()
      const operation: OperationRequest = {
        request,
        accepted: graphqlTypes,
        credentialStatus: status,
        openContext: async () => ({
          ...(await openSession(caller)),
          lastEventId: lastEventIdOf(request),
        }),
      }
      const response = await runOperation(operation)
      return { ...response, kind: operation.kind }
    },
  }
}

/**
 * The cursor after which an event stream is resumed. Some polyfills of `EventSource` cannot set the header, and send it
 * in the
 * query, as `lastEventId`, `lastEventID` or `Last-Event-ID`.
 */
function lastEventIdOf({ method, url, headers }: HttpRequest): string | undefined {
  const given = headers.get('last-event-id')
  if (given != null || method !== 'GET') return given ?? undefined
  const [, value] =
    [...url.searchParams].findLast(([name]) => /^last-?event-?id$/i.test(name)) ?? []
  return value === '' ? undefined : value
}

function notAcceptable(): HttpResponse {
  const message = `the answer can be ${Object.values(mediaTypes).join(', ')}`
  return jsonResponse(406, { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] })
}
