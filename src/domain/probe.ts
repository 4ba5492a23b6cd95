import type { AssistantId } from '../domain.ts'
import type { Finding, IsolationTarget, ProofVerdict } from './isolation.ts'

/** A fact of the knowledge base that only one session may be told. */
export interface KnowledgeFact {
  /** As the knowledge base's filter names it. */
  readonly sessionName: string
  readonly question: string
  /** What the answer holds. */
  readonly value: string
}

/** How thoroughly to probe. */
export interface ProbeDepth {
  /** Pairs of sessions that are tried. */
  readonly trials: number
  /** Upstream calls at most for each strategy, those for access tokens and for cleaning up not counted. */
  readonly budget: number
  /** A message that makes the assistant put a question and wait. Default: that is not tested. */
  readonly questionTrigger?: string | undefined
  readonly knowledge?: readonly KnowledgeFact[] | undefined
}

/** What is left out is as the configuration says. */
export interface ProbeRequest extends Omit<ProbeDepth, 'trials' | 'budget'> {
  readonly trials?: number | undefined
  readonly budget?: number | undefined
  /** Default: all that are configured. */
  readonly assistantId?: AssistantId | undefined
}

/** A message of a probe and what came back, without a word of either. */
export interface ProbeExchange {
  /** ms since the epoch. */
  readonly at: number
  /** Which of the probe's sessions, counted from 1. */
  readonly session: number
  readonly conversationId: string
  readonly chatId: string
  /** Ids of the platform's log lines. */
  readonly logId: string | null
  /** The types of the events in their order, repeated ones counted: `accepted delta×12 message completed`. */
  readonly events: string
}

export interface ProbeReport extends IsolationTarget {
  /** ms since the epoch. */
  readonly startedAt: number
  readonly endedAt: number
  /** Upstream calls that were made. */
  readonly calls: number
  readonly verdict: ProofVerdict
  readonly findings: readonly Finding[]
  readonly exchanges: readonly ProbeExchange[]
  /** What may be left upstream, each a sentence. */
  readonly remains: readonly string[]
}

/** What a probe does, in sentences without secrets, and what came of it. `at`: ms since the epoch. */
export type ProbeEvent =
  | { readonly type: 'step'; readonly at: number; readonly step: string }
  | { readonly type: 'ended'; readonly at: number; readonly reports: readonly ProbeReport[] }
  | { readonly type: 'failed'; readonly at: number; readonly message: string }

/** A probe that runs, or has run lately. */
export interface ProbeRun {
  readonly id: string
  /** Upstream calls that it makes at most. */
  readonly maxCalls: number
  /** ms since the epoch. */
  readonly startedAt: number
  /** Its events until now, in order. */
  readonly past: readonly ProbeEvent[]
  /** Its events from the first to its end, as they come. @throws the signal's reason */
  events(signal: AbortSignal): AsyncIterable<ProbeEvent>
}
