import { execute, GraphQLError, parse, validate } from 'graphql'
import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLSchema, Source } from 'graphql'
import { createLRUCache, createYoga } from 'graphql-yoga'
import type { Plugin } from 'graphql-yoga'
import type { Proof } from '../auth/identity.ts'
import type { Limits } from '../config/limits.ts'
import type { GraphContext } from '../graphql/context.ts'
import { asInputError, withCode } from '../graphql/errors.ts'
import type { PresentError } from '../graphql/errors.ts'
import type { MediaType } from './accept.ts'
import { readParams } from './body.ts'
import type { Answer, Incoming } from './http.ts'
import { checkDocument } from './limits.ts'
import { answerResult } from './result-answer.ts'

const maxValidationErrors = 20
const maxCachedDocuments = 256
/** UTF-16 code units of a document. */
const maxCachedLength = 4_096

/** One request on its way through GraphQL, and the answer to it. */
export interface Exchange {
  readonly incoming: Incoming
  readonly accepted: readonly MediaType[]
  /** What the caller's credential rests on; a stream ends when it stands no more. */
  readonly proof: Proof
  /** The badge of the caller's session; asked for when the document is known to be worth it. */
  openContext(): Promise<GraphContext>
  /** Set by a subscription that was accepted; every other result is answered as it is. */
  answer?: Answer
}

export interface YogaOptions {
  readonly schema: GraphQLSchema
  readonly limits: Pick<
    Limits,
    'maxBodyBytes' | 'maxTokens' | 'maxDepth' | 'maxAliases' | 'maxDirectives'
  >
  readonly present: PresentError
  /** Accepts a subscription by setting `exchange.answer`, or answers why not. */
  readonly subscribe: (args: ExecutionArgs, exchange: Exchange) => Promise<ExecutionResult>
}

/** Answers a GraphQL request whose caller is known. */
export type RunGraphQL = (exchange: Exchange) => Promise<Answer>

/** A type that Yoga does not export. */
type YogaResult = Parameters<NonNullable<Plugin['onResultProcess']>>[0]['result']

interface ServerContext {
  readonly exchange: Exchange
}

export function createYogaRunner({ schema, limits, present, subscribe }: YogaOptions): RunGraphQL {
  const ours: Plugin<ServerContext, ServerContext> = {
    onRequestParse({ serverContext, setRequestParser }) {
      const { incoming } = serverContext.exchange
      setRequestParser(() => readParams(incoming, limits.maxBodyBytes, { takesIds: false }))
    },
    onParse({ setParseFn }) {
      setParseFn(parseDocument)
    },
    onValidate({ setValidationFn }) {
      setValidationFn(validateDocument)
    },
    onExecute({ setExecuteFn }) {
      setExecuteFn(executeOperation)
    },
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => subscribe(args, exchangeOf(args)))
    },
    onResultProcess(process) {
      const { exchange } = process.serverContext
      process.setResultProcessor((outcome, { Response }) => {
        exchange.answer ??= answerResult(oneResult(outcome), exchange.accepted)
        return new Response()
      }, 'application/json')
    },
  }

  const yoga = createYoga<ServerContext>({
    schema,
    plugins: [ours],
    maskedErrors: { maskError: present },
    parserAndValidationCache: { documentCache: createCache(), errorCache: createCache() },
    cors: false,
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: false,
  })

  return async (exchange) => {
    const { method } = exchange.incoming
    const request = new yoga.fetchAPI.Request('http://gateway/graphql', { method })
    await yoga.handleRequest(request, { exchange })
    if (!exchange.answer) throw new TypeError('the request was answered by nobody')
    return exchange.answer
  }

  /** Limits come before validation, which a hostile document can make expensive. */
  function parseDocument(source: string | Source): DocumentNode {
    let document: DocumentNode
    try {
      document = parse(source, { maxTokens: limits.maxTokens })
    } catch (error) {
      throw error instanceof GraphQLError ? withCode(error, 'GRAPHQL_PARSE_FAILED') : error
    }
    checkDocument(document, limits)
    return document
  }
}

function validateDocument(...[schema, document, rules]: Parameters<typeof validate>) {
  const errors = validate(schema, document, rules, { maxErrors: maxValidationErrors })
  return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'))
}

/** With nothing of Yoga's in the context: a resolver holds the badge of one session, and no more. */
async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const contextValue = await exchangeOf(args).openContext()
  const result = await execute({ ...args, contextValue })
  return 'data' in result ? result : { errors: result.errors?.map(asInputError) ?? [] }
}

function exchangeOf({ contextValue }: ExecutionArgs): Exchange {
  const { exchange }: { exchange?: Exchange } = Object(contextValue)
  if (!exchange) throw new TypeError('the context has no exchange')
  return exchange
}

function oneResult(outcome: YogaResult): ExecutionResult {
  if (Array.isArray(outcome) || Symbol.asyncIterator in outcome) {
    throw new TypeError('neither batches nor streams come this way')
  }
  return outcome
}

/** Yoga's, for documents that are not worth an attacker's while. */
function createCache<Value extends object>() {
  const cache = createLRUCache<Value>({ max: maxCachedDocuments })
  return {
    get: (source: string) => cache.get(source),
    set(source: string, value: Value) {
      if (source.length <= maxCachedLength) cache.set(source, value)
    },
  }
}
