import type {
  AssistantId,
  Attachment,
  AttachmentId,
  Conversation,
  ConversationId,
  EventPlace,
  Message,
  MessageId,
  Rating,
  Reply,
  ReplyExplanation,
  ReplyId,
  Session,
  SessionId,
  SessionName,
  ToolCall,
} from '../../domain.ts'
import type { StoreDurability } from '../../domain/durability.ts'
import type { Evidence, IsolationRecord, IsolationTarget, Proof } from '../../domain/isolation.ts'
import type { AcceptRequest, ErasedSession, IdempotencyDigest, StartOutcome } from '../ledger.ts'
import type { AnswerOrigin, OpenReply, Page, PageRequest, ReplyState } from '../session-store.ts'
import type { Collision, RequeueOutcome, StoredAttachment } from '../run-lease.ts'
import type { UpstreamBinding } from '../../domain/upstream.ts'
import type { EventFilter } from '../log.ts'
import type { OwedWork, OwedWorkId } from '../outbox.ts'
import type { KnownText } from '../peers.ts'
import type { SessionSnapshot } from '../session-log.ts'
import type {
  AcceptedCall,
  FinishArgs,
  FinishedCall,
  LogPage,
  StoredOrphan,
  StoredRun,
  TextPiece,
  TextWrite,
} from './stored.ts'

/**
 * What the two halves of a store say to each other: the main half holds leases, texts of running replies and the ends of
 * session logs in memory; the engine owns the database.
 *
 * Each call is one atomic write (or read), answered once it is on disk. A call that is posted later sees what earlier ones
 * of its session wrote, and is answered after them.
 */
export interface EngineCalls {
  // Sessions and conversations

  /** `name` is that of generation 0, for a session that is new. */
  openSession(args: { readonly id: SessionId; readonly name: SessionName; readonly at: number }): {
    readonly session: Session
    readonly isNew: boolean
  }
  startConversation(
    args: OfSession & {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly idempotency: IdempotencyDigest | undefined
      readonly at: number
      readonly max: number
    },
  ): StartOutcome
  renameConversation(
    args: OfSession & {
      readonly id: ConversationId
      readonly title: string | null
      readonly at: number
    },
  ): Conversation | undefined
  clearConversation(
    args: OfSession & { readonly id: ConversationId; readonly at: number },
  ):
    | { readonly type: 'cleared'; readonly owed: readonly OwedWork[] }
    | { readonly type: 'not-found' }
    | { readonly type: 'busy' }
  /** Deleted: its events are nobody's any more, and the main half forgets them. */
  deleteConversation(
    args: OfSession & { readonly id: ConversationId; readonly at: number },
  ):
    | { readonly type: 'deleted'; readonly owed: readonly OwedWork[] }
    | { readonly type: 'not-found' }
    | { readonly type: 'busy' }
  /**
   * `name` is that of `generation`. `other-generation`: nothing was done, and the call is to be made again with the name of
   * the generation that is told. Erased: every event of the session is nobody's any more.
   */
  eraseSession(
    args: OfSession & {
      readonly generation: number
      readonly name: SessionName
      readonly at: number
    },
  ):
    | { readonly type: 'erased'; readonly erased: ErasedSession }
    | { readonly type: 'busy' }
    | { readonly type: 'other-generation'; readonly generation: number }
  addAttachment(args: OfSession & { readonly attachment: StoredAttachment }): Attachment
  rateAnswer(
    args: OfSession & { readonly id: MessageId; readonly rating: Rating | null },
  ): Message | undefined

  // Replies

  /** `run`: it was begun, and runs under a lease. */
  accept(args: OfSession & { readonly request: AcceptRequest }): AcceptedCall
  claim(
    args: OfSession & { readonly conversationId: ConversationId; readonly at: number },
  ): StoredRun | undefined
  /** Whether a reply runs under a lease. */
  isHeld(args: OfRun): boolean
  requeue(args: OfRun): RequeueOutcome
  intend(
    args: OfRun & {
      readonly binding: UpstreamBinding | undefined
      readonly contextReset: boolean
      readonly at: number
    },
  ): 'intended' | 'lost' | Collision
  bind(
    args: OfRun & {
      readonly binding: UpstreamBinding
      readonly contextReset: boolean
      readonly at: number
    },
  ): 'bound' | 'known' | 'lost' | Collision
  /**
   * The texts of many running replies, of any session. Answers in their order. `behind`: nothing was written, since less is
   * stored than was written before; the intent and all of the text are to be written again.
   */
  writeTexts(args: {
    readonly texts: readonly TextWrite[]
  }): readonly ('written' | 'lost' | 'behind')[]
  /** `behind`: as `writeTexts` has it. */
  requireAction(
    args: OfSession & {
      readonly text: TextWrite
      readonly toolCalls: readonly ToolCall[]
      readonly expiresAt: number
    },
  ): boolean | 'behind'
  takeToolOutputs(
    args: OfSession & {
      readonly replyId: ReplyId
      readonly toolCallIds: readonly string[]
      readonly digest: string
    },
  ):
    | { readonly type: 'taken'; readonly reply: Reply }
    | { readonly type: 'repeated'; readonly reply: Reply }
    | { readonly type: 'not-waiting' }
    | { readonly type: 'other-calls' }
    | { readonly type: 'not-found' }
  /** Takes a reply that waits for tool outputs from another instance; undefined: it does not wait on another one. */
  takeWaiting(args: OfSession & { readonly replyId: ReplyId }): StoredOrphan | undefined
  finish(args: FinishArgs): FinishedCall
  /** Replies that run and are nobody's, each under a new lease: to be called again while `hasMore`. */
  orphans(args: Nothing): { readonly orphans: readonly StoredOrphan[]; readonly hasMore: boolean }
  explanation(args: { readonly id: ReplyId }): ReplyExplanation | undefined
  /** Conversations in which nothing runs, and in which replies wait that are for this instance to run. */
  waiting(args: Nothing): readonly {
    readonly session: Session
    readonly conversationId: ConversationId
    readonly assistantId: AssistantId
  }[]
  /** What waits for this instance is for others to run from now on. */
  handOver(args: Nothing): void
  /** Whether this instance is to do now what one of all does at an interval. */
  takeDuty(args: { readonly name: string; readonly everyMs: number }): boolean
  trimMessages(args: { readonly writtenBefore: number }): number
  history(
    args: OfSession & { readonly replyId: ReplyId; readonly limit: number },
  ): readonly Message[]

  // Reading. The text of a reply that runs is the one on disk.

  conversations(
    args: OfSession & { readonly ids: readonly ConversationId[] },
  ): readonly (Conversation | undefined)[]
  /** Returns the first of `ids`: where texts are long, only as many as are read at once, at least one. */
  messages(
    args: OfSession & { readonly ids: readonly MessageId[] },
  ): readonly (Message | undefined)[]
  /** As `messages`. */
  replies(args: OfSession & { readonly ids: readonly ReplyId[] }): readonly (Reply | undefined)[]
  replyState(args: OfSession & { readonly id: ReplyId }): ReplyState | undefined
  attachments(
    args: OfSession & { readonly ids: readonly AttachmentId[] },
  ): readonly (Attachment | undefined)[]
  openReplies(
    args: OfSession & { readonly conversationId: ConversationId | undefined },
  ): readonly OpenReply[]
  tookToolOutputs(args: OfSession & { readonly replyId: ReplyId; readonly digest: string }): boolean
  hadChat(
    args: OfSession & { readonly conversationId: ConversationId; readonly chatId: string },
  ): boolean
  answerOrigin(args: OfSession & { readonly id: MessageId }): AnswerOrigin | undefined
  upstreamConversations(
    args: OfSession & { readonly conversationId: ConversationId },
  ): readonly UpstreamBinding[]
  conversationPage(
    args: OfSession & { readonly page: PageRequest<ConversationId> },
  ): Page<Conversation> | undefined
  messagePage(
    args: OfSession & {
      readonly conversationId: ConversationId
      readonly page: PageRequest<MessageId>
    },
  ): Page<Message> | undefined

  // The log

  /**
   * At most `limit` events after a place; `expired` as `ReplyLog.read` has it. `isKnown`: this process gave that place out, so
   * its check is right; the place itself may be trimmed, and `expired` says then that events that the filter asks for are
   * gone after it.
   */
  readLog(
    args: OfSession & {
      readonly after: EventPlace
      readonly isKnown: boolean
      readonly filter: EventFilter
      readonly limit: number
    },
  ): LogPage | 'expired'
  /**
   * What the logs of sessions are now, in one moment, with what is new of the texts that run elsewhere. `idle`: sessions that
   * are wanted only where something runs elsewhere.
   */
  follow(args: {
    readonly sessions: readonly SessionId[]
    readonly idle: readonly SessionId[]
    readonly texts: readonly KnownText[]
  }): readonly SessionSnapshot[]
  /** Pieces of stored texts, in the order asked for; '' where there is no such text. */
  readTexts(args: OfSession & { readonly pieces: readonly TextPiece[] }): readonly string[]
  /** The session's last event; seq 0 where there was none. */
  logEnd(args: OfSession): EventPlace
  /** The place before the first event of a reply, the end of the log if it has none; `expired`: its events were trimmed. */
  logStart(args: OfSession & { readonly replyId: ReplyId }): EventPlace | 'expired' | undefined
  checkPlace(args: OfSession & { readonly place: EventPlace }): 'ok' | 'expired'
  /** `trimmed`: how far the log of each session that it met is gone now. */
  trimLog(args: { readonly endedBefore: number }): {
    readonly count: number
    readonly trimmed: readonly { readonly sessionId: SessionId; readonly upTo: EventPlace }[]
  }

  // Owed work

  takeOwed(args: {
    readonly now: number
    readonly leaseMs: number
    readonly limit: number
  }): readonly OwedWork[]
  settleOwed(args: { readonly ids: readonly OwedWorkId[] }): void
  postponeOwed(args: { readonly id: OwedWorkId; readonly dueAt: number }): void
  nextOwed(args: Nothing): number | undefined

  // Isolation

  isolationRecords(args: Nothing): readonly IsolationRecord[]
  recordProof(args: { readonly target: IsolationTarget; readonly proof: Proof }): void
  recordBreach(args: { readonly target: IsolationTarget; readonly evidence: Evidence }): void
  clearBreaches(args: { readonly assistantId: AssistantId }): void

  // The file

  /** A write that is made durable like any other. */
  ping(args: { readonly at: number }): void
  /** Reads the settings that decide what a write survives. */
  durability(args: Nothing): StoreDurability
  /** Checks the whole file and every digest, in pieces between other calls: the answer comes when it is through. */
  checkFile(args: Nothing): 'ok' | 'damaged'
  /** The last call: what was posted before it is done, then the database is closed. */
  close(args: Nothing): void
}

type Nothing = Readonly<Record<never, never>>

interface OfSession {
  readonly sessionId: SessionId
}

/** A write under a lease. */
interface OfRun extends OfSession {
  readonly replyId: ReplyId
  readonly fence: string
}

export type Method = keyof EngineCalls
export type ArgsOf<M extends Method> = Parameters<EngineCalls[M]>[0]
export type ResultOf<M extends Method> = ReturnType<EngineCalls[M]>

/** The calls that read the records of a session. */
export type ReadCalls = Pick<
  EngineCalls,
  | 'conversations'
  | 'messages'
  | 'replies'
  | 'replyState'
  | 'attachments'
  | 'openReplies'
  | 'tookToolOutputs'
  | 'hadChat'
  | 'answerOrigin'
  | 'upstreamConversations'
  | 'history'
  | 'explanation'
  | 'waiting'
>
