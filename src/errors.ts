import type { Refusal } from './observe/refusals.ts'

/**
 * Every error a caller can meet: one class per code. A code never changes its meaning.
 *
 * `message` is for the caller and holds no id of others, no token and no text; `cause` is for the log.
 * Match on `code`, not on `instanceof` or the message.
 */

export abstract class GatewayError extends Error {
  abstract readonly code: string
  /** HTTP status when the error is met before execution or before a stream's head. */
  abstract readonly status: number
  readonly retryable: boolean = false
  /** Set where a caller was refused for what it is or may do. */
  readonly refusal?: Refusal | undefined
  /** The path in a mutation's input that is at fault, such as `['conversationId']`; undefined where no single part is. */
  readonly field: readonly string[] | undefined

  constructor(
    message: string,
    options: ErrorOptions & { readonly field?: readonly string[] } = {},
  ) {
    super(message, options)
    this.field = options.field
  }
}

interface RefusalOptions extends ErrorOptions {
  readonly refusal?: Refusal | undefined
}

/** The request is not GraphQL over HTTP. */
export class BadRequestError extends GatewayError {
  override readonly name = 'BadRequestError'
  readonly code = 'BAD_REQUEST'
  readonly status = 400
  override readonly refusal: Refusal | undefined
  constructor(message: string, options: RefusalOptions = {}) {
    super(message, options)
    this.refusal = options.refusal
  }
}

/** A variable, a cursor or a page argument has a value that cannot be used. */
export class BadUserInputError extends GatewayError {
  override readonly name = 'BadUserInputError'
  readonly code = 'BAD_USER_INPUT'
  readonly status = 400
}

/** No credential, or one that is refused. The message is for `WWW-Authenticate`, so it has no quotes. */
export class UnauthenticatedError extends GatewayError {
  override readonly name = 'UnauthenticatedError'
  readonly code = 'UNAUTHENTICATED'
  readonly status = 401
  override readonly refusal: Refusal
  constructor(message: string, options: RefusalOptions = {}) {
    super(message, options)
    this.refusal = options.refusal ?? {}
  }
}

/** The caller is known, and may not: a page of another site, or a scope that is missing. */
export class ForbiddenError extends GatewayError {
  override readonly name = 'ForbiddenError'
  readonly code = 'FORBIDDEN'
  readonly status = 403
  override readonly refusal: Refusal
  constructor(message: string, options: RefusalOptions = {}) {
    super(message, options)
    this.refusal = options.refusal ?? {}
  }
}

/** What an id names does not exist in the caller's session. */
export class NotFoundError extends GatewayError {
  override readonly name = 'NotFoundError'
  readonly code = 'NOT_FOUND'
  readonly status = 404
}

/** The method is not one that the path answers. */
export class MethodNotAllowedError extends GatewayError {
  override readonly name = 'MethodNotAllowedError'
  readonly code = 'BAD_REQUEST'
  readonly status = 405
}

/** The client took too long to send its request. */
export class RequestTimeoutError extends GatewayError {
  override readonly name = 'RequestTimeoutError'
  readonly code = 'BAD_REQUEST'
  readonly status = 408
}

/** The cursor is older than the log, or the reply's events were trimmed. `Reply.text` still holds what is known. */
export class CursorExpiredError extends GatewayError {
  override readonly name = 'CursorExpiredError'
  readonly code = 'SUBSCRIPTION_CURSOR_EXPIRED'
  readonly status = 410
}

export class TooLargeError extends GatewayError {
  override readonly name = 'TooLargeError'
  readonly code = 'TOO_LARGE'
  readonly status = 413
}

export class UnsupportedMediaTypeError extends GatewayError {
  override readonly name = 'UnsupportedMediaTypeError'
  readonly code = 'BAD_REQUEST'
  readonly status = 415
}

/** More than the session may do now: messages per minute, open replies, open subscriptions. */
export class RateLimitedError extends GatewayError {
  override readonly name = 'RateLimitedError'
  readonly code = 'RATE_LIMITED'
  readonly status = 429
  override readonly retryable = true
  readonly retryAfterMs: number
  constructor(message: string, retryAfterMs: number) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

/** The gateway is shutting down; another instance, or this one after its restart, will answer. */
export class DrainingError extends GatewayError {
  override readonly name = 'DrainingError'
  readonly code = 'DRAINING'
  readonly status = 503
  override readonly retryable = true
  readonly retryAfterMs = 1000
}

/** Something the request needs (the store, an issuer's keys) does not answer now. */
export class UnavailableError extends GatewayError {
  override readonly name = 'UnavailableError'
  readonly code = 'UNAVAILABLE'
  readonly status = 503
  override readonly retryable = true
  readonly retryAfterMs: number
  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs ?? 1000
  }
}

/** The credential of a live subscription has expired; the same stream goes on under a fresh one. */
export class SubscriptionTokenExpiredError extends GatewayError {
  override readonly name = 'SubscriptionTokenExpiredError'
  readonly code = 'SUBSCRIPTION_TOKEN_EXPIRED'
  readonly status = 401
}

/** Members of result unions: what a user can act on. */

/** The input breaks a rule that the schema cannot state. */
export class InvalidInputError extends GatewayError {
  override readonly name = 'InvalidInputError'
  readonly code = 'INVALID_INPUT'
  readonly status = 400
}

/** Another reply runs in the conversation, and the message asked not to wait. */
export class ConversationBusyError extends GatewayError {
  override readonly name = 'ConversationBusyError'
  readonly code = 'CONVERSATION_BUSY'
  readonly status = 409
  override readonly retryable = true
  /** When a reply ends is not known. */
  readonly retryAfterMs = 1000
}

/** As many messages wait in the conversation as may. */
export class QueueFullError extends GatewayError {
  override readonly name = 'QueueFullError'
  readonly code = 'QUEUE_FULL'
  readonly status = 429
  override readonly retryable = true
  /** When a reply ends is not known. */
  readonly retryAfterMs = 1000
}

/** The idempotency key was used before with another input. */
export class IdempotencyMismatchError extends GatewayError {
  override readonly name = 'IdempotencyMismatchError'
  readonly code = 'IDEMPOTENCY_MISMATCH'
  readonly status = 409
}

/** What is asked is something that this assistant, or its platform, cannot do. */
export class NotSupportedError extends GatewayError {
  override readonly name = 'NotSupportedError'
  readonly code = 'NOT_SUPPORTED'
  readonly status = 422
}

/** The assistant takes no messages now: quarantined, unproven, or its upstream does not answer. */
export class AssistantUnavailableError extends GatewayError {
  override readonly name = 'AssistantUnavailableError'
  readonly code = 'ASSISTANT_UNAVAILABLE'
  readonly status = 503
  override readonly retryable = true
  /** Null: it is not known when it will, an operator must act. */
  readonly retryAfterMs: number | null
  constructor(message: string, retryAfterMs: number | null) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

export type AnyGatewayError =
  | BadRequestError
  | BadUserInputError
  | UnauthenticatedError
  | ForbiddenError
  | NotFoundError
  | MethodNotAllowedError
  | RequestTimeoutError
  | CursorExpiredError
  | TooLargeError
  | UnsupportedMediaTypeError
  | RateLimitedError
  | DrainingError
  | UnavailableError
  | SubscriptionTokenExpiredError
  | InvalidInputError
  | ConversationBusyError
  | QueueFullError
  | IdempotencyMismatchError
  | NotSupportedError
  | AssistantUnavailableError
