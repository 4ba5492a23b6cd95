import { ApiError, CallError, DeadTokenError, NoSuchCallError } from '../errors.ts'
import type { ErrorResponse } from '../response.ts'

/** A refusal in Studio's own shape. */
export class StudioRefusal extends CallError {
  override readonly name = 'StudioRefusal'
  readonly response: ErrorResponse
  constructor(response: ErrorResponse, options?: ErrorOptions) {
    super('refused', options)
    this.response = response
  }
}

const internalError: ErrorResponse = {
  status: 500,
  body: { code: 500, msg: 'internal server error' },
}

/** One of Studio's own errors as text. */
export function statusText(code: number, message: string): string {
  return `code=${code} message=${message}\nstack=github.com/coze-dev/coze-studio/backend`
}

/** A refusal with one of Studio's codes, under HTTP 200. */
export function refusedWith(code: number, msg: string): StudioRefusal {
  return new StudioRefusal({ status: 200, body: { code, msg } })
}

/** A request that cannot be read, and nearly every error of `/v3/chat` outside a stream. */
export function badRequest(msg: string): StudioRefusal {
  return new StudioRefusal({ status: 400, body: { code: 400, msg } })
}

/** An error whose text is the whole body. */
export function textOnly(text: string): StudioRefusal {
  return new StudioRefusal({ status: 500, body: text })
}

/** An error that has no code of Studio's. */
export function internal(): StudioRefusal {
  return new StudioRefusal(internalError)
}

/** An id in a query or path: a decimal number. @throws {StudioRefusal} */
export function readId(value: string | null | undefined): string {
  const text = value ?? ''
  if (/^\d{1,19}$/.test(text)) return text
  throw badRequest(
    `unable to decode '${text}' as int64: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}

/** The text for a start parameter, or a field of a form, that is missing. */
export function missingText(name: string): string {
  return `Missing required parameters：’${name}‘. Please review the API documentation and ensure all mandatory fields are included in your request.`
}

/** The response to a call that ended with an error. */
export function studioErrorResponse(error: unknown): ErrorResponse {
  if (error instanceof StudioRefusal) return error.response
  if (error instanceof DeadTokenError) {
    const msg = `authentication failed: ${error.message}`
    return { status: 200, body: { code: 700012006, msg } }
  }
  if (error instanceof NoSuchCallError) {
    // Every path outside the public API is taken for a call of the console.
    return error.lacks === 'path'
      ? { status: 401, body: { code: 401, msg: 'missing session_key in cookie' } }
      : { status: 404, body: { code: 404, msg: 'not found' } }
  }
  if (error instanceof ApiError) return badRequest(error.message).response
  return internalError
}
