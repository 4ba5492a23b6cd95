import type {
  AssistantId,
  BusyPolicy,
  Conversation,
  ConversationId,
  Message,
  MessageId,
  Reply,
  ReplyId,
  Session,
  SessionId,
  SessionName,
  StrategyKind,
  TerminalEventBody,
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
  readonly onBusy: BusyPolicy
  readonly idempotency: { readonly key: string; readonly digest: string } | undefined
  /** Waiting replies a conversation may have. */
  readonly maxQueued: number
  /** ms since the epoch. */
  readonly at: number
}

export type AcceptOutcome =
  /** The message is on disk. `interrupts`: the running reply that INTERRUPT asks to cancel. */
  | { readonly type: 'accepted'; readonly reply: Reply; readonly interrupts: ReplyId | undefined }
  /** The same key and digest were accepted before. */
  | { readonly type: 'repeated'; readonly reply: Reply }
  | { readonly type: 'key-reused' }
  | { readonly type: 'conversation-not-found' }
  /** The conversation is with another assistant. */
  | { readonly type: 'other-assistant' }
  | { readonly type: 'busy' }
  | { readonly type: 'queue-full' }

/** The upstream side of a conversation. */
export interface UpstreamBinding {
  readonly scope: UpstreamScope
  readonly strategy: StrategyKind
  readonly conversationId: string
}

/** A reply that this runner alone may drive, with all it needs. */
export interface Claim {
  readonly session: Session
  readonly reply: Reply
  readonly message: Message
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

/** A reply that was running when its runner died. */
export interface Orphan extends Claim {
  /** What was recorded of the upstream run: nothing was sent before `intent`. */
  readonly progress:
    | { readonly step: 'claimed' }
    | { readonly step: 'intent' }
    | { readonly step: 'chat'; readonly chatId: string }
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

/**
 * What one session may ask. No method takes a session, so no one else's record can be named.
 * An id of another session answers exactly as one that never was.
 */
export interface SessionStore {
  readonly session: Session
  /** In the order of `ids`; undefined where there is none. */
  conversations(ids: readonly ConversationId[]): Promise<readonly (Conversation | undefined)[]>
  messages(ids: readonly MessageId[]): Promise<readonly (Message | undefined)[]>
  replies(ids: readonly ReplyId[]): Promise<readonly (Reply | undefined)[]>
  /** Newest first. Undefined: a bounding id is not in this session. */
  conversationPage(page: PageRequest<ConversationId>): Promise<Page<Conversation> | undefined>
  /** Oldest first. Undefined: a bounding id is not in this conversation. */
  messagePage(
    conversationId: ConversationId,
    page: PageRequest<MessageId>,
  ): Promise<Page<Message> | undefined>
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
  ): Promise<Session>

  /** The capability to read one session's records. */
  session(session: Session): SessionStore

  /** Begins an empty conversation. */
  startConversation(
    session: Session,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly at: number
    },
  ): Promise<Conversation>

  /** Step 1 of the order of writes: key, message, reply and conversation at once. Refusals store nothing. */
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
   * `collision`: it is bound to another session or conversation, and nothing was written.
   */
  bind(
    session: Session,
    replyId: ReplyId,
    fence: Fence,
    binding: UpstreamBinding,
    at: number,
  ): Promise<'bound' | 'collision' | 'lost'>

  /** Step 4: the send intent and the `started` event; true before anything is sent. False: the fence is stale. */
  recordIntent(
    session: Session,
    replyId: ReplyId,
    fence: Fence,
    options: { readonly contextReset: boolean; readonly at: number },
  ): Promise<boolean>

  /** Step 5: the upstream's id of this run, before any delta is shown. False: the fence is stale. */
  recordChat(session: Session, replyId: ReplyId, fence: Fence, chatId: string): Promise<boolean>

  /** Step 7: the pending deltas, the end, its event and the release of the conversation, in one. */
  finish(session: Session, request: FinishRequest): Promise<FinishOutcome>

  /** Every reply that was RUNNING when the store was opened, now fenced for the one that asks. Call once, at start. */
  orphans(): Promise<readonly Orphan[]>

  /** Conversations in which replies wait. */
  waiting(): Promise<
    readonly { readonly session: Session; readonly conversationId: ConversationId }[]
  >

  /** The last messages before `replyId`'s, oldest first: what seeds a new upstream conversation. */
  history(session: Session, replyId: ReplyId, limit: number): Promise<readonly Message[]>
}
