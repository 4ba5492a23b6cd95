import type { ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql'
import type { Limits } from '../config/sections/limits.ts'
import type { PersistedDocuments } from '../config/sections/persisted-documents.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import type { Caller, SessionId } from '../domain.ts'
import { BadRequestError } from '../errors.ts'
import type { GraphContext } from '../graphql/context.ts'
import { AnswerBudget } from '../graphql/execution/answer-budget.ts'
import { createPresentError } from '../graphql/execution/errors.ts'
import { createSelectionCompiler } from '../graphql/execution/event-renderer.ts'
import { openSubscription, type EventAccount } from '../graphql/execution/subscription.ts'
import type { NewId } from '../lib/id.ts'
import { createTurns } from '../lib/turns.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { RefusalLog } from '../observe/refusals.ts'
import type { Tracer } from '../observe/tracer.ts'
import { mediaTypes } from './accept.ts'
import { createCors } from './cors.ts'
import { createDoor } from './door.ts'
import { createResultStream } from './event-stream.ts'
import { framingOf } from './framing.ts'
import { fromFetchRequest, toFetchResponse } from './fetch.ts'
import type { GraphiQL } from './graphiql.ts'
import type { Readiness } from './health.ts'
import type { HeapGuard } from './heap-guard.ts'
import { senderOf, type Incoming } from './http.ts'
import type { TakeConnection } from './connections.ts'
import { destroyResponse } from './node-sink.ts'
import { answerOnNode, fromNodeRequest, type HostRequest } from './node.ts'
import { createRoutes, findRouted, type FindRoute } from './paths.ts'
import { createOpenStreams } from './open-streams.ts'
import { createPipelines } from './pipeline.ts'
import { SubscriptionStream } from './subscription-stream.ts'
import { createWaitingBytes } from './waiting-bytes.ts'
import type { WaysInOptions } from './ways-in.ts'
import type { HostResponse } from './wire.ts'
import { createYogaRunner, type AnswerMaking, type CostLimiter, type Exchange } from './yoga.ts'

/** A client that was drained, or for which there was no room, comes back after 1 to 4 s, so that not all come at once. */
const retryBaseMs = 1_000
const retryJitterMs = 3_000
/** Requests that are begun in one turn of the event loop: about 20 ms of work. Others wait, each sender in its turn. */
const requestsPerTurn = 32

/** Bytes of long answers and streams that are made or written in one turn of the event loop: some 10 ms of work. */
const unitsPerTurn = 131_072

/** The answer is in the exchange; the result is not looked at. */
const handled: ExecutionResult = { data: null }

/** The badge of a caller's session, without what only the request knows. */
export type SessionContext = Omit<GraphContext, 'lastEventId' | 'budget'>

export interface ServerOptions extends Omit<WaysInOptions, 'cors'> {
  readonly schema: GraphQLSchema
  /** Where GraphQL is, on a server of our own. */
  readonly path: string
  readonly openSession: (caller: Caller) => Promise<SessionContext>
  readonly limits: Limits
  readonly timeouts: Pick<Timeouts, 'keepAliveMs' | 'stalledMs' | 'credentialCheckMs' | 'requestMs'>
  readonly cors: { readonly origins: readonly string[] }
  /** Whether clients may ask for the schema. Default true. */
  readonly introspection?: boolean
  /** Undefined: every request brings its document. */
  readonly persistedDocuments?: PersistedDocuments | undefined
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
  /** Undefined: nothing is watched. */
  readonly heap?: HeapGuard | undefined
}

/** The door: HTTP on one side, GraphQL on the other. */
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
  const compile = createSelectionCompiler()
  const retryMs = () => Math.round(retryBaseMs + options.random() * retryJitterMs)
  const services = { present, metrics, retryMs }
  const streams = createOpenStreams({ ...limits, ...timeouts, retryMs, clock, logger })
  const turns = createTurns(unitsPerTurn)
  const waiting = createWaitingBytes(limits)
  const runGraphQL = createYogaRunner({ ...options, present, subscribe, beginAnswer, turns })
  const sinkLimits = { ...limits, ...timeouts, clock, logger, turns }
  const findOwn = createRoutes(options.path)
  const entrance = createTurns(requestsPerTurn)
  const pipelines = createPipelines()
  const account: EventAccount = {
    turns,
    maxBytes: limits.maxAnswerBytes,
    clock,
    begin: beginAnswer,
    take: (session, points) => options.costs.take(session, points),
    charge: (session, points) => options.costs.charge(session, points),
  }
  let draining = false

  const answer = createDoor({
    ...options,
    cors: createCors(options.cors.origins, { credentials: options.cookie !== undefined }),
    readiness: async () => (draining ? 'not ready' : await options.readiness()),
    present,
    runGraphQL,
  })

  return {
    get waitingBytes() {
      return waiting.total
    },
    async fetch(request) {
      return toFetchResponse(await answer(fromFetchRequest(request)), request.signal, sinkLimits)
    },
    handle: (req, res) => enter(req, res, findRouted),
    serve: (req, res, take) => enter(req, res, findOwn, take),
    checkCredentials: () => streams.checkCredentials(),
    async drain() {
      draining = true
      streams.drain()
      await streams.empty()
    },
    [Symbol.dispose]: () => streams[Symbol.dispose](),
  }

  function beginAnswer(session: SessionId): AnswerMaking {
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
        const incoming = fromNodeRequest(req, findRoute)
        const begin = () => void respond(incoming, req, res, take)
        // Health says how it is now: it does not wait behind requests.
        const isHealth = incoming.route === 'live' || incoming.route === 'ready'
        const turn = isHealth ? undefined : entrance.of(senderOf(incoming)).take(1)
        if (turn) void turn.then(begin)
        else begin()
      } catch (err) {
        fail(err, res)
      }
    })
  }

  /** Never rejects. The door answers every error; what is left are faults of the host's objects. */
  async function respond(
    incoming: Incoming,
    req: HostRequest,
    res: HostResponse,
    take: TakeConnection | undefined,
  ): Promise<void> {
    const made = await answer(incoming)
    try {
      const { socket } = req
      answerOnNode(made, req, res, sinkLimits, take)
      if (res.socket !== socket) pipelines.forget(socket, res)
    } catch (err) {
      made.held?.[Symbol.dispose]()
      fail(err, res)
    }
  }

  function fail(err: unknown, res: HostResponse): void {
    logger.error({ err }, 'response of the host failed')
    destroyResponse(res)
  }

  /** Whatever can be refused is refused here, before the head of a stream is sent. */
  async function subscribe(
    args: ExecutionArgs,
    exchange: Exchange,
    enter: () => Promise<GraphContext>,
  ): Promise<ExecutionResult> {
    const framing = exchange.accepted.map(framingOf).find((one) => one !== undefined)
    if (!framing) {
      throw new BadRequestError(`A subscription needs "accept: ${mediaTypes.events}".`)
    }
    const contextValue = await enter()
    using admission = new DisposableStack()
    using _held = exchange.making?.held
    const place = admission.use(streams.admit(contextValue.store.session.id))
    const opened = await openSubscription(
      { ...args, contextValue },
      { present, compile, account, cost: exchange.cost ?? limits.maxEventCost },
    )
    if (!('follow' in opened)) return { errors: opened }
    if (opened.past) {
      // A browser's EventSource stops on 204; graphql-sse, which asks by POST, would take it for a broken connection.
      exchange.answer =
        exchange.incoming.method === 'GET'
          ? { status: 204, headers: {} }
          : { status: 200, headers: framing.headers, stream: createResultStream(framing) }
      return handled
    }
    admission.move()
    const { expiresAt } = contextValue.caller
    const credential = { status: exchange.credentialStatus, expiresAt }
    exchange.answer = {
      status: 200,
      headers: framing.headers,
      stream: new SubscriptionStream(opened, framing, credential, place, services),
    }
    return handled
  }
}
