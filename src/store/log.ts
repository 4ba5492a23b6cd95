import type { ConversationId, Position, ReplyEvent, ReplyId, SessionId } from '../domain.ts'

/** Which of a session's events a reader wants; ids filter inside the session only. */
export interface EventFilter {
  readonly replyId?: ReplyId
  readonly conversationId?: ConversationId
}

/** An event and where its reader stands after it. Readers that stand at one position share one object of each. */
export interface LogItem {
  readonly event: ReplyEvent
  readonly position: Position
}

/** `expired`: the event at the position is gone or another one, or events behind it that the filter asks for are gone. */
export type ReadResult = readonly LogItem[] | 'expired'

/** The text of one delta, in UTF-16 code units: longer ones are split, so that no reader needs a large buffer. */
export const maxDeltaLength = 8192

/**
 * What readers of a session are told, in order: its durable events, and the texts of its replies.
 *
 * ```
 *   events    started(A) ── started(B) ── completed(A) ── …       numbered, on disk before they are shown
 *   text of A      ░░░░░░░░░░░░░░░░░░░░░│                          shown at once, in revisions
 *   text of B                   ░░░░░░░░░░░░░░░░░░░░…
 * ```
 * A reader at a position is sent what is new of the text of each reply that is running there, then the next event. All of a
 * reply's text comes before its terminal event. Text is cut between the reader's offset and the end, so that deltas of a
 * reader that lags merge by themselves.
 *
 * Each revision of a text remembers how much of the one before it kept. A reader of an older revision goes on at the
 * smallest of its offset and of what all later revisions kept; a reader of a revision that is not known goes on at 0. Where
 * that takes a reader back, it is sent a delta at that offset, with an empty text if there is none yet. A reader whose
 * offset lies beyond the text of its own revision waits.
 */
export interface ReplyLog {
  /**
   * What comes after a position; empty at the end. At least one item if there is any; beyond that at most `maxLength` code
   * units of text. Returns at once what is in memory.
   * @throws {@link StoreError} at the end of what is there, while what runs in the session cannot be written.
   */
  read(
    sessionId: SessionId,
    after: Position,
    filter: EventFilter,
    maxLength: number,
  ): ReadResult | Promise<ReadResult>

  /** The end of the log, after all text that is known: where a reader that wants only what comes now begins. */
  end(sessionId: SessionId): Promise<Position>

  /** The position just before a reply's first event; `expired` when its events are gone; undefined: no such reply. */
  start(sessionId: SessionId, replyId: ReplyId): Promise<Position | 'expired' | undefined>

  /** `expired`: the event at the position is gone or another one, the log does not reach it, or was trimmed beyond it. */
  check(sessionId: SessionId, position: Position): Promise<'ok' | 'expired'>

  /**
   * Calls `wake` whenever there may be more to read, until disposed; it must not throw. Arm it before reading, or a
   * wake-up falls into the gap.
   */
  listen(sessionId: SessionId, wake: () => void): Disposable

  /**
   * Ends the events of replies that ended before `endedBefore` (ms since the epoch), oldest first: always a prefix of a
   * session's log. Number and check of the newest event that it removes are kept, so that a reader that missed nothing
   * goes on. Bounded work: returns how many replies' events it ended, to be called again until that is 0.
   */
  trim(endedBefore: number): Promise<number>
}

/** The reply is no longer run under the lease: it was ended by another, or claimed anew. The runner stops. */
export class LostReplyError extends Error {
  override readonly name = 'LostReplyError'
}
