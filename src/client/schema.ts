/**
 * The part of the schema that the client reads, as types. They are compared with the types that are generated from
 * `schema/schema.graphql`, so they cannot differ from it.
 */

export type ReplyStatus =
  | 'QUEUED'
  | 'RUNNING'
  | 'ACTION_REQUIRED'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'

export type BusyPolicy = 'QUEUE' | 'REJECT' | 'INTERRUPT'
export type Rating = 'LIKE' | 'DISLIKE'
export type OmittedContent = 'CARD' | 'AUDIO' | 'OTHER'

/** A reason for the refusal of a mutation. */
export type UserErrorCode =
  | 'ASSISTANT_UNAVAILABLE'
  | 'CONVERSATION_BUSY'
  | 'IDEMPOTENCY_MISMATCH'
  | 'INVALID_INPUT'
  | 'NOT_FOUND'
  | 'NOT_SUPPORTED'
  | 'QUEUE_FULL'
  | 'RATE_LIMITED'
  | 'TOO_LARGE'

/** A reason for the failure of a reply. */
export type ReplyFailureCode =
  | 'ACTION_EXPIRED'
  | 'ACTION_UNSUPPORTED'
  | 'CONVERSATION_BUSY'
  | 'EXPIRED'
  | 'INTERNAL'
  | 'ISOLATION_BREACH'
  | 'LIMIT'
  | 'SHUTDOWN'
  | 'STORE_FULL'
  | 'STORE_LOST'
  | 'STORE_UNAVAILABLE'
  | 'UPSTREAM_AUTH'
  | 'UPSTREAM_ERROR'
  | 'UPSTREAM_OUTCOME_UNKNOWN'
  | 'UPSTREAM_PROTOCOL'
  | 'UPSTREAM_QUOTA'
  | 'UPSTREAM_RATE_LIMITED'
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_TIMEOUT'
  | 'UPSTREAM_TLS'
  | 'UPSTREAM_TOO_LARGE'
  | 'UPSTREAM_TRUNCATED'
  | 'UPSTREAM_UNAVAILABLE'

export interface ToolCall {
  readonly callId: string
  readonly kind: 'FUNCTION' | 'QUESTION'
  readonly name: string | null
  /** JSON text that the model wrote: check it before use. */
  readonly arguments: string | null
}

export interface ToolOutput {
  readonly callId: string
  readonly output: string
}

/** A question that the next message of the conversation answers. */
export interface Question {
  readonly text: string
  readonly options: readonly string[]
  readonly fields: readonly {
    readonly name: string
    readonly type: string
    readonly isRequired: boolean
  }[]
}

export interface TokenUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
}

export interface ReplyFailure {
  readonly code: ReplyFailureCode
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs: number | null
}

/** A reply as far as it is known. Each change makes a new object. */
export interface ReplyState {
  readonly id: string
  readonly status: ReplyStatus
  readonly text: string
  readonly reasoning: string
  readonly queuePosition: number | null
  readonly followUps: readonly string[]
  readonly question: Question | null
  readonly omitted: readonly OmittedContent[]
  readonly toolCalls: readonly ToolCall[]
  readonly actionExpiresAt: string | null
  readonly contextReset: boolean
  readonly upstreamCancelled: boolean
  readonly usage: TokenUsage | null
  readonly failure: ReplyFailure | null
  readonly conversation: { readonly id: string }
  /** The message that the reply answers. */
  readonly message: { readonly id: string; readonly text: string }
  /** The finished answer, whose id `rate` takes. */
  readonly answer: { readonly id: string } | null
}

interface EventPosition {
  readonly cursor: string
  readonly replyId: string
}

export interface ReplyStarted extends EventPosition {
  readonly __typename: 'ReplyStarted'
}
export interface ReplyDelta extends EventPosition {
  readonly __typename: 'ReplyDelta'
  readonly kind: 'ANSWER' | 'REASONING'
  readonly offset: number
  readonly text: string
}
export interface ReplyActionRequired extends EventPosition {
  readonly __typename: 'ReplyActionRequired'
  readonly toolCalls: readonly ToolCall[]
  readonly expiresAt: string
}
export interface ReplyCompleted extends EventPosition {
  readonly __typename: 'ReplyCompleted'
  readonly text: string
  readonly followUps: readonly string[]
  readonly question: Question | null
  readonly omitted: readonly OmittedContent[]
  readonly contextReset: boolean
  readonly usage: TokenUsage | null
  readonly reply: { readonly answer: { readonly id: string } | null }
}
export interface ReplyFailed extends EventPosition {
  readonly __typename: 'ReplyFailed'
  readonly failure: ReplyFailure
}
export interface ReplyCancelled extends EventPosition {
  readonly __typename: 'ReplyCancelled'
  readonly upstreamCancelled: boolean
}

export type ReplyEvent =
  | ReplyStarted
  | ReplyDelta
  | ReplyActionRequired
  | ReplyCompleted
  | ReplyFailed
  | ReplyCancelled

export interface Attachment {
  readonly id: string
  readonly name: string
  readonly mediaType: string
  readonly byteSize: number
}

export interface Message {
  readonly id: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly createdAt: string
  readonly rating: Rating | null
  readonly attachments: readonly Attachment[]
  readonly imageUrls: readonly string[]
  readonly reply: { readonly id: string; readonly status: ReplyStatus }
}

export interface Conversation {
  readonly id: string
  readonly title: string | null
  readonly assistant: { readonly id: string; readonly name: string } | null
  readonly createdAt: string
  readonly lastUsedAt: string
}

export interface Assistant {
  readonly id: string
  readonly name: string
  readonly isAvailable: boolean
  readonly greeting: string | null
  readonly suggestedOpenings: readonly string[]
  readonly parameterNames: readonly string[]
  readonly metadataNames: readonly string[]
  readonly acceptsAttachments: boolean
  readonly imageHosts: readonly string[]
}

export interface RateLimit {
  readonly limit: number
  readonly remaining: number
  readonly resetAt: string | null
}

export interface Viewer {
  readonly sessionFingerprint: string
  readonly isGuest: boolean
  readonly isOperator: boolean
  readonly credentialExpiresAt: string
  readonly eventCursor: string
  readonly keepAliveMs: number
  readonly limits: {
    readonly messages: RateLimit
    readonly openReplies: RateLimit
    readonly uploads: RateLimit
    readonly maxMessageLength: number
    readonly maxAttachments: number
    readonly maxUploadByteSize: number
    readonly uploadMediaTypes: readonly string[]
  }
}

/** A page of a list. `nodes` are in the order of the list. */
export interface Page<Node> {
  readonly nodes: readonly Node[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

/** `first` rows from the start (after a cursor), or `last` rows from the end (before a cursor). */
export interface PageArguments {
  readonly first?: number
  readonly after?: string
  readonly last?: number
  readonly before?: string
}
