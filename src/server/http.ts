import type { RequestHeaders } from '../auth/authenticator.ts'
import { BadRequestError, TooLargeError } from '../errors.ts'
import type { RequestKind } from '../observe/metrics.ts'
import type { ResponseStream } from './streams/response-stream.ts'
import type { RouteName } from './routes.ts'

/** A request as both Node's server and `fetch` can give it. */
export interface HttpRequest {
  readonly method: string
  readonly url: URL
  /** Undefined: nothing is at its path. */
  readonly route: RouteName | undefined
  readonly headers: RequestHeaders
  /** Whom the connection is with, as far as the server that we stand in tells. */
  readonly address?: string | undefined
  /** Whether a parser of the host has read the body, and decoded it, before the request came to us. */
  readonly isBodyParsed: boolean
  /**
   * @throws {@link TooLargeError} after `maxBytes`, whatever its length was said to be; {@link BadRequestError} when it is
   * cut short, or the host has read it and kept nothing
   */
  readBody(maxBytes: number): Promise<Uint8Array>
  /**
   * The body as it comes, at the pace of its reader; one that leaves early leaves the rest. Instead of `readBody`.
   * Fails with {@link BadRequestError} when it is cut short, or the host has read it.
   */
  readStream(): AsyncIterable<Uint8Array>
}

/** A response as both Node's server and `fetch` can send it: a whole body, or a stream of events. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  readonly stream?: ResponseStream | undefined
  /** Counted against its session until the body has been sent, or is given up. */
  readonly held?: Disposable | undefined
  /** What the request asked, for the metrics. Undefined: nothing of GraphQL. */
  readonly kind?: RequestKind | undefined
}

export function bodyCutShort(cause?: unknown): BadRequestError {
  return new BadRequestError('The body was cut short.', { cause })
}

/** Named at once: nothing more of such a body ever comes, and a timeout would tell nobody why. */
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

/** Whoever sends a request, as far as is known before its credential is checked: those of one sender wait in one line. */
export function senderOf({ headers, address }: HttpRequest): string | undefined {
  return headers.get('authorization') ?? headers.get('cookie') ?? address
}

/** Methods as `Allow` lists them. */
export function allowHeader(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}
