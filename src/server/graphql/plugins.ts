import { execute, getOperationAST } from 'graphql'
import type { ExecutionArgs, ExecutionResult } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { SessionId } from '../../domain.ts'
import type { GraphContext } from '../../graphql/context.ts'
import { asInputError } from '../../graphql/execution/errors.ts'
import type { Tracer } from '../../observe/tracer.ts'
import type { Documents } from './documents.ts'
import { operationOf } from './operation.ts'
import type {
  AnswerInProgress,
  CostLimiter,
  OperationContext,
  OperationRequest,
} from './operation.ts'

type OperationPlugin = Plugin<OperationContext, OperationContext>

/** Only a few errors of variables are shown: each contains the whole value, which may be the whole request body. */
const coercion = { maxCoercionErrors: 3 }
/** The longest name of an operation in a trace, in UTF-16 code units. */
const maxNameLength = 64

/** Parses, prices and validates documents. */
export function useDocuments({ parse, validate }: Documents): OperationPlugin {
  return {
    onParse: ({ setParseFn }) => setParseFn(parse),
    onValidate: ({ setValidationFn }) => setValidationFn(validate),
  }
}

/** Opens the caller's session for a document that can be executed, once its cost has been paid. */
export function createSessionOpener({
  documents,
  costs,
  beginAnswer,
}: {
  readonly documents: Documents
  readonly costs: CostLimiter
  readonly beginAnswer: (session: SessionId) => AnswerInProgress
}) {
  /** @throws {@link RateLimitedError} when the document costs more than the session has left. */
  return async (
    { document }: ExecutionArgs,
    operation: OperationRequest,
  ): Promise<GraphContext> => {
    const context = await operation.openContext()
    const { id } = context.store.session
    operation.cost = documents.costOf(document)
    costs.take(id, operation.cost)
    operation.making = beginAnswer(id)
    return { ...context, budget: operation.making.budget }
  }
}

export type OpenSession = ReturnType<typeof createSessionOpener>

/** Executes queries and mutations without Yoga's own context: a resolver gets one session, and nothing else. */
export function useExecution(openSession: OpenSession, costs: CostLimiter): OperationPlugin {
  async function executeInSession(args: ExecutionArgs): Promise<ExecutionResult> {
    const contextValue = await openSession(args, operationOf(args))
    const result = await execute({ ...args, contextValue, options: coercion })
    const { budget, store } = contextValue
    costs.charge(store.session.id, budget.points)
    if (budget.failure) return { errors: [budget.failure], data: null }
    return 'data' in result ? result : { errors: result.errors?.map(asInputError) ?? [] }
  }
  return { onExecute: ({ setExecuteFn }) => setExecuteFn(executeInSession) }
}

/** Accepts a subscription by setting `operation.response`, or returns why not. `open`: opens the caller's session. */
export type Subscribe = (
  args: ExecutionArgs,
  operation: OperationRequest,
  open: () => Promise<GraphContext>,
) => Promise<ExecutionResult>

export function useSubscriptions(openSession: OpenSession, subscribe: Subscribe): OperationPlugin {
  const subscribeInSession = (args: ExecutionArgs) => {
    const operation = operationOf(args)
    return subscribe({ ...args, options: coercion }, operation, () => openSession(args, operation))
  }
  return { onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(subscribeInSession) }
}

/**
 * A span for each operation; for a subscription, up to its acceptance. Comes after the plugins whose work it measures.
 * @see https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/
 */
export function useTracing(tracer: Tracer): OperationPlugin {
  const within =
    (work: (args: ExecutionArgs) => Promise<ExecutionResult>) => async (args: ExecutionArgs) => {
      const operation = operationOf(args)
      const kind = getOperationAST(args.document, args.operationName)?.operation ?? 'none'
      operation.kind = kind
      const operationName = args.operationName?.slice(0, maxNameLength)
      const facts = { operationType: kind, operationName }
      const parent = tracer.extract(operation.request.headers)
      return await tracer.within(kind, { kind: 'server', facts, parent }, async (span) => {
        const result = await work(args)
        const code = result.errors?.[0]?.extensions['code']
        if (typeof code === 'string') span.fail(code)
        return result
      })
    }
  return {
    onExecute: ({ executeFn, setExecuteFn }) => setExecuteFn(within(executeFn)),
    onSubscribe: ({ subscribeFn, setSubscribeFn }) => setSubscribeFn(within(subscribeFn)),
  }
}
