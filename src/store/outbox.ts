import type { AssistantId, Brand, Session } from '../domain.ts'
import type { UpstreamAccount, UpstreamBinding, UpstreamChat } from '../domain/upstream.ts'

export type OwedWorkId = Brand<string, 'OwedWorkId'>

/**
 * What a delete, a clear, an erase or a cancel owes to the platform. It is written in the same transaction as what it is
 * owed for, and names only ids that are never used again, so that it may be done late, or twice.
 */
export type OwedWork = {
  readonly id: OwedWorkId
  /** Under which id and name the platform is asked: after an erase the session has another name. */
  readonly session: Session
  /** How often it was tried in vain. */
  readonly attempts: number
  /** ms since the epoch. */
  readonly owedSince: number
} & OwedCall

export type OwedCall =
  /** `assistantId` null: nobody knows any more whose it was; whatever assistant is of the account may do it. */
  | {
      readonly type: 'delete-conversation'
      readonly assistantId: AssistantId
      readonly upstream: UpstreamBinding
    }
  | {
      readonly type: 'clear-variables'
      readonly assistantId: AssistantId | null
      readonly account: UpstreamAccount
    }
  | ({ readonly type: 'cancel-chat'; readonly assistantId: AssistantId } & UpstreamChat)

/** Work that is owed to the platform, kept over restarts until it is done or given up. */
export interface Outbox {
  /**
   * Takes up to `limit` works that are due at `now` (ms since the epoch), oldest first, for `leaseMs`: nobody is given one of
   * them before that has passed.
   */
  take(options: {
    readonly now: number
    readonly leaseMs: number
    readonly limit: number
  }): Promise<readonly OwedWork[]>
  /** The work is done, or given up: it is owed no more. */
  settle(ids: readonly OwedWorkId[]): Promise<void>
  /** It was tried in vain: it is due again at `dueAt` (ms since the epoch). */
  postpone(id: OwedWorkId, dueAt: number): Promise<void>
  /** When the next work is due, in ms since the epoch; undefined: nothing is owed. */
  nextDue(): Promise<number | undefined>
}
