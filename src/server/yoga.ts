import {
  execute,
  getOperationAST,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
} from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { CredentialStatus } from '../auth/identity.ts'
import type { Limits } from '../config/sections/limits.ts'
import type { PersistedDocuments } from '../config/sections/persisted-documents.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import type { SessionId } from '../domain.ts'
import { type AnswerBudget, answerTooLarge } from '../graphql/execution/answer-budget.ts'
import type { GraphContext } from '../graphql/context.ts'
import { asInputError, type PresentError } from '../graphql/execution/errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { SharedTurns, Turns } from '../lib/turns.ts'
import type { RequestKind } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import { encodeJson } from '../lib/json-text.ts'
import type { MediaType } from './accept.ts'
import { readParams, type GraphParams } from './body.ts'
import { createDocuments } from './documents.ts'
import { senderOf, type Answer, type Incoming } from './http.ts'
import { isMultipart, readMultipart, type MultipartRequest } from './multipart.ts'
import { createPersistedDocuments } from './persisted-documents.ts'
import { createRequestTimer } from './request-timer.ts'
import { answerResult, answerText, shownResult } from './result-answer.ts'
import type { BytesHeld } from './waiting-bytes.ts'

/** Few errors of variables are told: each one writes the whole value, which may be all of the request's body. */
const coercion = { maxCoercionErrors: 3 }
/** Bytes of an answer up to which it is made and sent as one text. */
const maxPlainBytes = 65_536
/** Code units of the name of an operation, in a trace. */
const maxNameLength = 64

/** One request on its way through GraphQL, and the answer to it. */
export interface Exchange {
  readonly incoming: Incoming
  readonly accepted: readonly MediaType[]
  /** The status of the caller's credential; a stream ends when it is no longer accepted. */
  readonly credentialStatus: CredentialStatus
  /** The badge of the caller's session; asked for when the document is known to be worth it. */
  openContext(): Promise<RequestContext>
  /** What it asks, once that is known. */
  kind?: RequestKind
  /** The cost of its document, once that is taken from its session's budget. */
  cost?: number
  /** The cost of its answer, and the bytes that it holds, while it is executed. */
  making?: AnswerMaking
  /** Set by a subscription that was accepted; every other result is answered as it is. */
  answer?: Answer
}

export interface YogaOptions {
  readonly schema: GraphQLSchema
  readonly limits: Pick<
    Limits,
    | 'maxBodyBytes'
    | 'maxUploadBytes'
    | 'maxTokens'
    | 'maxDepth'
    | 'maxAliases'
    | 'maxDirectives'
    | 'maxCost'
    | 'maxEventCost'
    | 'maxAnswerBytes'
  >
  readonly timeouts: Pick<Timeouts, 'requestMs'>
  /** Whether clients may ask for the schema. Default true. */
  readonly introspection?: boolean
  /** Undefined: every request brings its document. */
  readonly persistedDocuments?: PersistedDocuments | undefined
  readonly clock: Clock
  readonly tracer: Tracer
  readonly present: PresentError
  /** What the documents of each session may cost: one that asks much must not hold up the others. */
  readonly costs: CostLimiter
  /** Begins to count an answer of a session. */
  readonly beginAnswer: (session: SessionId) => AnswerMaking
  /** The turns that all requests share. */
  readonly turns: SharedTurns
  /** Accepts a subscription by setting `exchange.answer`, or answers why not. `enter`: opens the caller's session. */
  readonly subscribe: (
    args: ExecutionArgs,
    exchange: Exchange,
    enter: () => Promise<GraphContext>,
  ) => Promise<ExecutionResult>
}

export interface CostLimiter {
  /** @throws {@link RateLimitedError} */
  take(key: string, points: number): Promise<void>
  /** Takes points whose use is known only afterwards. */
  charge(key: string, points: number): Promise<void>
}

/** An answer while it is made, and what it holds until its client has it. */
export interface AnswerMaking {
  readonly budget: AnswerBudget
  readonly held: BytesHeld
  /** The turns of the session that is answered. */
  readonly turns: Turns
}

/** All that a resolver may touch, before it is executed for one answer. */
export type RequestContext = Omit<GraphContext, 'budget'>

/** Answers a GraphQL request whose caller is known. */
export type RunGraphQL = (exchange: Exchange) => Promise<Answer>

interface ServerContext {
  readonly exchange: Exchange
}

/** @throws `TypeError` for a persisted document that does not fit the schema */
export function createYogaRunner(options: YogaOptions): RunGraphQL {
  const { schema, limits, timeouts, present, subscribe, persistedDocuments, clock, tracer } =
    options
  const { costs } = options
  const documents = createDocuments(schema, options)
  const inTime = createRequestTimer(clock, timeouts)
  const paramsOptions = (incoming: Incoming) => ({
    takesIds: persistedDocuments !== undefined,
    turns: options.turns.of(senderOf(incoming)),
  })
  const ours: Plugin<ServerContext, ServerContext> = {
    onParse({ setParseFn }) {
      setParseFn(documents.parse)
    },
    onValidate({ setValidationFn }) {
      setValidationFn(documents.validate)
    },
    onExecute({ setExecuteFn }) {
      setExecuteFn((args: ExecutionArgs) =>
        trace(args, async (exchange) => {
          const contextValue = await enter(args, exchange)
          const result = await executeOperation(args, contextValue)
          await costs.charge(contextValue.store.session.id, contextValue.budget.points)
          return result
        }),
      )
    },
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn((args: ExecutionArgs) =>
        trace(args, (exchange) =>
          subscribe({ ...args, options: coercion }, exchange, () => enter(args, exchange)),
        ),
      )
    },
  }

  const yoga = createYoga<ServerContext>({
    schema,
    plugins: [
      ours,
      ...(persistedDocuments
        ? [createPersistedDocuments(persistedDocuments, schema, documents.parse)]
        : []),
    ],
    maskedErrors: { maskError: present },
    parserAndValidationCache: documents.caches,
    cors: false,
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: false,
  })

  // All that Yoga wants to know of a request is its method: one of each serves all.
  const requestBy = (method: 'GET' | 'POST') =>
    new yoga.fetchAPI.Request('http://gateway/graphql', { method })
  const get = requestBy('GET')
  const post = requestBy('POST')

  return async (exchange) => {
    const { incoming } = exchange
    let form: MultipartRequest | undefined
    let result: ExecutionResult
    try {
      const params = await inTime(readRequest())
      const request = incoming.method === 'GET' ? get : post
      result = oneResult(await yoga.getResultForParams({ params, request }, { exchange }))
    } catch (error) {
      result = { errors: [present(error)] }
    }
    // A client that is slow to send the rest loses its connection with the answer.
    if (form) await inTime(form.finish()).catch(() => undefined)
    return exchange.answer ?? (await answer(exchange, result))

    async function readRequest(): Promise<GraphParams> {
      const how = paramsOptions(incoming)
      if (!isMultipart(incoming)) return readParams(incoming, limits.maxBodyBytes, how)
      form = await readMultipart(incoming, limits, how)
      return form.params
    }
  }

  /** In turns with other work where it is long. What a client has to read before it is forgotten counts as held. */
  async function answer(
    { incoming, accepted, making, kind }: Exchange,
    result: ExecutionResult,
  ): Promise<Answer> {
    using held = new DisposableStack()
    if (making) held.use(making.held)
    if (!making || making.budget.bytes <= maxPlainBytes) {
      const answer = answerResult(result, incoming.method, accepted)
      if (!making || typeof answer.body !== 'string') return answer
      making.held.keep(answer.body.length)
      held.move()
      return { ...answer, held: making.held }
    }
    const { maxAnswerBytes: maxBytes } = limits
    const text = await encodeJson(shownResult(result), { maxBytes, turns: making.turns })
    if (!text) {
      const errors = [present(answerTooLarge(maxBytes, kind ?? 'none'))]
      return answerResult({ errors, data: null }, incoming.method, accepted)
    }
    making.held.keep(text.bytes)
    const owned = held.move()
    return { ...answerText(text, accepted, () => owned.dispose()), held: making.held }
  }

  /**
   * Under a span of the operation; of a subscription up to its acceptance.
   * @see https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/
   */
  async function trace(
    args: ExecutionArgs,
    work: (exchange: Exchange) => Promise<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const exchange = exchangeOf(args)
    const kind = getOperationAST(args.document, args.operationName)?.operation ?? 'none'
    exchange.kind = kind
    const attributes = {
      'graphql.operation.type': kind,
      'graphql.operation.name': args.operationName?.slice(0, maxNameLength),
    }
    const parent = tracer.extract(exchange.incoming.headers)
    return await tracer.within(kind, { kind: 'server', attributes, parent }, async (span) => {
      const result = await work(exchange)
      const code = result.errors?.[0]?.extensions['code']
      if (typeof code === 'string') span.fail(code)
      return result
    })
  }

  /** @throws {@link RateLimitedError} when the document costs more than the session has left. */
  async function enter({ document }: ExecutionArgs, exchange: Exchange): Promise<GraphContext> {
    const context = await exchange.openContext()
    const { id } = context.store.session
    exchange.cost = documents.costOf(document)
    await costs.take(id, exchange.cost)
    exchange.making = options.beginAnswer(id)
    return { ...context, budget: exchange.making.budget }
  }
}

/** With nothing of Yoga's in the context: a resolver holds the badge of one session, and no more. */
async function executeOperation(
  args: ExecutionArgs,
  contextValue: GraphContext,
): Promise<ExecutionResult> {
  const result = await execute({ ...args, contextValue, options: coercion })
  const { failure } = contextValue.budget
  if (failure) return { errors: [failure], data: null }
  return 'data' in result ? result : { errors: result.errors?.map(asInputError) ?? [] }
}

function exchangeOf({ contextValue }: ExecutionArgs): Exchange {
  const { exchange }: { exchange?: Exchange } = Object(contextValue)
  if (!exchange) throw new TypeError('the context has no exchange')
  return exchange
}

function oneResult(
  outcome: ExecutionResult | AsyncIterable<ExecutionResult> | undefined,
): ExecutionResult {
  if (outcome === undefined || Symbol.asyncIterator in outcome) {
    throw new TypeError('no stream comes this way')
  }
  return outcome
}
