/** The vocabulary of the gateway as types. Every other word is a synonym to avoid. */

declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Keys everything we store of one caller: a keyed digest, 43 characters of base64url. Made in `session/`. */
export type SessionId = Brand<string, 'SessionId'>
/** The `session_name` that Coze sees: a keyed digest, at most 64 ASCII characters. Made in `session/`. */
export type SessionName = Brand<string, 'SessionName'>
/** The configured id of an assistant. Made in `config.ts`. */
export type AssistantId = Brand<string, 'AssistantId'>
export type ConversationId = Brand<string, 'ConversationId'>
export type MessageId = Brand<string, 'MessageId'>
export type ReplyId = Brand<string, 'ReplyId'>
export type AttachmentId = Brand<string, 'AttachmentId'>
/** A position in a session's log as clients see it: opaque to them, made in `reply/cursor.ts`. */
export type Cursor = Brand<string, 'Cursor'>

/** Who sent a request, as its credentials prove. */
export interface Caller {
  /** `jwt`: a token of a configured issuer, in the header or the cookie. `api-key`: a user of a trusted backend. */
  readonly kind: 'jwt' | 'api-key' | 'guest'
  /** The token's `iss`; the backend that an API key belongs to; `guests`. */
  readonly issuer: string
  /** Present exactly when the issuer is configured with a tenant claim. */
  readonly tenant?: string
  readonly subject: string
  readonly scopes: readonly string[]
  /** The session's name as the verified credential gives it, where the issuer's credentials name sessions. */
  readonly claimedName?: string
  /**
   * When the credential stops being accepted (its expiry plus the tolerance), in ms since the epoch. A credential without
   * an expiry is proof for an hour.
   */
  readonly expiresAt: number
}

/** The isolation unit, one per caller. */
export interface Session {
  readonly id: SessionId
  readonly name: SessionName
}

export type StrategyKind = 'workflow' | 'bot'

/**
 * The operator of an assistant's upstream: Coze's cloud, or a self-hosted Coze Studio. Answers of both forms are read always; only
 * what one of the two cannot do depends on it.
 */
export type Platform = 'cloud' | 'studio'

/** One line of talk of a session with an assistant. */
export interface Conversation {
  readonly id: ConversationId
  readonly assistantId: AssistantId
  /** As it was set, else the beginning of its first message; null while there is neither. */
  readonly title: string | null
  /** ms since the epoch. */
  readonly createdAt: number
  readonly lastUsedAt: number
  /** Its place among the session's conversations: the later one was used, the higher, whatever the clock said. */
  readonly used: number
}

export type Rating = 'LIKE' | 'DISLIKE'

export interface Message {
  readonly id: MessageId
  readonly conversationId: ConversationId
  /** The reply that answers this message, or whose answer it is. */
  readonly replyId: ReplyId
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly attachmentIds: readonly AttachmentId[]
  /** Addresses of the images that the user sent along; the gateway never reads them. */
  readonly imageUrls: readonly string[]
  /** What the session thinks of an answer. */
  readonly rating: Rating | null
  readonly createdAt: number
}

/** A file that the session uploaded for an assistant. The upstream keeps it; we keep what it is called there. */
export interface Attachment {
  readonly id: AttachmentId
  readonly assistantId: AssistantId
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  readonly createdAt: number
}

/** A file on its way upstream. */
export interface FileUpload {
  readonly name: string
  readonly mediaType: string
  /** Read once; fails with one of our errors when the caller's upload does. */
  readonly content: AsyncIterable<Uint8Array>
}

/** What a message carries beside its text, as the assistant's configuration allows it. */
export interface MessageExtras {
  /** Start parameters of a Workflow, custom variables of a Bot (texts only there). */
  readonly parameters: Readonly<Record<string, JsonValue>>
  readonly metadata: Readonly<Record<string, string>>
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

export const terminalStatuses = ['COMPLETED', 'FAILED', 'CANCELLED'] as const
export type OpenStatus = 'QUEUED' | 'RUNNING' | 'ACTION_REQUIRED'
export type TerminalStatus = (typeof terminalStatuses)[number]
export type ReplyStatus = OpenStatus | TerminalStatus

export function isTerminal(status: ReplyStatus): status is TerminalStatus {
  return terminalStatuses.some((terminal) => terminal === status)
}

export const replyFailureCodes = [
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_TLS',
  'UPSTREAM_AUTH',
  'UPSTREAM_RATE_LIMITED',
  'UPSTREAM_QUOTA',
  'UPSTREAM_ERROR',
  'UPSTREAM_TRUNCATED',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_TOO_LARGE',
  'UPSTREAM_REFUSED',
  'UPSTREAM_OUTCOME_UNKNOWN',
  'CONVERSATION_BUSY',
  'ACTION_EXPIRED',
  'ACTION_UNSUPPORTED',
  'ISOLATION_BREACH',
  'LIMIT',
  'EXPIRED',
  'SHUTDOWN',
  'STORE_UNAVAILABLE',
  'STORE_FULL',
  'STORE_LOST',
  'INTERNAL',
] as const
export type ReplyFailureCode = (typeof replyFailureCodes)[number]

/** Why a reply failed, in words for the caller: no id of others, no token, no text. */
export interface ReplyFailure {
  readonly code: ReplyFailureCode
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs: number | null
}

export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
}

/** What a Bot asks its client to do; `submitToolOutputs` answers it. */
export interface ToolCall {
  readonly id: string
  /** `FUNCTION`: run the named tool. `QUESTION`: answer the question that the Bot has just asked (docs/coze-platform.md#bot-chat). */
  readonly kind: 'FUNCTION' | 'QUESTION'
  /** Null for a `QUESTION`. */
  readonly name: string | null
  /** JSON text, as the model wrote it; null for a `QUESTION`. */
  readonly arguments: string | null
}

export interface ToolOutput {
  readonly toolCallId: string
  readonly output: string
}

/** What a Workflow asks back: the session's next message in the conversation answers it (docs/coze-platform.md#questions-and-forms). */
export interface Question {
  readonly text: string
  /** What may be chosen from; empty: anything may be answered. */
  readonly options: readonly string[]
  /** The fields of an input form; empty unless it is one. Answer with a JSON object of these names. */
  readonly fields: readonly QuestionField[]
}

export interface QuestionField {
  readonly name: string
  readonly type: string
  readonly required: boolean
}

/** What the upstream said that is no text and was left out of the answer. */
export type OmittedContent = 'CARD' | 'AUDIO' | 'OTHER'

/** How a reply came to be, for operators: no text, no name of a session. */
export interface ReplyExplanation {
  readonly strategy: StrategyKind
  /** Why this strategy: a lower-case sentence. */
  readonly reason: string
  /** What keyed each layer by the session. */
  readonly layers: readonly KeyedLayer[]
  /** The upstream's id of the chat and of its log lines, for its support. */
  readonly upstreamChatId: string | null
  readonly upstreamLogId: string | null
  /** From the acceptance of the message to the first text, in ms. */
  readonly firstDeltaMs: number | null
  /** Upstream calls that were made again before one was accepted. */
  readonly retries: number
}

export interface KeyedLayer {
  readonly layer: 'identity' | 'conversation' | 'variables' | 'knowledge'
  readonly keyedBy: string
}

/** The run that answers one message. */
export interface Reply {
  readonly id: ReplyId
  readonly conversationId: ConversationId
  readonly assistantId: AssistantId
  /** The user's message that it answers. */
  readonly messageId: MessageId
  /** Its finished answer as a message, once COMPLETED. */
  readonly answerId: MessageId | null
  readonly status: ReplyStatus
  /** The answer text known so far. */
  readonly text: string
  readonly reasoning: string
  /** Waiting replies of its conversation before this one; null unless QUEUED. */
  readonly queuePosition: number | null
  readonly usage: Usage | null
  readonly followUps: readonly string[]
  /** What a COMPLETED reply asks back. */
  readonly question: Question | null
  readonly omitted: readonly OmittedContent[]
  /** What an ACTION_REQUIRED reply waits for, else empty. */
  readonly toolCalls: readonly ToolCall[]
  /** Until when it waits, in ms since the epoch; null unless ACTION_REQUIRED. */
  readonly actionExpiresAt: number | null
  /** The upstream conversation was begun anew for this reply: the assistant may have lost older context. */
  readonly contextReset: boolean
  readonly failure: ReplyFailure | null
  /** Whether the upstream of a CANCELLED reply was told, and agreed. */
  readonly upstreamCancelled: boolean
  /** Null until it has ended, or when it ended before it was sent. */
  readonly explanation: ReplyExplanation | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
}

/** The place of a durable event in its session's log. Numbers only grow; a number never comes back with other content. */
export interface EventPlace {
  /** 1 or more, rising within the session, not always by one; 0: before the first event. */
  readonly seq: number
  /** A piece of the event's random id: tells an event from another that a restored backup put at its number. Empty at 0. */
  readonly check: string
}

/** How far a reader has read one reply's text. Offsets are UTF-16 code units, never inside a surrogate pair. */
export interface TextPlace {
  readonly replyId: ReplyId
  /** The revision that the offsets are of; a name, never a number of the reply. */
  readonly revision: string
  readonly answer: number
  readonly reasoning: number
}

/**
 * A position that a reader has reached: the last event it has seen, and how far it has read the text of each reply that
 * was running there and of which it has seen any. No number is allotted to a delta, so a position stays right over crashes.
 */
export interface Position extends EventPlace {
  readonly texts: readonly TextPlace[]
}

export type DeltaKind = 'ANSWER' | 'REASONING'

/** `text` replaces everything from `offset` (UTF-16 code units, never inside a surrogate pair) to the end. */
export interface Delta {
  readonly kind: DeltaKind
  readonly offset: number
  readonly text: string
}

export type TerminalEventBody =
  | {
      readonly type: 'completed'
      readonly text: string
      readonly usage: Usage | null
      readonly followUps: readonly string[]
      readonly question: Question | null
      readonly omitted: readonly OmittedContent[]
      readonly contextReset: boolean
    }
  | ({ readonly type: 'failed' } & ReplyFailure)
  | { readonly type: 'cancelled'; readonly upstreamCancelled: boolean }

export type ReplyEventBody =
  | { readonly type: 'started' }
  | ({ readonly type: 'delta' } & Delta)
  | {
      readonly type: 'action-required'
      readonly toolCalls: readonly ToolCall[]
      /** Until when it waits, in ms since the epoch. */
      readonly expiresAt: number
    }
  | TerminalEventBody

interface OfReply {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
}

/** A durable, numbered event of a reply. */
export type LogEvent = EventPlace & OfReply & Exclude<ReplyEventBody, { readonly type: 'delta' }>

/** A piece of a reply's text, cut for a reader. It is not stored and has no number. */
export type DeltaEvent = OfReply & { readonly type: 'delta' } & Delta

/** What readers of a session's log are told. */
export type ReplyEvent = LogEvent | DeltaEvent

/** Which upstream account a conversation id belongs to: ids of different accounts never collide. */
export interface UpstreamScope {
  readonly origin: string
  readonly account: string
}

export type BusyPolicy = 'QUEUE' | 'REJECT' | 'INTERRUPT'

/** What a Bot shows before anything is said. */
export interface Opening {
  readonly greeting: string | null
  /** Messages that a user may begin with. */
  readonly suggestions: readonly string[]
}

/** What callers may know of a configured assistant. */
export interface AssistantInfo {
  readonly id: AssistantId
  readonly name: string
  /** Names that a message may set among its parameters (Workflow) or custom variables (Bot). */
  readonly parameterNames: readonly string[]
  readonly metadataNames: readonly string[]
  readonly acceptsAttachments: boolean
  /** Hosts that the address of an image may name; `*.example.com` stands for all below it. Empty: it takes none. */
  readonly imageHosts: readonly string[]
}
