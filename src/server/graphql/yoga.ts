import type { ExecutionResult, GraphQLSchema } from 'graphql'
import { createYoga } from 'graphql-yoga'
import type { Limits } from '../../config/sections/limits.ts'
import type { PersistedDocuments } from '../../config/sections/persisted-documents.ts'
import type { Timeouts } from '../../config/sections/timeouts.ts'
import type { SessionId } from '../../domain.ts'
import { answerTooLarge } from '../../graphql/execution/answer-budget.ts'
import type { PresentError } from '../../graphql/execution/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { encodeJson } from '../../lib/json-text.ts'
import type { SharedTurns } from '../../lib/turns.ts'
import type { Tracer } from '../../observe/tracer.ts'
import { senderOf } from '../client-address.ts'
import type { HttpResponse } from '../http.ts'
import { createRequestTimer } from '../request-timer.ts'
import { createDocuments } from './documents.ts'
import type {
  AnswerInProgress,
  CostLimiter,
  OperationContext,
  OperationRequest,
} from './operation.ts'
import { readParams } from './params.ts'
import type { GraphParams } from './params.ts'
import { usePersistedDocuments } from './persisted-documents.ts'
import {
  createSessionOpener,
  useDocuments,
  useExecution,
  useSubscriptions,
  useTracing,
} from './plugins.ts'
import type { Subscribe } from './plugins.ts'
import { resultResponse, shownResult, textResponse } from './result-response.ts'
import { isMultipart, readMultipart } from './upload.ts'
import type { MultipartRequest } from './upload.ts'

/** A result up to this many bytes is made and sent as one text. */
const maxPlainBytes = 65_536

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
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean
  /** Undefined: requests contain their documents. */
  readonly persistedDocuments: PersistedDocuments | undefined
  readonly clock: Clock
  readonly tracer: Tracer
  /** Proxies that append to `X-Forwarded-For`. */
  readonly trustProxy: number
  readonly present: PresentError
  /** The budget of each session for documents, so that one session cannot hold up the others. */
  readonly costs: CostLimiter
  /** Begins to count a response of a session. */
  readonly beginAnswer: (session: SessionId) => AnswerInProgress
  /** The turns that all requests share. */
  readonly turns: SharedTurns
  readonly subscribe: Subscribe
}

/** Handles a GraphQL request whose caller is known. Never rejects. */
export type RunOperation = (operation: OperationRequest) => Promise<HttpResponse>

/** @throws `TypeError` for a persisted document that does not fit the schema */
export function createOperationRunner(options: YogaOptions): RunOperation {
  const { schema, limits, present, persistedDocuments, costs } = options
  const documents = createDocuments(schema, options)
  const inTime = createRequestTimer(options.clock, options.timeouts)
  const openSession = createSessionOpener({ ...options, documents })

  const yoga = createYoga<OperationContext>({
    schema,
    plugins: [
      useDocuments(documents),
      useExecution(openSession, costs),
      useSubscriptions(openSession, options.subscribe),
      useTracing(options.tracer),
      ...(persistedDocuments
        ? [usePersistedDocuments(persistedDocuments, schema, documents.parse)]
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

  // Yoga reads only the method of a request, so one object for each method is enough.
  const requestBy = (method: 'GET' | 'POST') =>
    new yoga.fetchAPI.Request('http://gateway/graphql', { method })
  const [get, post] = [requestBy('GET'), requestBy('POST')]

  return async (operation) => {
    const { request } = operation
    let form: MultipartRequest | undefined
    let result: ExecutionResult
    try {
      const params = await inTime(readRequest())
      const yogaRequest = request.method === 'GET' ? get : post
      const outcome = await yoga.getResultForParams({ params, request: yogaRequest }, { operation })
      result = oneResult(outcome)
    } catch (error) {
      result = { errors: [present(error)] }
    }
    // A client that is slow to send the rest loses its connection with the response.
    if (form) await inTime(form.finish()).catch(() => undefined)
    return operation.response ?? (await respond(operation, result))

    async function readRequest(): Promise<GraphParams> {
      const how = {
        takesIds: persistedDocuments !== undefined,
        turns: options.turns.of(senderOf(request, options.trustProxy)),
      }
      if (!isMultipart(request)) return readParams(request, limits.maxBodyBytes, how)
      form = await readMultipart(request, limits, how)
      return form.params
    }
  }

  /** A long result takes turns with other work. Its bytes count as held until the client has read them. */
  async function respond(
    { request, accepted, making, kind }: OperationRequest,
    result: ExecutionResult,
  ): Promise<HttpResponse> {
    using held = new DisposableStack()
    if (making) held.use(making.held)
    if (!making || making.budget.bytes <= maxPlainBytes) {
      const response = resultResponse(result, request.method, accepted)
      if (!making || typeof response.body !== 'string') return response
      making.held.keep(response.body.length)
      held.move()
      return { ...response, held: making.held }
    }
    const { maxAnswerBytes: maxBytes } = limits
    const text = await encodeJson(shownResult(result), { maxBytes, turns: making.turns })
    if (!text) {
      const errors = [present(answerTooLarge(maxBytes, kind ?? 'none'))]
      return resultResponse({ errors, data: null }, request.method, accepted)
    }
    making.held.keep(text.bytes)
    const owned = held.move()
    return { ...textResponse(text, accepted, () => owned.dispose()), held: making.held }
  }
}

function oneResult(
  outcome: ExecutionResult | AsyncIterable<ExecutionResult> | undefined,
): ExecutionResult {
  if (outcome === undefined || Symbol.asyncIterator in outcome) {
    throw new TypeError('no stream comes this way')
  }
  return outcome
}
