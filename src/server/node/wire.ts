import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TakenConnection } from './connections.ts'
import type { WatchedConnection } from './silent-peers.ts'

/** The used part of a response: `ServerResponse` of `node:http`, or `Http2ServerResponse` of `node:http2`. */
export interface HostResponse {
  readonly writableLength: number
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  /** HTTP/2 responses have none: see `stream`. */
  readonly destroyed?: boolean
  /** Present on HTTP/2 only. */
  readonly stream?: {
    readonly destroyed: boolean
    /** Undefined once the stream is destroyed. */
    readonly session?: WatchedConnection | undefined
    close(code?: number): void
  }
  readonly socket: {
    setKeepAlive(enable: boolean, delayMs: number): unknown
    cork(): void
    uncork(): void
  } | null
  writeHead(status: number, headers: Record<string, string | number>): unknown
  flushHeaders?(): void
  write(chunk: string | Uint8Array, sent?: () => void): unknown
  end(body?: string | Uint8Array): unknown
  destroy(): unknown
  on(event: 'close' | 'error', listener: () => void): unknown
}

/** Writes the text of a stream to its client. Errors of the host's objects are passed on. */
export interface Wire {
  /** How much waits for the client, in bytes. */
  readonly waiting: number
  /** Whether nothing can be written any more. */
  readonly isOver: boolean
  /** `sent`: called when it has left. */
  write(text: string, sent: () => void): void
  /**
   * Like `write`, for text that may have to wait. It is written as bytes, since a piece of a string would keep the whole
   * string in memory.
   */
  writeBytes(text: string, sent: () => void): void
  /** Ends the body. `sent`: called when all of it has left, if the wire can tell. */
  end(sent: () => void): void
  destroy(): void
}

/** Any response of a host. */
export class ResponseWire implements Wire {
  readonly #res: HostResponse

  constructor(res: HostResponse) {
    this.#res = res
  }

  get waiting() {
    return this.#res.writableLength
  }

  get isOver() {
    return this.#res.writableEnded || isGone(this.#res)
  }

  write(text: string, sent: () => void) {
    this.#res.write(text, sent)
  }

  writeBytes(text: string, sent: () => void) {
    this.#res.write(Buffer.from(text), sent)
  }

  end() {
    this.#res.end()
  }

  destroy() {
    this.#res.destroy()
  }
}

/** An HTTP/1.1 response in chunks whose head is written. Each chunk goes to the socket in one write. */
abstract class ChunkedWire implements Wire {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get waiting() {
    return this.#socket.writableLength
  }

  get isOver() {
    return this.#socket.destroyed || this.#socket.writableEnded
  }

  write(text: string, sent: () => void) {
    const bytes = Buffer.byteLength(text)
    // ASCII text has the same bytes in both encodings, and is faster to encode in this one.
    const encoding = bytes === text.length ? 'latin1' : 'utf8'
    this.#socket.write(chunk(text, bytes), encoding, sent)
  }

  writeBytes(text: string, sent: () => void) {
    this.#socket.write(Buffer.from(chunk(text, Buffer.byteLength(text))), sent)
  }

  abstract end(sent: () => void): void

  destroy() {
    this.#socket.destroy()
  }
}

/** Writes through a response of the host. */
class ResponseSocketWire extends ChunkedWire {
  readonly #res: ServerResponse

  constructor(res: ServerResponse, socket: Socket) {
    super(socket)
    this.#res = res
  }

  override get isOver() {
    return super.isOver || this.#res.writableEnded
  }

  end() {
    this.#res.end()
  }
}

/** Writes to a connection that was taken from HTTP. */
export class ConnectionWire extends ChunkedWire {
  readonly #connection: TakenConnection
  #isEnded = false

  constructor(connection: TakenConnection) {
    super(connection.socket)
    this.#connection = connection
  }

  override get isOver() {
    return this.#isEnded || super.isOver
  }

  end(sent: () => void) {
    this.#isEnded = true
    this.#connection.socket.write(lastChunk, 'latin1', () => {
      sent()
      this.#connection.giveBack()
    })
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
const lastChunk = '0\r\n\r\n'

function chunk(text: string, bytes: number): string {
  return `${bytes.toString(16)}\r\n${text}\r\n`
}

/** The wire of a response whose head is written. Wrappers of the response, such as compression, see all of the text. */
export function createWire(res: HostResponse): Wire {
  const { prototype } = ServerResponse
  const isPlain =
    res instanceof ServerResponse &&
    res.headersSent &&
    res.chunkedEncoding &&
    res.write === prototype.write &&
    res.end === prototype.end
  return isPlain && res.socket ? new ResponseSocketWire(res, res.socket) : new ResponseWire(res)
}

/** Whether the client has gone. */
export function isGone({ destroyed, stream }: HostResponse): boolean {
  return destroyed === true || stream?.destroyed === true
}
