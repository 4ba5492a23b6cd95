import type { ConversationId, Delta, Position, ReplyEvent, ReplyId, SessionId } from '../domain.ts'
import type { Fence } from './ledger.ts'

/** Which of a session's events a reader wants; ids filter inside the session only. */
export interface EventFilter {
  readonly replyId?: ReplyId
  readonly conversationId?: ConversationId
}

export type ReadResult = readonly ReplyEvent[] | 'trimmed'

/** The text of one delta, in UTF-16 code units: longer ones are split, so that no reader needs a large buffer. */
export const maxDeltaLength = 8192

/**
 * The events of each session in the order in which readers meet them. `started` and terminal events are written by the
 * ledger, together with the state they tell of.
 *
 * What a reader is given is final: a position never names other content, and nothing later appears before it.
 * Deltas may be shown before they are on disk; all else is on disk first.
 */
export interface ReplyLog {
  /**
   * Appends deltas of a running reply, as one group, at once visible. Answers nothing when there is room for more,
   * else a promise to wait for before the next append.
   * @throws {@link LostReplyError} when the reply does not run under this fence any more.
   */
  append(
    sessionId: SessionId,
    replyId: ReplyId,
    fence: Fence,
    deltas: readonly Delta[],
  ): Promise<void> | undefined

  /**
   * Events after a position, oldest first; empty at the end. Neighbouring deltas of one reply and kind come merged
   * under the last one's position. At least one event if there is any; beyond that at most `maxLength` code units of text.
   * `trimmed`: events after the position are gone. Answers at once what is in memory.
   * @throws {@link StoreError} at the end of what is there, while what runs in the session cannot be written.
   */
  read(
    sessionId: SessionId,
    after: Position,
    filter: EventFilter,
    maxLength: number,
  ): ReadResult | Promise<ReadResult>

  /** Where a reader that wants only what comes now begins. */
  end(sessionId: SessionId): Promise<Position>

  /** The position just before a reply's first event; `trimmed` when its events are gone; undefined: no such reply. */
  start(sessionId: SessionId, replyId: ReplyId): Promise<Position | 'trimmed' | undefined>

  /** `beyond` the end, older than the log (`trimmed`), or `ok`. */
  check(sessionId: SessionId, position: Position): Promise<'ok' | 'beyond' | 'trimmed'>

  /**
   * Calls `wake` whenever there may be more to read, until disposed; it must not throw. Arm it before reading, or a
   * wake-up falls into the gap.
   */
  listen(sessionId: SessionId, wake: () => void): Disposable

  /**
   * Ends the events of replies that ended before `endedBefore` (ms since the epoch), oldest first: always a prefix of a
   * session's log. Bounded work: answers how many replies' events it ended, to be called again until that is 0.
   */
  trim(endedBefore: number): Promise<number>
}

/** The reply is no longer run under the fence: it was ended by another, or claimed anew. The runner stops. */
export class LostReplyError extends Error {
  override readonly name = 'LostReplyError'
}
