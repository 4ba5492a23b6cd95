import type { AssistantId, ReplyFailureCode, StrategyKind, TerminalStatus } from '../domain.ts'
import type { TargetVerdict } from '../domain/isolation.ts'
import type { UpstreamCall } from '../domain/upstream.ts'

/** The type of the operation of a request. `none`: it was no GraphQL, or was refused before it was read. */
export type RequestKind = 'query' | 'mutation' | 'subscription' | 'none'

/** Why a subscription ended. */
export type SubscriptionEnd =
  | 'completed'
  | 'client-gone'
  | 'drained'
  /** A newer subscription of the session has replaced it. */
  | 'replaced'
  | 'stalled'
  | 'cursor-expired'
  | 'token-expired'
  | 'error'

/** Oddities of the upstream that are tolerated and counted. */
export type UpstreamOddity = 'unknown-event' | 'late-delta' | 'extra-terminal' | 'corrected-text'

/** What the lane is asked for. `probe`: whether it is here. */
export type LaneUse = 'probe' | 'token' | 'rate' | 'permit' | 'text'

/** Why the lane gave no reply. `refused`: its user may not run the command. `error`: any other refusal. */
export type LaneFailure = 'timeout' | 'unreachable' | 'readonly' | 'full' | 'refused' | 'error'

/** The facts that are counted: one method per fact, no free-form labels. */
export interface Metrics {
  /** `ms`: the time to its response, or to the head of its stream. */
  requestAnswered(kind: RequestKind, status: number, ms: number): void
  /** `code`: the code of the refusal. Undefined: the message was accepted. */
  messageTaken(code: string | undefined): void
  replyEnded(status: TerminalStatus, code: ReplyFailureCode | undefined): void
  /** The time from accepting the message to its first delta, in ms. */
  firstDelta(ms: number): void
  tokenMinted(outcome: 'minted' | 'failed'): void
  /** Whether an access token was cached. */
  tokenReused(): void
  subscriptionOpened(): void
  subscriptionEnded(reason: SubscriptionEnd): void
  upstreamOddity(oddity: UpstreamOddity): void
  /**
   * A failed attempt of an upstream call, or a failed run. `code`: that of the system (`ENOTFOUND`), a documented code of the
   * upstream, `other` for an undocumented one, `HTTP_502` if the upstream gives only a status, or `uncoded` if there is no
   * code, as for a response that cannot be read.
   */
  upstreamError(call: UpstreamCall, kind: string, code: string): void
  /**
   * An upstream call with all its attempts. `outcome`: `ok` (a stream has reached its end), `aborted` by the gateway, or the
   * kind of the error. `ms`: the time to its response, or to the end of its stream.
   */
  upstreamCalled(call: UpstreamCall, outcome: string, ms: number): void
  /** An upstream call that was repeated, since the upstream had not accepted it. */
  upstreamRetried(): void
  /** The replies of an assistant that wait for a permit, and those that run. */
  queueLength(assistant: AssistantId, waiting: number, running: number): void
  /** A transaction of the store, including the write to disk. */
  storeWritten(ms: number): void
  /** `open`: the assistant cannot be reached, and gets no calls for a while. */
  circuitChanged(assistant: AssistantId, state: 'closed' | 'open' | 'half-open'): void
  /** Two sessions or conversations have met in one upstream conversation. */
  isolationBreach(assistant: AssistantId, strategy: StrategyKind): void
  /** The current verdict about the assistant under one strategy. */
  isolationVerdict(assistant: AssistantId, strategy: StrategyKind, verdict: TargetVerdict): void
  /** A command to the lane. `ms`: the time to its reply, or to its failure. */
  laneAsked(use: LaneUse, outcome: 'ok' | LaneFailure, ms: number): void
  laneChanged(isHere: boolean): void
  /** The lane no longer has what was written to it. */
  laneForgot(): void
}
