import type {
  ConversationId,
  DeltaKind,
  EventPlace,
  LogEvent,
  Reply,
  ReplyId,
  SessionId,
  TerminalEventBody,
} from '../../domain.ts'
import type { AcceptOutcome } from '../ledger.ts'
import type { Claim, FinishRequest, Orphan } from '../run-lease.ts'
import type { TextRevision } from '../reply-text.ts'
import type { RunningReply } from '../session-log.ts'

/** What is new of the text of a running reply. */
export interface TextWrite {
  readonly sessionId: SessionId
  readonly replyId: ReplyId
  readonly fence: string
  /** Undefined: nothing is new. */
  readonly answer: TrackWrite | undefined
  readonly reasoning: TrackWrite | undefined
  readonly kept?: KeptWrites
  /** All of them. Undefined: the list on disk stands. */
  readonly revisions: readonly TextRevision[] | undefined
  /** Undefined: not known yet, or on disk. */
  readonly chatId: string | undefined
}

/** What a run has written before: a store that lost what it had has less. */
export interface KeptWrites {
  /** Its intent, and the `started` event. */
  readonly isStarted: boolean
  /** How much of each text, in UTF-16 units. */
  readonly answer: number
  readonly reasoning: number
}

/** Takes the place of all that is stored from `offset` on, which is at most the length of what is stored. */
export interface TrackWrite {
  readonly offset: number
  readonly text: string
}

/** What is stored of a reply beside its texts. */
export type ReplyRecord = Omit<Reply, 'text' | 'reasoning'>

export interface ReplyTexts {
  readonly answer: string
  readonly reasoning: string
}

/** A run that was just claimed, begun or taken over, with the text on disk. */
export interface StoredRun extends ReplyTexts {
  readonly fence: string
  /** The last one is this run's own, and keeps the text on disk. */
  readonly revisions: readonly TextRevision[]
  readonly claim: Omit<Claim, 'reply'> & { readonly reply: ReplyRecord }
}

export interface StoredOrphan extends Pick<Orphan, 'isInterrupted' | 'isBreached' | 'progress'> {
  readonly run: StoredRun
}

export type AcceptedCall =
  | Exclude<AcceptOutcome, { readonly type: 'accepted' }>
  | (Omit<Extract<AcceptOutcome, { readonly type: 'accepted' }>, 'lease'> & {
      readonly run: StoredRun | undefined
    })

/** How a reply ended; the text of a completed one is the answer as it is stored. */
type Ending = WithoutText<TerminalEventBody>

export interface FinishArgs extends Omit<FinishRequest, 'event'> {
  readonly sessionId: SessionId
  readonly event: Ending
  /** What is new of the text under the lease. Undefined: the lease is not held, and the text on disk stands. */
  readonly text: TextWrite | undefined
}

export type FinishedCall =
  /** `texts`: what stands, where the lease was not held. */
  | {
      readonly type: 'finished'
      readonly reply: ReplyRecord
      readonly texts: ReplyTexts | undefined
      readonly hasNext: boolean
    }
  | { readonly type: 'already'; readonly reply: ReplyRecord; readonly texts: ReplyTexts }
  | { readonly type: 'lost' }
  /** Nothing was written, as less is stored than was. */
  | { readonly type: 'behind' }

type WithoutText<Event> = Event extends { readonly type: 'completed' } ? Omit<Event, 'text'> : Event

/** An event as it is stored: the text of a completed one is the reply's answer. */
export type StoredEvent = WithoutText<LogEvent>

/** An event that a call wrote, in the order of the session's log; shown to readers when its call is answered. */
export interface WrittenEvent {
  readonly sessionId: SessionId
  readonly event: StoredEvent
  /** What runs after it, wherever that is; undefined: what ran before, and what the event begins or ends. */
  readonly running?: readonly RunningReply[]
}

/** A part of a session's log. */
export interface LogPage {
  readonly events: readonly StoredEvent[]
  /** How far the log was read: the last of `events`, or beyond it where the filter leaves nothing. */
  readonly readTo: EventPlace
  /** `readTo` is the end of the log; else the next part is read after it. */
  readonly isEnd: boolean
  /** Replies that were running at the place read after, in the order in which they started; only those of the filter. */
  readonly running: readonly ReplyId[]
  /** The replies that are named here: those that were running, and those of the events. */
  readonly replies: readonly LoggedReply[]
}

export interface LoggedReply {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly revisions: readonly TextRevision[]
  /** What is stored of each text, in UTF-16 code units. */
  readonly answerLength: number
  readonly reasoningLength: number
  /** Otherwise more of it may come, and what is stored may be less than its readers have met where it runs. */
  readonly isEnded: boolean
}

/** A piece of a reply's text; it may end before `to` where the text does. */
export interface TextPiece {
  readonly replyId: ReplyId
  readonly kind: DeltaKind
  /** UTF-16 code units. */
  readonly from: number
  readonly to: number
}
