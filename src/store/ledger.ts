import type {
  AssistantId,
  Attachment,
  AttachmentId,
  BusyPolicy,
  Conversation,
  ConversationId,
  Message,
  MessageExtras,
  MessageId,
  Rating,
  Reply,
  ReplyExplanation,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../domain.ts'
import type { UpstreamAccount } from '../domain/upstream.ts'
import type { OwedWork } from './outbox.ts'
import type {
  StoredAttachment,
  RunLease,
  FinishRequest,
  FinishOutcome,
  Orphan,
} from './run-lease.ts'
import type { SessionStore } from './session-store.ts'

/** A key of the session, and a digest of the input that it was used with: a key is good for one input. */
export interface IdempotencyDigest {
  readonly key: string
  readonly digest: string
}

export interface AcceptRequest {
  readonly replyId: ReplyId
  readonly messageId: MessageId
  /** Used if a conversation has to be begun. */
  readonly newConversationId: ConversationId
  /** Undefined: the assistant of the conversation, else `defaultAssistantId`. */
  readonly assistantId: AssistantId | undefined
  readonly defaultAssistantId: AssistantId
  /** Undefined: the session's most recently used conversation with the assistant, else a new one. */
  readonly conversationId: ConversationId | undefined
  readonly text: string
  /** All must be of this session and of the assistant. */
  readonly attachmentIds: readonly AttachmentId[]
  readonly imageUrls: readonly string[]
  readonly extras: MessageExtras
  readonly onBusy: BusyPolicy
  readonly idempotency: IdempotencyDigest | undefined
  /** Waiting replies a conversation may have. */
  readonly maxQueued: number
  /** Open replies a session may have, over all its conversations. */
  readonly maxOpen: number
  /** Starts the reply in the same write, where nothing stands before it; undefined: it is queued. */
  readonly begin: BeginRequest | undefined
  /** ms since the epoch. */
  readonly at: number
}

/**
 * Leave to start an accepted reply at once. It is taken up only where the conversation is with this assistant, idle (nothing
 * runs and nothing is queued) and bound in one of `served`, its next reply need not begin a new upstream conversation, and
 * every attachment is of the scope that it is bound in.
 */
export interface BeginRequest {
  /** The assistant that a permit is held of. */
  readonly assistantId: AssistantId
  /** Where a bound conversation of that assistant goes on. */
  readonly served: readonly UpstreamAccount[]
}

export type AcceptOutcome =
  /**
   * The message is on disk. `interrupts`: the running reply that INTERRUPT asks to cancel, which is on disk as well.
   * `overtaken`: replies that waited, and that INTERRUPT has cancelled. `lease`: the reply is RUNNING, its send intent and its
   * `started` event are on disk, and the message is to be sent at once; undefined: it is QUEUED.
   */
  | {
      readonly type: 'accepted'
      readonly reply: Reply
      readonly interrupts: ReplyId | undefined
      readonly overtaken: readonly Reply[]
      readonly lease: RunLease | undefined
    }
  /** The same key and digest were accepted before. */
  | { readonly type: 'repeated'; readonly reply: Reply }
  | { readonly type: 'key-reused' }
  | { readonly type: 'conversation-not-found' }
  /** The conversation is with another assistant. */
  | { readonly type: 'other-assistant' }
  | { readonly type: 'attachment-not-found' }
  | { readonly type: 'busy' }
  | { readonly type: 'queue-full' }
  | { readonly type: 'too-many-open' }

export type StartOutcome =
  /** It is on disk: begun now, or before under the same key. */
  | { readonly type: 'started'; readonly conversation: Conversation }
  | { readonly type: 'key-reused' }
  /** The session has `max` conversations already. */
  | { readonly type: 'too-many' }

/** What was erased of a session, and what is owed to the platform for it. */
export interface ErasedSession {
  readonly conversations: number
  readonly messages: number
  readonly attachments: number
  /** The session was ever known upstream. */
  readonly hasSpoken: boolean
  /** All that is owed for it, also what it was owed before. */
  readonly owed: readonly OwedWork[]
}

/**
 * Sessions, conversations, bindings, messages, replies and idempotency keys. Each method is one atomic write (or read),
 * raced by the contract suite; what its promise resolves with is on disk. Reads never tell what is not yet on disk.
 */
export interface Ledger {
  /** The stored session, or, when first seen, one with the name that `name` gives for its generation (0). */
  openSession(
    id: SessionId,
    name: (generation: number) => SessionName,
    at: number,
  ): Promise<{ readonly session: Session; readonly isNew: boolean }>

  /** The capability to read one session's records. */
  session(session: Session): SessionStore

  /** Begins an empty conversation, or finds the one that was begun under the same key. The key lives as long as it does. */
  startConversation(
    session: Session,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly idempotency: IdempotencyDigest | undefined
      readonly at: number
      /** Conversations that a session may have. */
      readonly max: number
    },
  ): Promise<StartOutcome>

  /** Undefined: there is no such conversation. `null` gives back the title that its first message makes. */
  renameConversation(
    session: Session,
    id: ConversationId,
    title: string | null,
    at: number,
  ): Promise<Conversation | undefined>

  /**
   * The next reply begins a new upstream conversation, seeded with nothing that was said until now; no `contextReset` is
   * told. The upstream conversation is left for ever, and its deletion is owed. `busy`: a reply is open.
   */
  clearConversation(
    session: Session,
    id: ConversationId,
    at: number,
  ): Promise<
    | { readonly type: 'cleared'; readonly owed: readonly OwedWork[] }
    | { readonly type: 'not-found' }
    | { readonly type: 'busy' }
  >

  /**
   * Deletes the conversation with its messages, replies, events and idempotency keys. Its bindings stay, as tombstones;
   * cursors stay valid. Deleting what the platform keeps of it is owed. `busy`: a reply is open.
   */
  deleteConversation(
    session: Session,
    id: ConversationId,
    at: number,
  ): Promise<
    | { readonly type: 'deleted'; readonly owed: readonly OwedWork[] }
    | { readonly type: 'not-found' }
    | { readonly type: 'busy' }
  >

  /**
   * Deletes all that the session has, except bindings (tombstones) and the session's row, whose generation is raised and
   * whose name is made anew: from then on the upstream knows it under another. Deleting what the platform keeps of it under
   * the old name is owed. Cursors stay valid. `busy`: a reply is open.
   *
   * From one write on nobody meets anything of it. What that write leaves is taken away in pieces, also by a later process.
   */
  eraseSession(
    session: Session,
    name: (generation: number) => SessionName,
    at: number,
  ): Promise<
    { readonly type: 'erased'; readonly erased: ErasedSession } | { readonly type: 'busy' }
  >

  /** An upload that succeeded upstream. */
  addAttachment(session: Session, attachment: StoredAttachment): Promise<Attachment>

  /** Undefined: it is no answer of this session. */
  rateAnswer(session: Session, id: MessageId, rating: Rating | null): Promise<Message | undefined>

  /**
   * Step 1 of the order of writes: key, message, reply and conversation at once, and with an INTERRUPT the end of all that
   * waits in the conversation, each with its event; where `begin` can be taken up, also claim, send intent and `started`
   * event. Decided in this order: key, conversation, attachments, busy policy, limits. Refusals store nothing.
   */
  accept(session: Session, request: AcceptRequest): Promise<AcceptOutcome>

  /** Step 2: makes the head of the conversation's queue RUNNING, unless one runs already or none waits. */
  claim(session: Session, conversationId: ConversationId, at: number): Promise<RunLease | undefined>

  /**
   * ACTION_REQUIRED to RUNNING, under the same lease: the send intent of tool outputs, of which only the digest is stored.
   * `repeated`: outputs of this digest were taken before. `other-calls`: not exactly the calls that it waits for.
   */
  takeToolOutputs(
    session: Session,
    replyId: ReplyId,
    outputs: { readonly toolCallIds: readonly string[]; readonly digest: string },
  ): Promise<
    | { readonly type: 'taken'; readonly reply: Reply }
    | { readonly type: 'repeated'; readonly reply: Reply }
    | { readonly type: 'not-waiting' }
    | { readonly type: 'other-calls' }
    | { readonly type: 'not-found' }
  >

  /**
   * An ACTION_REQUIRED reply that waits on another instance, under a new lease: here somebody brings its outputs. Undefined: it
   * does not wait on another one.
   */
  takeWaiting(session: Session, replyId: ReplyId): Promise<Orphan | undefined>

  /**
   * Ends a reply without holding its run (`cancelReply`): with the text that is on disk, in a revision of its own. Whoever
   * runs it has lost its lease.
   */
  finish(session: Session, request: FinishRequest): Promise<FinishOutcome>

  /**
   * Every reply that is RUNNING or ACTION_REQUIRED and that nobody runs, each under a new lease: what ran when the store was
   * opened, and, where instances share the store, what a dead one of them ran.
   */
  orphans(): Promise<readonly Orphan[]>

  /**
   * How a reply of any session came to be, without any of its text. Undefined: there is no such reply, or it is open or was
   * never sent. For operators only; whoever asks for a session has its capability.
   */
  explanation(id: ReplyId): Promise<ReplyExplanation | undefined>

  /** Conversations in which replies wait that are for this instance to run; those of a dead one become so. */
  waiting(): Promise<
    readonly {
      readonly session: Session
      readonly conversationId: ConversationId
      readonly assistantId: AssistantId
    }[]
  >

  /** What waits for this instance is for the others to run: it claims nothing more. */
  handOver(): Promise<void>

  /**
   * Deletes messages that were written before (ms since the epoch) with their replies, once the log has let go of those.
   * With it go titles and idempotency keys of conversations that were neither used nor named since, the title that a
   * deleted message had made, and the attachments that neither came nor were sent since; erasing the session still tells of
   * those. Bounded work: answers how many replies, conversations and attachments it changed, to be called again until that
   * is 0.
   */
  trimMessages(writtenBefore: number): Promise<number>

  /**
   * The last messages before `replyId`'s and after the last clearing, oldest first: what seeds a new upstream conversation.
   * Where texts are long, fewer than `limit`: only as many as are read at once, at least one.
   */
  history(session: Session, replyId: ReplyId, limit: number): Promise<readonly Message[]>
}
