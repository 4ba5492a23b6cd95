import type { ReplyFailureCode, UserErrorCode } from './schema.ts'

/** A reason for the refusal of a whole request or the end of a stream. */
export type RequestErrorCode =
  | 'BAD_REQUEST'
  | 'BAD_USER_INPUT'
  | 'DRAINING'
  | 'FORBIDDEN'
  | 'GRAPHQL_PARSE_FAILED'
  | 'GRAPHQL_VALIDATION_FAILED'
  | 'INTERNAL_SERVER_ERROR'
  | 'NOT_FOUND'
  | 'RATE_LIMITED'
  | 'SUBSCRIPTION_CURSOR_EXPIRED'
  | 'SUBSCRIPTION_TOKEN_EXPIRED'
  | 'TOO_LARGE'
  | 'UNAUTHENTICATED'
  | 'UNAVAILABLE'

/** A reason that the client itself has: the gateway could not be reached, or the client was closed. */
export type ClientErrorCode = 'NETWORK' | 'CLOSED'

export type ChatErrorCode = UserErrorCode | ReplyFailureCode | RequestErrorCode | ClientErrorCode

interface Details {
  readonly code: ChatErrorCode
  readonly message: string
  readonly retryable?: boolean
  readonly retryAfterMs?: number | null | undefined
  readonly field?: readonly string[] | null
  readonly cause?: unknown
  readonly resumeAfter?: string | undefined
}

const retryableCodes: ReadonlySet<ChatErrorCode> = new Set([
  'ASSISTANT_UNAVAILABLE',
  'CONVERSATION_BUSY',
  'DRAINING',
  'NETWORK',
  'QUEUE_FULL',
  'RATE_LIMITED',
  'UNAVAILABLE',
])

/** Every failure that the client reports. Match on `code`. */
export class ChatError extends Error {
  override readonly name = 'ChatError'
  readonly code: ChatErrorCode
  /** Whether the same may succeed later. */
  readonly retryable: boolean
  /** Null if waiting does not help or the time is not known. */
  readonly retryAfterMs: number | null
  /** The path of the refused value in the input, such as `['conversationId']`. */
  readonly field: readonly string[] | null
  /** The cursor after which a stream goes on whose credential has expired. */
  readonly resumeAfter: string | undefined

  constructor({ code, message, cause, ...more }: Details) {
    super(message, { cause })
    this.code = code
    this.retryable = more.retryable ?? retryableCodes.has(code)
    this.retryAfterMs = more.retryAfterMs ?? null
    this.field = more.field ?? null
    this.resumeAfter = more.resumeAfter
  }
}

/** The gateway could not be reached, or its response was lost. */
export function networkError(cause?: unknown): ChatError {
  return new ChatError({ code: 'NETWORK', message: 'The gateway could not be reached.', cause })
}

/** The session has nothing with that id. */
export function notFound(): ChatError {
  return new ChatError({ code: 'NOT_FOUND', message: 'Not found.' })
}

/** An error of a GraphQL response. */
export interface ResponseError {
  readonly message: string
  readonly extensions?: { readonly code?: ChatErrorCode; readonly resumeAfter?: string }
}

export function responseError(
  errors: readonly ResponseError[] | undefined,
  retryAfterMs?: number,
): ChatError {
  const { message = 'The response is not one of the gateway.', extensions } = errors?.[0] ?? {}
  const { code = 'INTERNAL_SERVER_ERROR', resumeAfter } = extensions ?? {}
  return new ChatError({ code, message, retryAfterMs, resumeAfter })
}
