/** An error that the caller is told about. Any other error is a bug of the emulator. */
export class CallError extends Error {
  override readonly name: string = 'CallError'
}

/** A refusal with one of the platform's codes. */
export class ApiError extends CallError {
  override readonly name = 'ApiError'
  readonly code: number
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A refusal of the token endpoint. */
export class OAuthError extends CallError {
  override readonly name = 'OAuthError'
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = status
  }
}

/** The platform has no such call: nothing is at the path, or nothing for the method. */
export class NoSuchCallError extends CallError {
  override readonly name = 'NoSuchCallError'
  readonly lacks: 'path' | 'method'
  constructor(lacks: 'path' | 'method', message: string) {
    super(message)
    this.lacks = lacks
  }
}

/** The access token is missing, unknown, expired or revoked. The message is the reason that a Studio gives. */
export class DeadTokenError extends CallError {
  override readonly name = 'DeadTokenError'
}
