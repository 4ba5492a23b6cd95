import type { Readable } from 'node:stream'
import { findSystemCode, isTlsCode } from '../lib/system-code.ts'
import { type Accepted, CozeError } from './errors.ts'

/** `new`: a connection of the request's own, closed after it. `kept-alive`: one that may have served others. */
export type Connection = 'kept-alive' | 'new'

/** One HTTP request, ready to be sent. */
export interface WireRequest {
  readonly origin: string
  /** With its query. */
  readonly path: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  /** A stream is read at the pace of the connection, and destroyed with it. */
  readonly body: string | Readable | undefined
  readonly connection: Connection
}

export type WireHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Hears of a request's fate. `onEnd` or `onError` is the last call. */
export interface WireSink {
  /**
   * The connection stands and the request is on its way: from here on the upstream may act on it. `isReused`: the
   * connection was kept alive, so that it may be dead without anybody knowing.
   */
  onSent(isReused: boolean): void
  onHead(status: number, headers: WireHeaders): void
  onData(chunk: Uint8Array): void
  onEnd(): void
  onError(error: Error): void
}

/** A request under way. */
export interface Exchange {
  /** Closes its connection. Safe at any time, also after the end. */
  abort(reason: Error): void
  pause(): void
  resume(): void
}

export type Send = (request: WireRequest, sink: WireSink) => Exchange

/** undici and our own clock may each be the first to notice that no connection comes: both give one code. */
function readSystemCode(error: Error): string | undefined {
  if (isCutShort(error)) return 'HPE_INVALID_EOF_STATE'
  const code = findSystemCode(error)
  return code === 'UND_ERR_CONNECT_TIMEOUT' ? connectTimeout : code
}

/** The parser's own complaint, without a code, when an answer that closes its connection ends before it is whole. */
function isCutShort({ name, message }: Error): boolean {
  return name === 'HTTPParserError' && message.includes('Invalid EOF state')
}

export const connectTimeout = 'CONNECT_TIMEOUT'

/** What a broken connection means: `sent` and `answered` say how far the exchange had come, `accepted` what the answer told. */
export function connectionError(
  error: Error,
  progress: {
    readonly sent: boolean
    readonly answered: boolean
    readonly accepted?: Accepted | undefined
    readonly logId?: string | undefined
  },
): CozeError {
  const { sent, answered, logId, accepted = 'unknown' } = progress
  const systemCode = readSystemCode(error)
  // No cause: the HTTP parser's error quotes the bytes it stumbled over.
  const isParserError = error.name === 'HTTPParserError' || systemCode?.startsWith('HPE_') === true
  if (isParserError && !isCutShort(error)) {
    return new CozeError('protocol', 'the answer is not HTTP', {
      accepted,
      logId,
      systemCode: systemCode ?? 'HTTP_PARSER',
    })
  }
  if (systemCode === 'UND_ERR_HEADERS_OVERFLOW') {
    const details = { accepted, logId, systemCode, cause: error } as const
    return new CozeError('too-large', 'the head of an answer is too large', details)
  }
  if (answered) {
    return new CozeError('truncated', 'the answer broke off', {
      accepted,
      logId,
      systemCode,
      cause: error,
    })
  }
  if (sent) {
    return new CozeError('unavailable', 'the connection broke before an answer', {
      accepted: 'unknown',
      systemCode,
      cause: error,
    })
  }
  const details = { accepted: 'no', systemCode, cause: error } as const
  // Undici did not even try: what cannot be sent now cannot be sent later.
  if (systemCode === 'UND_ERR_INVALID_ARG') {
    return new CozeError('protocol', 'the request cannot be sent', details)
  }
  return isTlsCode(systemCode)
    ? new CozeError('tls', 'the connection cannot be secured', details)
    : new CozeError('unavailable', 'the upstream cannot be reached', details)
}
