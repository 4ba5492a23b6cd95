import type { ChatError, ResponseError } from './chat-error.ts'
import type { Viewer } from './schema.ts'

export interface Operation {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>> | undefined
}

export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly operation: Operation
}

export interface Result<Data = unknown> {
  readonly data?: Data | null
  readonly errors?: readonly ResponseError[]
}

/** A result with data. Errors of single fields may stand beside them. */
export interface DataResult<Data> extends Result<Data> {
  readonly data: Data
}

/** The reader of a stream. After `end` a transport calls nothing of it. */
export interface StreamSink<Data = unknown> {
  /** Called for all bytes that arrive, those of comments too. */
  alive(): void
  /** `cursor`: the position to go on after. */
  next(result: DataResult<Data>, cursor: string | undefined): void
  /** Nothing will follow. */
  complete(): void
  /** The gateway asks to wait so long before the next connection. */
  retry(ms: number): void
  /** With an error if the gateway refused or ended the stream; without one if the connection was lost. */
  end(error?: ChatError): void
}

/** The end of the session's event log when it was read, and what else a stream needs. */
export type Position = Pick<Viewer, 'sessionFingerprint' | 'eventCursor' | 'keepAliveMs'>

export interface StreamRequest extends Request {
  /** Whose stream it is, where that is known. */
  readonly viewer?: Position
}

export interface OpenStream {
  close(): void
  /** Asks the gateway for a sign of life, where it gives none by itself that the transport can see. */
  ping?(): void
}

export interface Upload extends Request {
  /** A `File` or `Blob`, or what the platform names a file by. */
  readonly file: unknown
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
}

export interface UploadProgress {
  readonly sentBytes: number
  readonly totalBytes: number
}

/** How requests reach the gateway. What fails, or has no data, is a {@link ChatError}. */
export interface Transport {
  request<Data>(request: Request): Promise<DataResult<Data>>
  subscribe<Data>(request: StreamRequest, sink: StreamSink<Data>): OpenStream
  upload<Data>(upload: Upload): Promise<DataResult<Data>>
  /** Calls when the page is back, or the network is another; returns a function that stops it. */
  onWake?(listener: (isNewNetwork: boolean) => void): () => void
}
