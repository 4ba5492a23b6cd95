import type { AssistantId, ReplyFailureCode, TerminalStatus } from '../domain.ts'

/** Why a subscription ended. */
export type SubscriptionEnd =
  | 'completed'
  | 'client-gone'
  | 'drained'
  | 'stalled'
  | 'cursor-expired'
  | 'token-expired'
  | 'error'

/** Oddities of the upstream that are tolerated, and counted. */
export type UpstreamOddity = 'unknown-event' | 'late-delta' | 'extra-terminal' | 'corrected-text'

/** The facts that are counted: one method per fact, no free-form labels. */
export interface Metrics {
  replyEnded(status: TerminalStatus, code: ReplyFailureCode | undefined): void
  /** From accepting the message to its first delta, in ms. */
  firstDelta(ms: number): void
  tokenMinted(outcome: 'minted' | 'failed'): void
  subscriptionOpened(): void
  subscriptionEnded(reason: SubscriptionEnd): void
  upstreamOddity(oddity: UpstreamOddity): void
  /** A failed upstream call or run. `code`: a documented code of the upstream, `none`, or `other`. */
  upstreamError(kind: string, code: string): void
  /** An upstream call that was made again, since nothing of it was accepted. */
  upstreamRetried(): void
  /** Replies of an assistant that wait for a place, and those that run. */
  queueLength(assistant: AssistantId, waiting: number, running: number): void
  /** `open`: the assistant cannot be reached, and is left alone for a while. */
  circuitChanged(assistant: AssistantId, state: 'closed' | 'open' | 'half-open'): void
}
