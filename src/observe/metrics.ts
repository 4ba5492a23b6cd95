import type { AssistantId, ReplyFailureCode, StrategyKind, TerminalStatus } from '../domain.ts'
import type { TargetVerdict } from '../domain/isolation.ts'
import type { UpstreamCall } from '../domain/upstream.ts'

/** What a request asked, as far as it came; `none`: it was no GraphQL, or was refused before it was read. */
export type RequestKind = 'query' | 'mutation' | 'subscription' | 'none'

/** Why a subscription ended. */
export type SubscriptionEnd =
  | 'completed'
  | 'client-gone'
  | 'drained'
  /** A newer subscription of the session has taken its place. */
  | 'replaced'
  | 'stalled'
  | 'cursor-expired'
  | 'token-expired'
  | 'error'

/** Oddities of the upstream that are tolerated, and counted. */
export type UpstreamOddity = 'unknown-event' | 'late-delta' | 'extra-terminal' | 'corrected-text'

/** The facts that are counted: one method per fact, no free-form labels. */
export interface Metrics {
  /** `ms`: until its answer was there, or the head of its stream. */
  requestAnswered(kind: RequestKind, status: number, ms: number): void
  /** `code`: of the refusal; undefined: it was accepted. */
  messageTaken(code: string | undefined): void
  replyEnded(status: TerminalStatus, code: ReplyFailureCode | undefined): void
  /** From accepting the message to its first delta, in ms. */
  firstDelta(ms: number): void
  tokenMinted(outcome: 'minted' | 'failed'): void
  /** An access token was at hand. */
  tokenReused(): void
  subscriptionOpened(): void
  subscriptionEnded(reason: SubscriptionEnd): void
  upstreamOddity(oddity: UpstreamOddity): void
  /**
   * A failed try of an upstream call, or a failed run. `code`: of the system (`ENOTFOUND`), a documented one of the
   * upstream, `other` for an undocumented one, `HTTP_502` where the upstream says no more, or `uncoded` where nothing has a
   * code, as for an answer that cannot be read.
   */
  upstreamError(call: UpstreamCall, kind: string, code: string): void
  /**
   * An upstream call, all its tries together. `outcome`: `ok` (of a stream:
   * it came to its end), `aborted` by us, or the kind of the error. `ms`: to its answer, or to the end of its stream.
   */
  upstreamCalled(call: UpstreamCall, outcome: string, ms: number): void
  /** An upstream call that was made again, since nothing of it was accepted. */
  upstreamRetried(): void
  /** Replies of an assistant that wait for a place, and those that run. */
  queueLength(assistant: AssistantId, waiting: number, running: number): void
  /** A transaction of the store, with its way to the disk, beside the event loop. */
  storeWritten(ms: number): void
  /** `open`: the assistant cannot be reached, and is left alone for a while. */
  circuitChanged(assistant: AssistantId, state: 'closed' | 'open' | 'half-open'): void
  /** Two sessions or conversations have met in one upstream conversation. */
  isolationBreach(assistant: AssistantId, strategy: StrategyKind): void
  /** What is known now of how the assistant keeps sessions apart when it is driven so. */
  isolationVerdict(assistant: AssistantId, strategy: StrategyKind, verdict: TargetVerdict): void
}
