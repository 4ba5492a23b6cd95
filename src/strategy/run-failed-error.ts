import type { Misconfiguration } from '../coze/errors.ts'
import type { ReplyFailure } from '../domain.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'

/** What is known of the upstream's state when a run fails. */
export type RunOutcome =
  /** Nothing was accepted: the conversation is as it was. */
  | 'not-accepted'
  /** The upstream said how it ended. */
  | 'ended'
  /** The end was not seen: it may still run, or have finished. */
  | 'unseen'

/** A run failed. Translated once, at the strategy, from the upstream's error, which is the cause. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError'
  readonly failure: ReplyFailure
  readonly outcome: RunOutcome
  /** The stored upstream conversation cannot be used any more (F41): begin a new one. */
  readonly conversationGone: boolean
  /** False: the platform has no call for what was asked, and never will have while it is what it is. */
  readonly isSupported: boolean
  /** For support: the upstream's own code and log id. */
  readonly upstreamCode: string | undefined
  readonly logId: string | undefined
  /** For the log: what whoever runs the gateway should look at first. */
  readonly hint: string | undefined
  /** The mistake in the configuration of the assistant, where the failure says it. */
  readonly misconfiguration: Misconfiguration | undefined
  /** For the log: the call that failed. Undefined: no call did. */
  readonly upstream: UpstreamFailure | undefined
  constructor(
    failure: ReplyFailure,
    details: {
      readonly outcome: RunOutcome
      readonly conversationGone?: boolean
      /** Default true. */
      readonly isSupported?: boolean
      readonly upstreamCode?: string | undefined
      readonly logId?: string | undefined
      readonly hint?: string | undefined
      readonly misconfiguration?: Misconfiguration | undefined
      readonly upstream?: UpstreamFailure | undefined
      readonly cause?: unknown
    },
  ) {
    super(failure.message, { cause: details.cause })
    this.failure = failure
    this.outcome = details.outcome
    this.conversationGone = details.conversationGone ?? false
    this.isSupported = details.isSupported ?? true
    this.upstreamCode = details.upstreamCode
    this.logId = details.logId
    this.hint = details.hint
    this.misconfiguration = details.misconfiguration
    this.upstream = details.upstream
  }
}
