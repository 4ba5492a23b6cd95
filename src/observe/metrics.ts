import type { ReplyFailureCode, TerminalStatus } from '../domain.ts'

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
}
