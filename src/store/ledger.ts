import type {
  AssistantId,
  Attachment,
  AttachmentId,
  BusyPolicy,
  Conversation,
  ConversationId,
  Delta,
  Message,
  MessageExtras,
  MessageId,
  Question,
  Rating,
  Reply,
  ReplyExplanation,
  ReplyId,
  Session,
  SessionId,
  SessionName,
  TerminalEventBody,
  ToolCall,
  UpstreamScope,
} from '../domain.ts'
import type { OwedWork } from './outbox.ts'
import type { UpstreamAccount, UpstreamBinding, UpstreamChat } from './upstream.ts'

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

/** Two sessions, or two conversations of one, were given one upstream conversation: nobody uses it again. */
export interface Collision {
  readonly type: 'collision'
  /** Whose it was first. */
  readonly owner: SessionId
  /** False: it was met by two before. */
  readonly isNew: boolean
  /** What runs in it, for whoever had it. */
  readonly inFlight: readonly ReplyId[]
}

/** All that a run of a reply needs to know, as it was when the reply was claimed. */
export interface Claim {
  readonly session: Session
  readonly reply: Reply
  readonly message: Message
  readonly attachments: readonly StoredAttachment[]
  readonly extras: MessageExtras
  /** Where the conversation goes on upstream; undefined: it must be opened. */
  readonly upstream: UpstreamBinding | undefined
  /** The conversation had an upstream one that cannot be used any more: seed the new one and say `contextReset`. */
  readonly contextReset: boolean
  /** How often the conversation was begun anew upstream: part of the upstream name, so that none is used twice. */
  readonly generation: number
  /** When the reply reached the head of its queue: its acceptance or the end of the one before, in ms since the epoch. */
  readonly headSince: number
  /** What the last reply before it in the conversation asked, since the last clearing; null: nothing. */
  readonly askedBefore: Question | null
}

/**
 * The right to write a running reply: session, reply and a random fence in one object. Every write holds only while the
 * reply runs under it; each is one atomic, durable write unless it says otherwise. A lease that was lost can write nothing.
 *
 * The lease holds the reply's text. Text is shown at once; what is new of all running replies is written together, at least
 * every 250 ms, and nobody waits for it.
 */
export interface RunLease extends Claim {
  /** The text so far, as readers hold it: what was on disk when the reply was claimed, and what was appended since. */
  readonly answer: string
  readonly reasoning: string

  /**
   * Step 3: the send intent and the `started` event, and with them, unless it was bound before or its run will reveal it,
   * the conversation's binding; true before anything is sent. A collision: nothing was written but the taint. It may be
   * asked again where the upstream accepted nothing: then it binds the conversation to another one, and `started` stays one.
   */
  intend(intent: {
    readonly binding: UpstreamBinding | undefined
    readonly contextReset: boolean
    readonly at: number
  }): Promise<'intended' | 'lost' | Collision>

  /**
   * Step 4, where the run itself tells its conversation: this upstream conversation is this conversation's, for ever.
   * Replacing one that the conversation had raises its generation. `known`: it was this conversation's before.
   * `contextReset`: the one that the message was sent to is gone.
   */
  bind(
    binding: UpstreamBinding,
    options: { readonly contextReset: boolean; readonly at: number },
  ): Promise<'bound' | 'known' | 'lost' | Collision>

  /** Step 4: the upstream's id of this run. It joins the next group of writes; nobody waits for it. */
  recordChat(chatId: string): void

  /**
   * Step 5: shows deltas and keeps them, at once. A delta at the end of the text goes on in its revision; one before the
   * end is a correction and begins a revision. Returns nothing while there is room for more, else a promise to wait for
   * before the next append.
   * @throws {@link LostReplyError} when the reply does not run under this lease any more.
   */
  append(deltas: readonly Delta[]): Promise<void> | undefined

  /** RUNNING to ACTION_REQUIRED: the text so far, the calls and the `action-required` event, in one. False: the lease is lost. */
  requireAction(action: {
    readonly toolCalls: readonly ToolCall[]
    readonly expiresAt: number
  }): Promise<boolean>

  /**
   * Step 6: the whole text, the end, its event and the release of the conversation, in one. Where a completed event's text is
   * not the text so far, it is a correction of that.
   */
  finish(request: Omit<FinishRequest, 'replyId'>): Promise<FinishOutcome>

  /** Back to QUEUED, at the head; only before the send intent. False: the lease is lost or the intent was recorded. */
  requeue(): Promise<boolean>
}

/** A reply that was RUNNING or ACTION_REQUIRED when its runner died, under a new lease. */
export interface Orphan {
  readonly lease: RunLease
  /** A message has interrupted it: it is to be cancelled. */
  readonly isInterrupted: boolean
  /** What was recorded of the upstream run. */
  readonly progress: RunProgress
}

export type RunProgress =
  /** Nothing was sent. */
  | { readonly step: 'claimed' }
  | { readonly step: 'intended' }
  /** The run had told in which conversation it goes on; that nobody else was there was not found out yet. */
  | { readonly step: 'revealed' }
  | { readonly step: 'streaming'; readonly chatId: string }
  /** ACTION_REQUIRED: it waits for tool outputs. */
  | {
      readonly step: 'waiting'
      readonly chatId: string
      readonly toolCalls: readonly ToolCall[]
      readonly expiresAt: number
    }
  /** Tool outputs were taken; whether they were sent is unknown. */
  | { readonly step: 'answered'; readonly chatId: string }

/** A file as the upstream knows it. */
export interface StoredAttachment extends Attachment {
  /** Where it was uploaded: an upstream id means nothing elsewhere. */
  readonly scope: UpstreamScope
  readonly upstreamId: string
}

export interface FinishRequest {
  readonly replyId: ReplyId
  readonly event: TerminalEventBody
  /** The id of the answer's message; stored when `event` is `completed`. */
  readonly answerId: MessageId
  /** The next reply must begin a new upstream conversation: this run's end was not seen. */
  readonly resetUpstream: boolean
  /** The upstream's id of the (last) answer message, where it is known: feedback names it. */
  readonly upstreamMessageId: string | undefined
  /** Undefined: it never came to be sent. */
  readonly explanation: ReplyExplanation | undefined
  /** A chat that runs on upstream although it was to be cancelled: written to the outbox with the end. */
  readonly owesCancel: UpstreamChat | undefined
  readonly at: number
}

export type FinishOutcome =
  /** `hasNext`: other replies wait in the conversation. */
  | { readonly type: 'finished'; readonly reply: Reply; readonly hasNext: boolean }
  /** It had ended before; that end stands. */
  | { readonly type: 'already'; readonly reply: Reply }
  /** The lease is lost, or the reply is unknown to this session. */
  | { readonly type: 'lost' }

/** One page of a connection, in the order of the connection. Ids name the rows that bound it. */
export interface PageRequest<Id> {
  readonly direction: 'forward' | 'backward'
  /** Rows wanted, at least 1. */
  readonly limit: number
  readonly after: Id | undefined
  readonly before: Id | undefined
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly hasNextPage: boolean
  readonly hasPreviousPage: boolean
}

export interface MessagePage extends Page<Message> {
  /** The conversation had older messages, whose record is gone from here: retention has deleted them. */
  readonly trimmed: boolean
}

export interface AnswerOrigin {
  readonly assistantId: AssistantId
  readonly upstream: UpstreamBinding
  readonly upstreamMessageId: string
}

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
 * What one session may ask. No method takes a session, so no one else's record can be named.
 * An id of another session answers exactly as one that never was.
 */
export interface SessionStore {
  readonly session: Session
  /** In the order of `ids`; undefined where there is none. */
  conversations(ids: readonly ConversationId[]): Promise<readonly (Conversation | undefined)[]>
  /** As `conversations`, of the first of `ids`: where texts are long, only as many as are read at once, at least one. */
  messages(ids: readonly MessageId[]): Promise<readonly (Message | undefined)[]>
  /** As `messages`. */
  replies(ids: readonly ReplyId[]): Promise<readonly (Reply | undefined)[]>
  /** What a reply is of and how it stands: nothing of its texts is read. */
  replyState(
    id: ReplyId,
  ): Promise<(Pick<Reply, 'conversationId'> & { readonly hasEnded: boolean }) | undefined>
  attachments(ids: readonly AttachmentId[]): Promise<readonly (Attachment | undefined)[]>
  /** QUEUED, RUNNING and ACTION_REQUIRED replies, of one conversation or of all. */
  openReplies(conversationId: ConversationId | undefined): Promise<readonly Reply[]>
  /** Whether tool outputs of this digest were taken for a reply of this session. */
  tookToolOutputs(replyId: ReplyId, digest: string): Promise<boolean>
  /** Whether a run of this conversation was this chat upstream. */
  hadChat(conversationId: ConversationId, chatId: string): Promise<boolean>
  /** Where an answer came from upstream; undefined: it is no answer of this session, or its origin is not known. */
  answerOrigin(id: MessageId): Promise<AnswerOrigin | undefined>
  /** Every upstream conversation that was ever this conversation's, oldest first. */
  upstreamConversations(conversationId: ConversationId): Promise<readonly UpstreamBinding[]>
  /** Most recently used first. Undefined: a bounding id is not in this session. */
  conversationPage(page: PageRequest<ConversationId>): Promise<Page<Conversation> | undefined>
  /**
   * Oldest first. Undefined: a bounding id is not in this conversation. Where texts are long, fewer rows than `limit`, at
   * least one, and the page says that there are more.
   */
  messagePage(
    conversationId: ConversationId,
    page: PageRequest<MessageId>,
  ): Promise<MessagePage | undefined>
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
   * Ends a reply without holding its run (`cancelReply`): with the text that is on disk, in a revision of its own. Whoever
   * runs it has lost its lease.
   */
  finish(session: Session, request: FinishRequest): Promise<FinishOutcome>

  /** Every reply that was RUNNING or ACTION_REQUIRED when the store was opened, each under a new lease. Call once, at start. */
  orphans(): Promise<readonly Orphan[]>

  /** Conversations in which replies wait. */
  waiting(): Promise<
    readonly {
      readonly session: Session
      readonly conversationId: ConversationId
      readonly assistantId: AssistantId
    }[]
  >

  /**
   * Deletes messages that were written before (ms since the epoch) with their replies, once the log has let go of those.
   * With it go titles and idempotency keys of conversations that were neither used nor named since, the title that a
   * deleted message had made, and the attachments that neither came nor were sent since; erasing the session still tells of
   * those. Bounded work: answers how many replies, conversations and attachments it changed, to be called again until that
   * is 0.
   */
  trimMessages(writtenBefore: number): Promise<number>

  /** The last messages before `replyId`'s and after the last clearing, oldest first: what seeds a new upstream conversation. */
  history(session: Session, replyId: ReplyId, limit: number): Promise<readonly Message[]>
}
