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
  StrategyKind,
  TerminalEventBody,
  ToolCall,
  UpstreamScope,
} from '../domain.ts'

/** Grows with each claim: a write under an older fence is refused, whoever makes it. */
export type Fence = number

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
  readonly idempotency: { readonly key: string; readonly digest: string } | undefined
  /** Waiting replies a conversation may have. */
  readonly maxQueued: number
  /** Open replies a session may have, over all its conversations. */
  readonly maxOpen: number
  /** ms since the epoch. */
  readonly at: number
}

export type AcceptOutcome =
  /**
   * The message is on disk. `interrupts`: the running reply that INTERRUPT asks to cancel, which is on disk as well.
   * `overtaken`: replies that waited, and that INTERRUPT has cancelled.
   */
  | {
      readonly type: 'accepted'
      readonly reply: Reply
      readonly interrupts: ReplyId | undefined
      readonly overtaken: readonly Reply[]
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

/** The upstream side of a conversation. */
export interface UpstreamBinding {
  readonly scope: UpstreamScope
  readonly strategy: StrategyKind
  readonly conversationId: string
}

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

/** A reply that this runner alone may drive, with all it needs. */
export interface Claim {
  readonly session: Session
  readonly reply: Reply
  readonly message: Message
  readonly attachments: readonly StoredAttachment[]
  readonly extras: MessageExtras
  readonly fence: Fence
  /** Where the conversation goes on upstream; undefined: it must be opened. */
  readonly upstream: UpstreamBinding | undefined
  /** The conversation had an upstream one that cannot be used any more: seed the new one and say `contextReset`. */
  readonly contextReset: boolean
  /** How often the conversation was begun anew upstream: part of the upstream name, so that none is used twice. */
  readonly generation: number
  /** When the reply reached the head of its queue: its acceptance or the end of the one before, in ms since the epoch. */
  readonly headSince: number
}

/** A file as the upstream knows it. */
export interface StoredAttachment extends Attachment {
  /** Where it was uploaded: an upstream id means nothing elsewhere. */
  readonly scope: UpstreamScope
  readonly upstreamId: string
}

/** A reply that was RUNNING or ACTION_REQUIRED when its runner died. */
export interface Orphan extends Claim {
  /** A message has interrupted it: it is to be cancelled. */
  readonly isInterrupted: boolean
  /** What was recorded of the upstream run: nothing was sent before `intent`. */
  readonly progress:
    | { readonly step: 'claimed' }
    | { readonly step: 'intent' }
    /** The run had told in which conversation it goes on; that nobody else was there was not found out yet. */
    | { readonly step: 'revealed' }
    | { readonly step: 'chat'; readonly chatId: string }
    /** ACTION_REQUIRED: it waits for tool outputs. */
    | {
        readonly step: 'action'
        readonly chatId: string
        readonly toolCalls: readonly ToolCall[]
        readonly expiresAt: number
      }
    /** Tool outputs were taken; whether they were sent is unknown. */
    | { readonly step: 'outputs'; readonly chatId: string }
}

export interface FinishRequest {
  readonly replyId: ReplyId
  /** Undefined for a reply that still waits, or to end it whoever runs it (`cancelReply`). */
  readonly fence: Fence | undefined
  readonly event: TerminalEventBody
  /** The id of the answer's message; stored when `event` is `completed`. */
  readonly answerId: MessageId
  /** The next reply must begin a new upstream conversation: this run's end was not seen (design.md §6). */
  readonly resetUpstream: boolean
  /** The upstream's id of the (last) answer message, where it is known: feedback names it. */
  readonly upstreamMessageId: string | undefined
  /** Undefined: it never came to be sent. */
  readonly explanation: ReplyExplanation | undefined
  readonly at: number
}

export type FinishOutcome =
  | { readonly type: 'finished'; readonly reply: Reply }
  /** It had ended before; that end stands. */
  | { readonly type: 'already'; readonly reply: Reply }
  /** The fence is stale, or the reply is unknown to this session. */
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

/** What was erased of a session, and what the upstream may still hold of it. */
export interface ErasedSession {
  readonly conversations: number
  readonly messages: number
  readonly attachments: readonly StoredAttachment[]
  readonly upstream: readonly (UpstreamBinding & { readonly assistantId: AssistantId })[]
  /** Where conversations were held that had been deleted before, each place once. */
  readonly former: readonly UpstreamPlace[]
}

/** An account upstream, and how it was driven. */
export type UpstreamPlace = Pick<UpstreamBinding, 'scope' | 'strategy'>

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
  replyState(id: ReplyId): Promise<Pick<Reply, 'conversationId' | 'status'> | undefined>
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

  /** Begins an empty conversation. Undefined: the session has `max` conversations already. */
  startConversation(
    session: Session,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly at: number
      readonly max: number
    },
  ): Promise<Conversation | undefined>

  /** Undefined: there is no such conversation. `null` gives back the title that its first message makes. */
  renameConversation(
    session: Session,
    id: ConversationId,
    title: string | null,
    at: number,
  ): Promise<Conversation | undefined>

  /**
   * The next reply begins a new upstream conversation, seeded with nothing that was said until now; no `contextReset` is
   * told. `busy`: a reply is open.
   */
  clearConversation(session: Session, id: ConversationId): Promise<'cleared' | 'not-found' | 'busy'>

  /**
   * Deletes the conversation with its messages, replies, events and idempotency keys. Its bindings stay, as tombstones;
   * cursors stay valid. `busy`: a reply is open.
   */
  deleteConversation(
    session: Session,
    id: ConversationId,
  ): Promise<
    | {
        readonly type: 'deleted'
        readonly assistantId: AssistantId
        readonly upstream: readonly UpstreamBinding[]
      }
    | { readonly type: 'not-found' }
    | { readonly type: 'busy' }
  >

  /**
   * Deletes all that the session has, except bindings (tombstones) and the session's row, whose generation is raised and
   * whose name is made anew: from then on the upstream knows it under another. Cursors stay valid. `busy`: a reply is open.
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
   * waits in the conversation, each with its event. Refusals store nothing.
   */
  accept(session: Session, request: AcceptRequest): Promise<AcceptOutcome>

  /**
   * Step 2: makes the head of the conversation's queue RUNNING, unless one runs already or none waits. Atomic, but it may
   * resolve before it is on disk: a claim that a crash undoes leaves the reply QUEUED.
   */
  claim(session: Session, conversationId: ConversationId, at: number): Promise<Claim | undefined>

  /**
   * Back to QUEUED, at the head; only before step 4. False: the fence is stale or the intent was recorded. As with a
   * claim, a crash may undo it.
   */
  requeue(session: Session, replyId: ReplyId, fence: Fence): Promise<boolean>

  /**
   * Step 3 (and 5, where the first run reveals the id): this upstream conversation is this conversation's, for ever.
   * Replacing one that the conversation had raises its generation.
   * `known`: it was this conversation's before. A collision: it is bound to another session or conversation, or was met by two before. From then on it is nobody's:
   * who was bound to it goes on in a new one.
   */
  bind(
    session: Session,
    replyId: ReplyId,
    fence: Fence,
    binding: UpstreamBinding,
    at: number,
  ): Promise<'bound' | 'known' | 'lost' | Collision>

  /** Step 4: the send intent and the `started` event; true before anything is sent. False: the fence is stale. */
  recordIntent(
    session: Session,
    replyId: ReplyId,
    fence: Fence,
    options: { readonly contextReset: boolean; readonly at: number },
  ): Promise<boolean>

  /** Step 5: the upstream's id of this run, before any delta is shown. False: the fence is stale. */
  recordChat(session: Session, replyId: ReplyId, fence: Fence, chatId: string): Promise<boolean>

  /**
   * RUNNING to ACTION_REQUIRED: the pending deltas, the calls and the `action-required` event, in one. False: the fence is
   * stale.
   */
  requireAction(
    session: Session,
    replyId: ReplyId,
    fence: Fence,
    action: {
      readonly toolCalls: readonly ToolCall[]
      readonly expiresAt: number
    },
  ): Promise<boolean>

  /**
   * ACTION_REQUIRED to RUNNING, under the same fence: the send intent of tool outputs, of which only the digest is stored.
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

  /** Step 7: the pending deltas, the end, its event and the release of the conversation, in one. */
  finish(session: Session, request: FinishRequest): Promise<FinishOutcome>

  /** Every reply that was RUNNING or ACTION_REQUIRED when the store was opened, now fenced for the one that asks. Call once, at start. */
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
   * With it go titles of conversations that were neither used nor named since, the title that a deleted message had made,
   * and the attachments that neither came nor were sent since; erasing the session still tells of those.
   * Bounded work: answers how many replies, titles and attachments it deleted, to be called again until that is 0.
   */
  trimMessages(writtenBefore: number): Promise<number>

  /** The last messages before `replyId`'s and after the last clearing, oldest first: what seeds a new upstream conversation. */
  history(session: Session, replyId: ReplyId, limit: number): Promise<readonly Message[]>
}
