import type { ExecutionArgs } from 'graphql'
import type { CredentialStatus } from '../../auth/identity.ts'
import type { GraphContext } from '../../graphql/context.ts'
import type { AnswerBudget } from '../../graphql/execution/answer-budget.ts'
import type { Turns } from '../../lib/turns.ts'
import type { RequestKind } from '../../observe/metrics.ts'
import type { MediaType } from '../accept.ts'
import type { HttpRequest, HttpResponse } from '../http.ts'
import type { BytesHeld } from '../streams/waiting-bytes.ts'

/** What a resolver may touch, before it is executed for one answer. */
export type RequestContext = Omit<GraphContext, 'budget'>

/** A GraphQL request of a known caller, on its way. */
export interface OperationRequest {
  readonly request: HttpRequest
  readonly accepted: readonly MediaType[]
  /** The status of the caller's credential; a stream ends when it is no longer accepted. */
  readonly credentialStatus: CredentialStatus
  /** Opens the caller's session; called when the document is known to be worth it. */
  openContext(): Promise<RequestContext>
  /** What it asks, once that is known. */
  kind?: RequestKind
  /** The cost of its document, once that is taken from its session's budget. */
  cost?: number
  /** The cost of its answer, and the bytes that it holds, while it is executed. */
  making?: AnswerInProgress
  /** Set by a subscription that was accepted; every other result is sent as it is. */
  response?: HttpResponse
}

/** An answer while it is made, and what it holds until its client has it. */
export interface AnswerInProgress {
  readonly budget: AnswerBudget
  readonly held: BytesHeld
  /** The turns of the session that is answered. */
  readonly turns: Turns
}

/** What the documents of each session may cost. */
export interface CostLimiter {
  /** @throws {@link RateLimitedError} */
  take(key: string, points: number): Promise<void>
  /** Takes points whose use is known only afterwards. */
  charge(key: string, points: number): Promise<void>
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
