import type { RequestHeaders } from '../auth/caller.ts'
import { BadRequestError, TooLargeError } from '../errors.ts'
import type { EventStream } from './event-stream.ts'

/** A request as both Node's server and `fetch` can give it. */
export interface Incoming {
  readonly method: string
  readonly url: URL
  readonly headers: RequestHeaders
  /** Whom the connection is with, as far as the server that we stand in tells. */
  readonly address?: string | undefined
  /** @throws {@link TooLargeError} after `maxBytes`, whatever its length was said to be */
  readBody(maxBytes: number): Promise<Uint8Array>
  /**
   * The body as it comes, at the pace of its reader; one that leaves early leaves the rest. Instead of `readBody`.
   * Fails with {@link BadRequestError} when it is cut short.
   */
  readStream(): AsyncIterable<Uint8Array>
}

/** An answer as both Node's server and `fetch` can send it: a whole body, or a stream of events. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  readonly stream?: EventStream | undefined
}

export function bodyCutShort(cause?: unknown): BadRequestError {
  return new BadRequestError('The body was cut short.', { cause })
}

export function bodyTooLarge(maxBytes: number): TooLargeError {
  return new TooLargeError(`The body may have at most ${maxBytes} bytes.`)
}

export function jsonAnswer(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  }
}
