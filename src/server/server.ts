import type { GraphQLSchema } from 'graphql'
import type { CorsSettings } from '../config/sections/process.ts'
import type { Limits } from '../config/sections/limits.ts'
import type { PersistedDocuments } from '../config/sections/persisted-documents.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import type { Caller, SessionId } from '../domain.ts'
import { AnswerBudget } from '../graphql/execution/answer-budget.ts'
import { createPresentError } from '../graphql/execution/errors.ts'
import { createSelectionCompiler } from '../graphql/execution/event-renderer.ts'
import type { NewId } from '../lib/id.ts'
import { createTurns } from '../lib/turns.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { RefusalLog } from '../observe/refusals.ts'
import type { Tracer } from '../observe/tracer.ts'
import { acceptedTypes, mediaTypes } from './accept.ts'
import { createCors } from './cors.ts'
import { fromFetchRequest, toFetchResponse } from './fetch/fetch.ts'
import type { GraphiQL } from './graphiql/graphiql.ts'
import type { AnswerInProgress, CostLimiter, RequestContext } from './graphql/operation.ts'
import { createGraphQLRoute } from './graphql/route.ts'
import { createOperationRunner } from './graphql/yoga.ts'
import { createHealthRoutes } from './health.ts'
import type { Readiness } from './health.ts'
import { jsonResponse, senderOf } from './http.ts'
import type { HttpRequest } from './http.ts'
import type { TakeConnection } from './node/connections.ts'
import { destroyResponse } from './node/node-sink.ts'
import { fromNodeRequest, sendOnNode } from './node/node.ts'
import type { HostRequest } from './node/node.ts'
import { createSilentPeers } from './node/silent-peers.ts'
import { createPipelines } from './node/pipeline.ts'
import type { HostResponse } from './node/wire.ts'
import { createRequestHandler } from './request-handler.ts'
import type { Route } from './request-handler.ts'
import { createRouteFinder, findHostedRoute, pathsOf } from './routes.ts'
import type { FindRoute } from './routes.ts'
import { createSignInRoutes } from './sign-in.ts'
import type { SignInOptions } from './sign-in.ts'
import { createOpenStreams } from './streams/open-streams.ts'
import { createSubscriber } from './streams/subscribe.ts'
import { createWaitingBytes } from './streams/waiting-bytes.ts'

/** A client that was drained, or for which there was no room, comes back after 1 to 4 s, so that not all come at once. */
const retryBaseMs = 1_000
const retryJitterMs = 3_000
/** Requests that are begun in one turn of the event loop: about 20 ms of work. Others wait, each sender in its turn. */
const requestsPerTurn = 32

/** Bytes of long answers and streams that are made or written in one turn of the event loop: some 10 ms of work. */
const unitsPerTurn = 131_072

/** What a caller's session may do, without what only the request knows. */
export type SessionContext = Omit<RequestContext, 'lastEventId'>

export interface ServerOptions extends Omit<SignInOptions, 'cors'> {
  readonly schema: GraphQLSchema
  /** Where GraphQL is, on a server of our own. */
  readonly path: string
  readonly openSession: (caller: Caller) => Promise<SessionContext>
  readonly limits: Limits
  readonly timeouts: Pick<Timeouts, 'keepAliveMs' | 'stalledMs' | 'credentialCheckMs' | 'requestMs'>
  readonly cors: CorsSettings
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean
  /** Undefined: every request brings its document. */
  readonly persistedDocuments: PersistedDocuments | undefined
  /** Undefined: there is no page. */
  readonly graphiql: GraphiQL | undefined
  /** What the documents of each session may cost, keyed by its id. */
  readonly costs: CostLimiter
  readonly newId: NewId
  /** Gives [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly refusals: Pick<RefusalLog, 'note'>
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** Whether new work is taken, apart from a drain. */
  readonly readiness: () => Promise<Readiness>
}

/** HTTP on one side, GraphQL on the other. */
export interface GraphServer extends Disposable {
  /** Bytes of answers that are being made or wait for their clients. */
  readonly waitingBytes: number
  /** For any server that speaks `Request` and `Response`, whose router decides what comes here. */
  fetch(request: Request): Promise<Response>
  /**
   * For `node:http`, `node:http2` (its compatibility API) and frameworks upon them: the fast way, which writes streams straight
   * to the response. The host's router decides what comes here; a body that was parsed is taken from `req.body`. Never throws:
   * what the host's objects throw ends their own response.
   */
  handle(req: HostRequest, res: HostResponse): void
  /**
   * As `handle`, for a server of the gateway's own: GraphQL is at `path`, and nothing at paths other than ours.
   * `take`: takes the connections of streams from HTTP.
   */
  serve(req: HostRequest, res: HostResponse, take?: TakeConnection): void
  /** Ends the streams whose credentials are no longer accepted, now instead of at the next check. */
  checkCredentials(): Promise<void>
  /** Not ready from now on; ends all streams so that their clients resume elsewhere, and resolves when they have. */
  drain(): Promise<void>
}

export function createGraphServer(options: ServerOptions): GraphServer {
  const { clock, limits, timeouts, logger, metrics } = options
  const present = createPresentError(options)
  const retryMs = () => Math.round(retryBaseMs + options.random() * retryJitterMs)
  const streams = createOpenStreams({ ...limits, ...timeouts, retryMs, clock, logger })
  const turns = createTurns(unitsPerTurn)
  const waiting = createWaitingBytes(limits)
  const silentPeers = createSilentPeers({ ...timeouts, clock })
  const sinkLimits = { ...limits, ...timeouts, clock, logger, turns, silentPeers }
  const entrance = createTurns(requestsPerTurn)
  const pipelines = createPipelines()
  let draining = false

  const cors = createCors(options.cors, { credentials: options.cookie !== undefined })
  const subscribe = createSubscriber({
    streams,
    services: { present, metrics, retryMs },
    compile: createSelectionCompiler(),
    account: {
      turns,
      maxBytes: limits.maxAnswerBytes,
      clock,
      begin: beginAnswer,
      take: (session, points) => options.costs.take(session, points),
      charge: (session, points) => options.costs.charge(session, points),
    },
    maxEventCost: limits.maxEventCost,
  })
  const runOperation = createOperationRunner({ ...options, present, subscribe, beginAnswer, turns })
  const routes = {
    graphql: createGraphQLRoute({ ...options, cors, runOperation }),
    root: createRootRoute(options.path, options.graphiql !== undefined),
    ...createHealthRoutes(async () => (draining ? 'not ready' : await options.readiness())),
    ...createSignInRoutes({ ...options, cors }),
  }
  const handleRequest = createRequestHandler(routes, { ...options, cors, present })
  const findOwn = createRouteFinder(options.path)

  return {
    get waitingBytes() {
      return waiting.total
    },
    async fetch(request) {
      const response = await handleRequest(fromFetchRequest(request))
      return toFetchResponse(response, request.signal, sinkLimits)
    },
    handle: (req, res) => enter(req, res, findHostedRoute),
    serve: (req, res, take) => enter(req, res, findOwn, take),
    checkCredentials: () => streams.checkCredentials(),
    async drain() {
      draining = true
      streams.drain()
      await streams.empty()
    },
    [Symbol.dispose]() {
      streams[Symbol.dispose]()
      silentPeers[Symbol.dispose]()
    },
  }

  function beginAnswer(session: SessionId): AnswerInProgress {
    const held = waiting.open(session)
    const own = turns.of(session)
    const budget = new AnswerBudget({ maxBytes: limits.maxAnswerBytes, turns: own, held })
    return { held, budget, turns: own }
  }

  function enter(
    req: HostRequest,
    res: HostResponse,
    findRoute: FindRoute,
    take?: TakeConnection,
  ): void {
    pipelines.begin(req, res, () => {
      try {
        const request = fromNodeRequest(req, findRoute)
        const begin = () => void respond(request, req, res, take)
        // Health says how it is now: it does not wait behind requests.
        const isHealth = request.route === 'live' || request.route === 'ready'
        const turn = isHealth ? undefined : entrance.of(senderOf(request)).take(1)
        if (turn) void turn.then(begin)
        else begin()
      } catch (err) {
        fail(err, res)
      }
    })
  }

  /** Never rejects. Every error is a response; what is left are faults of the host's objects. */
  async function respond(
    request: HttpRequest,
    req: HostRequest,
    res: HostResponse,
    take: TakeConnection | undefined,
  ): Promise<void> {
    const response = await handleRequest(request)
    try {
      const { socket } = req
      sendOnNode(response, req, res, sinkLimits, take)
      if (res.socket !== socket) pipelines.forget(socket, res)
    } catch (err) {
      response.held?.[Symbol.dispose]()
      fail(err, res)
    }
  }

  function fail(err: unknown, res: HostResponse): void {
    logger.error({ err }, 'response of the host failed')
    destroyResponse(res)
  }
}

/** Where somebody begins who knows only the address. */
function createRootRoute(path: string, hasPage: boolean): Route {
  return {
    methods: ['GET', 'HEAD'],
    handle({ headers }) {
      const isBrowser = acceptedTypes(headers.get('accept'))[0] === mediaTypes.html
      if (!hasPage || !isBrowser) return jsonResponse(200, { paths: pathsOf(path) })
      // Relative: a proxy may have taken a prefix away.
      return { status: 302, headers: { location: `.${path}`, vary: 'Accept' } }
    },
  }
}
