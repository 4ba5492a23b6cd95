import type { ExecutionArgs } from 'graphql'
import type { CredentialStatus } from '../../auth/identity.ts'
import type { GraphContext } from '../../graphql/context.ts'
import type { AnswerBudget } from '../../graphql/execution/answer-budget.ts'
import type { Turns } from '../../lib/turns.ts'
import type { RequestKind } from '../../observe/metrics.ts'
import type { MediaType } from '../accept.ts'
import type { HttpRequest, HttpResponse } from '../http.ts'
import type { BytesHeld } from '../streams/waiting-bytes.ts'

/** The context of resolvers, without the parts of a single execution. */
export type RequestContext = Omit<GraphContext, 'budget'>

/** A GraphQL request of a known caller while it is processed. */
export interface OperationRequest {
  readonly request: HttpRequest
  readonly accepted: readonly MediaType[]
  /** The status of the caller's credential; a stream ends when it is no longer accepted. */
  readonly credentialStatus: CredentialStatus
  /** Opens the caller's session. Called when the document has passed its checks. */
  openContext(): Promise<RequestContext>
  /** The name and type of the operation, once they are known. */
  kind?: RequestKind
  /** The cost of the document, once the session has paid it. */
  cost?: number
  /** The cost and the bytes of the result while it is executed. */
  making?: AnswerInProgress
  /** Set by a subscription that was accepted. Every other result is sent as it is. */
  response?: HttpResponse
}

/** A response while it is made, and the bytes that it holds until its client has it. */
export interface AnswerInProgress {
  readonly budget: AnswerBudget
  readonly held: BytesHeld
  /** The turns of the caller's session. */
  readonly turns: Turns
}

/** The budget of each session for documents. */
export interface CostLimiter {
  /** @throws {@link RateLimitedError} */
  take(key: string, points: number): void
  /** Takes points that are known only after their use. */
  charge(key: string, points: number): void
}

/** The context that Yoga carries through a request. */
export interface OperationContext {
  readonly operation: OperationRequest
}

export function operationOf({ contextValue }: ExecutionArgs): OperationRequest {
  const { operation }: { operation?: OperationRequest } = Object(contextValue)
  if (!operation) throw new TypeError('the context has no operation')
  return operation
}
