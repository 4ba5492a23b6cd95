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
  readonly retryAfterMs?: number | null
  readonly field?: readonly string[] | null
  readonly cause?: unknown
  readonly resumeAfter?: string
}

/** Every failure that the client reports. Match on `code`. */
export class ChatError extends Error {
  declare readonly code: ChatErrorCode
  /** Whether the same may succeed later. */
  declare readonly retryable: boolean
  /** Null if waiting does not help or the time is not known. */
  declare readonly retryAfterMs: number | null
  /** The path of the refused value in the input, such as `['conversationId']`. */
  declare readonly field: readonly string[] | null
  /** The cursor after which a stream goes on whose credential has expired. */
  declare readonly resumeAfter: string | undefined

  constructor(details: Details) {
    super(details.message, details)
    const defaults = {
      name: 'ChatError',
      retryable: /BUSY|DRAINING|FULL|LIMITED|NETWORK|UNAVAILABLE/.test(details.code),
      retryAfterMs: null,
      field: null,
    }
    Object.assign(this, defaults, details)
  }
}

const ownMessages = {
  CLOSED: 'Closed.',
  NETWORK: 'No connection.',
  NOT_FOUND: 'Not found.',
} as const

/** A failure that no response tells. */
export function clientError(
  code: keyof typeof ownMessages,
  more?: Pick<Details, 'cause' | 'retryAfterMs'>,
): ChatError {
  return new ChatError({ code, message: ownMessages[code], ...more })
}

export function refuse(code: keyof typeof ownMessages): never {
  throw clientError(code)
}

/** What is no answer of the gateway is a failure of the network. */
export function toChatError(cause?: unknown): ChatError {
  return cause instanceof ChatError ? cause : clientError('NETWORK', { cause })
}

/** An error of a GraphQL response. */
export interface ResponseError {
  readonly message: string
  readonly extensions?: { readonly code?: ChatErrorCode; readonly resumeAfter?: string }
}

export function responseError(
  [error]: readonly ResponseError[] = [],
  retryAfterMs: number | null = null,
): ChatError {
  const message = error?.message ?? 'The response is not one of the gateway.'
  return new ChatError({
    code: 'INTERNAL_SERVER_ERROR',
    ...error?.extensions,
    message,
    retryAfterMs,
  })
}
