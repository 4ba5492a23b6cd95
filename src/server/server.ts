import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
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
import { OneAtATime } from '../lib/one-at-a-time.ts'
import { createTurns } from '../lib/turns.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { RefusalLog } from '../observe/refusals.ts'
import type { Tracer } from '../observe/tracer.ts'
import { acceptedTypes, mediaTypes } from './accept.ts'
import { senderOf } from './client-address.ts'
import { createCors } from './cors.ts'
import type { Cors } from './cors.ts'
import { createEntrance } from './entrance.ts'
import { fromFetchRequest, toFetchResponse } from './fetch/fetch.ts'
import type { GraphiQL } from './graphiql/graphiql.ts'
import type { AnswerInProgress, CostLimiter, RequestContext } from './graphql/operation.ts'
import { createCallerCheck, createGraphQLRoute } from './graphql/route.ts'
import { createOperationRunner } from './graphql/yoga.ts'
import { createHealthRoutes, type HealthOptions } from './health.ts'
import { jsonResponse } from './http.ts'
import type { HttpRequest } from './http.ts'
import type { TakeConnection } from './node/connections.ts'
import { destroyResponse } from './node/node-sink.ts'
import { fromNodeRequest, sendOnNode } from './node/node.ts'
import type { HostRequest } from './node/node.ts'
import { createSilentPeers } from './node/silent-peers.ts'
import { createPipelines } from './node/pipeline.ts'
import { type HostResponse, isGone } from './node/wire.ts'
import { createDemoRoute, type DemoStage } from './pages/demo-stage.ts'
import type { Pages } from './pages/pages.ts'
import { createRequestHandler } from './request-handler.ts'
import type { Route, Routes } from './request-handler.ts'
import { createRouteFinder, findHostedRoute, pathsOf } from './routes.ts'
import type { FindRoute } from './routes.ts'
import { createSignInRoutes } from './sign-in.ts'
import type { SignInOptions } from './sign-in.ts'
import { createOpenStreams } from './streams/open-streams.ts'
import { createSubscriber } from './streams/subscribe.ts'
import { createWaitingBytes } from './streams/waiting-bytes.ts'
import { createWebSockets } from './websocket/websockets.ts'

/**
 * Clients of a drain, and clients for which there was no room, return after 1 to 4 s, so that they do not all come at
 * once.
 */
const retryBaseMs = 1_000
const retryJitterMs = 3_000
/** The bytes of long responses and streams that are made or written in one turn of the event loop, about 10 ms of work. */
const unitsPerTurn = 131_072

/** The context of a caller's session, without the parts of the request. */
export type SessionContext = Omit<RequestContext, 'lastEventId'>

export interface ServerOptions extends Omit<SignInOptions, 'cors'> {
  readonly schema: GraphQLSchema
  /** The path of GraphQL on the gateway's own server. */
  readonly path: string
  readonly openSession: (caller: Caller) => Promise<SessionContext>
  readonly limits: Limits
  readonly timeouts: Pick<
    Timeouts,
    'keepAliveMs' | 'stalledMs' | 'credentialCheckMs' | 'requestMs' | 'idleConnectionMs'
  >
  readonly cors: CorsSettings
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean
  /** Undefined: requests contain their documents. */
  readonly persistedDocuments: PersistedDocuments | undefined
  /** Undefined: the page is off. */
  readonly graphiql: GraphiQL | undefined
  readonly pages: Pages
  /** Undefined: this is no demo. */
  readonly demoStage: DemoStage | undefined
  /** The budget of each session for documents, keyed by the session's id. */
  readonly costs: CostLimiter
  readonly newId: NewId
  /** Returns a number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly refusals: Pick<RefusalLog, 'note'>
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** Whether new work is taken, apart from a drain. */
  readonly readiness: HealthOptions['readiness']
  readonly durability: HealthOptions['durability']
}

/** The HTTP side of the gateway. */
export interface GraphServer extends Disposable {
  /** The bytes of responses that are being made or wait for their clients. */
  readonly waitingBytes: number
  /** For any server of `Request` and `Response`, whose router decides what comes here. */
  fetch(request: Request): Promise<Response>
  /**
   * For `node:http`, `node:http2` (its compatibility API) and frameworks on them. It is the fast way, since it writes streams
   * straight to the response. The host's router decides what comes here. A body that was parsed is taken from `req.body`.
   * Never throws: an error of the host's objects ends its own response.
   */
  handle(req: HostRequest, res: HostResponse): void
  /**
   * Like `handle`, for the gateway's own server: GraphQL is at `path`, and other paths are 404.
   * `take`: takes the connections of streams from HTTP.
   */
  serve(req: HostRequest, res: HostResponse, take?: TakeConnection): void
  /** Whether an upgrade request to the gateway's own server asks for GraphQL over WebSocket. */
  acceptsUpgrade(req: IncomingMessage): boolean
  /**
   * Handles the event `upgrade` of a server: GraphQL over WebSocket, by the protocol `graphql-transport-ws`. The host decides which
   * requests come here. Another protocol is refused, and the connection is closed.
   */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Ends the streams whose credentials are no longer accepted, now instead of at the next check. */
  checkCredentials(): Promise<void>
  /** Is not ready from now on, ends all streams so that their clients resume elsewhere, and resolves when all have ended. */
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
  const entrance = createEntrance(clock)
  // Health says how it is now: it does not wait behind requests.
  const healthEntrance = createEntrance(clock)
  const pipelines = createPipelines(clock)
  let draining = false

  const cors = createCors(options.cors, { credentials: options.cookie !== undefined })
  const subscribe = createSubscriber({
    streams,
    services: { present, metrics, retryMs },
    compile: createSelectionCompiler(),
    account: {
      turns,
      executions: new OneAtATime(),
      maxBytes: limits.maxAnswerBytes,
      clock,
      begin: beginAnswer,
      take: (session, points) => options.costs.take(session, points),
      charge: (session, points) => options.costs.charge(session, points),
    },
    maxEventCost: limits.maxEventCost,
  })
  const runOperation = createOperationRunner({ ...options, present, subscribe, beginAnswer, turns })
  const besides = {
    ...createHealthRoutes({
      readiness: async () => (draining ? 'not ready' : await options.readiness()),
      durability: options.durability,
    }),
    ...createSignInRoutes({ ...options, cors }),
  }
  const routes = {
    graphql: createGraphQLRoute({ ...options, cors, runOperation }),
    root: createRootRoute(options, pathsOf(options.path, besides)),
    ...createPageRoutes(options, cors),
    ...besides,
  }
  const handleRequest = createRequestHandler(routes, { ...options, cors, present })
  const findOwn = createRouteFinder(options.path)
  const checkCaller = createCallerCheck({ ...options, cors })
  const webSockets = createWebSockets({
    ...timeouts,
    clock,
    timeouts,
    limits: sinkLimits,
    maxConnections: limits.maxSubscriptions,
    maxMessageBytes: limits.maxBodyBytes,
    async handle(request) {
      await enter(request)
      return await handleRequest(request)
    },
    async refusalOf(request) {
      try {
        await checkCaller(request)
        return undefined
      } catch (error) {
        return present(error).message
      }
    },
  })

  return {
    get waitingBytes() {
      return waiting.total
    },
    async fetch(given) {
      const request = fromFetchRequest(given)
      await enter(request)
      const response = await handleRequest(request)
      return toFetchResponse(response, given.signal, sinkLimits)
    },
    handle: (req, res) => begin(req, res, findHostedRoute),
    serve: (req, res, take) => begin(req, res, findOwn, take),
    acceptsUpgrade(req) {
      const { route, headers } = fromNodeRequest(req, findOwn)
      return route === 'graphql' && webSockets.accepts(headers)
    },
    upgrade: (req, socket, head) =>
      webSockets.upgrade(req, socket, head, fromNodeRequest(req, findHostedRoute)),
    checkCredentials: () => streams.checkCredentials(),
    async drain() {
      draining = true
      streams.drain()
      await Promise.all([webSockets.drain(), streams.empty()])
    },
    [Symbol.dispose]() {
      streams[Symbol.dispose]()
      webSockets[Symbol.dispose]()
      silentPeers[Symbol.dispose]()
    },
  }

  function beginAnswer(session: SessionId): AnswerInProgress {
    const held = waiting.open(session)
    const own = turns.of(session)
    const budget = new AnswerBudget({ maxBytes: limits.maxAnswerBytes, turns: own, held })
    return { held, budget, turns: own }
  }

  function enter(request: HttpRequest, isGone?: () => boolean): Promise<void> | undefined {
    const isHealth = request.route === 'live' || request.route === 'ready'
    const sender = senderOf(request, options.trustProxy)
    return (isHealth ? healthEntrance : entrance).enter(sender, isGone)
  }

  function begin(
    req: HostRequest,
    res: HostResponse,
    findRoute: FindRoute,
    take?: TakeConnection,
  ): void {
    pipelines.begin(req, res, () => {
      try {
        const request = fromNodeRequest(req, findRoute)
        const entered = enter(request, () => req.socket.destroyed === true || isGone(res))
        const answer = () => void respond(request, req, res, take)
        if (entered) void entered.then(answer)
        else answer()
      } catch (err) {
        fail(err, res)
      }
    })
  }

  /** Never rejects. Every error becomes a response, and only the host's objects can still fail. */
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

/** The chat page, or the way to GraphiQL, or the paths, for somebody who knows only the address. */
function createRootRoute(
  { path, graphiql, pages }: Pick<ServerOptions, 'path' | 'graphiql' | 'pages'>,
  paths: readonly string[],
): Route {
  return {
    methods: ['GET', 'HEAD'],
    handle(request) {
      const isBrowser = acceptedTypes(request.headers.get('accept'))[0] === mediaTypes.html
      const page = pages.page('chat', request)
      if (page) return page
      if (!graphiql || !isBrowser) return jsonResponse(200, { paths })
      // The address is relative, since a proxy may have removed a prefix.
      return { status: 302, headers: { location: `.${path}`, vary: 'Accept' } }
    },
  }
}

/** Only what is configured has a route. */
function createPageRoutes(
  { pages, demoStage }: Pick<ServerOptions, 'pages' | 'demoStage'>,
  cors: Cors,
): Pick<Routes, 'operator' | 'pageAsset' | 'demo'> {
  const { asset } = pages
  const methods = ['GET', 'HEAD']
  return {
    ...(asset && { pageAsset: { methods, handle: asset } }),
    ...(pages.has('operator') && {
      operator: {
        methods,
        handle: (request) => pages.page('operator', request) ?? { status: 406, headers: {} },
      },
    }),
    ...(demoStage && { demo: createDemoRoute(demoStage, cors) }),
  }
}
