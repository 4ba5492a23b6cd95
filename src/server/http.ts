import type { RequestHeaders } from '../auth/authenticator.ts'
import { BadRequestError, TooLargeError } from '../errors.ts'
import type { MediaType } from './accept.ts'
import type { RequestKind } from '../observe/metrics.ts'
import type { ResponseStream } from './streams/response-stream.ts'
import type { RouteName } from './routes.ts'

/** A request as both Node's server and `fetch` can give it. */
export interface HttpRequest {
  readonly method: string
  readonly url: URL
  /** Undefined: the path has no route. */
  readonly route: RouteName | undefined
  readonly headers: RequestHeaders
  /** The media types that the client reads, where they do not come from the header `accept`. */
  readonly accepted?: readonly MediaType[] | undefined
  /** The peer of the connection, as far as the host knows it. */
  readonly address?: string | undefined
  /** Whether a parser of the host has read and decoded the body already. */
  readonly isBodyParsed: boolean
  /**
   * @throws {@link TooLargeError} after `maxBytes`, whatever `content-length` says; {@link BadRequestError} when the body is
   * cut short, or the host has read it and kept nothing
   */
  readBody(maxBytes: number): Promise<Uint8Array>
  /**
   * The body as it comes, at the pace of its reader. A reader that stops early leaves the rest. Use it instead of `readBody`.
   * It fails with {@link BadRequestError} when the body is cut short, or the host has read it.
   */
  readStream(): AsyncIterable<Uint8Array>
}

/** A response as both Node's server and `fetch` can send it: a whole body, or a stream of events. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  readonly stream?: ResponseStream | undefined
  /** Counts the bytes against the session until the body has been sent or dropped. */
  readonly held?: Disposable | undefined
  /** The type of the operation, for the metrics. Undefined: the request is not about GraphQL. */
  readonly kind?: RequestKind | undefined
}

export function bodyCutShort(cause?: unknown): BadRequestError {
  return new BadRequestError('The body was cut short.', { cause })
}

/** Such a body never brings more data, so waiting for it would end in a timeout that explains nothing. */
export function bodyTaken(): BadRequestError {
  return new BadRequestError(
    'A body parser of the host, such as express.json(), multer or those of Fastify and Next.js, has read the body before the gateway: turn it off for this route, or leave the JSON that it has parsed in "body" of the request.',
  )
}

export function bodyTooLarge(maxBytes: number): TooLargeError {
  return new TooLargeError(`The body may have at most ${maxBytes} bytes.`)
}

export function jsonResponse(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  }
}

/** Methods as `Allow` lists them. */
export function allowHeader(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}
