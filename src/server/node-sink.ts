import type { Clock } from '../lib/clock.ts'
import { sliceEnd } from '../lib/surrogate.ts'
import type { SharedTurns } from '../lib/turns.ts'
import type { Logger } from '../observe/logger.ts'
import type { EventStream, Gone, Sink, StreamReader } from './event-stream.ts'
import { commentFrame } from './sse.ts'

/** UTF-16 code units of a long text that are written at once. */
const sliceLength = 8_192

export interface SinkLimits {
  readonly clock: Clock
  readonly logger: Logger
  /** Readers that keep up take turns by the bytes that are written to them. */
  readonly turns: SharedTurns
  /** Bytes that wait for a client that does not read. */
  readonly maxBufferedBytes: number
  /** After so many ms of it the connection is destroyed. */
  readonly stalledMs: number
  /** ms between two comments on an idle stream. */
  readonly keepAliveMs: number
}

/** As much of a response as is used: `ServerResponse` of `node:http`, or `Http2ServerResponse` of `node:http2`. */
export interface HostResponse {
  readonly writableLength: number
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  /** HTTP/2 responses have none: see `stream`. */
  readonly destroyed?: boolean
  /** Present on HTTP/2 only. */
  readonly stream?: { readonly destroyed: boolean; close(code?: number): void }
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

/** Whether nobody is there to read it. */
export function isGone({ destroyed, stream }: HostResponse): boolean {
  return destroyed === true || stream?.destroyed === true
}

/** Sends a stream straight to a response, whose head has been written. */
export function streamToNode(stream: EventStream, res: HostResponse, limits: SinkLimits): void {
  const { clock, logger, maxBufferedBytes, stalledMs } = limits
  const turns = limits.turns.of(stream)
  let reader: StreamReader | undefined
  let wake: (() => void) | undefined
  let stall: Disposable | undefined
  let slicing = false
  /** A frame was cut: nothing can follow it. */
  let torn = false
  /** Why nobody reads any more. */
  let gone: Gone | undefined

  const sink: Sink = {
    write(chunk) {
      if (isOver()) return undefined
      // Where nothing waits, the socket takes the text as it is.
      if (chunk.length > sliceLength * 2 || res.writableLength > 0) return writeSlices(chunk)
      send(chunk)
      return turns.take(chunk.length)
    },
    keepAlive() {
      if (!isOver() && !wake && !slicing) send(commentFrame)
    },
    interrupt() {
      torn = slicing
      settle()
    },
    end() {
      if (torn) destroy()
      if (gone !== undefined || isGone(res)) return
      try {
        res.end()
      } catch (err) {
        return fail(err)
      }
      stall = clock.timer(stalledMs, destroy)
    },
  }
  res.on('close', () => leave('client-gone'))
  // A response that fails is closed as well, and its close is handled.
  res.on('error', ignore)
  reader = stream.open(sink)
  // Its client may have gone while the answer was made.
  if (isGone(res)) leave('client-gone')
  else if (gone !== undefined) reader.gone(gone)

  function isOver(): boolean {
    return gone !== undefined || torn || isGone(res) || res.writableEnded
  }

  function fits(bytes: number): boolean {
    return res.writableLength === 0 || res.writableLength + bytes <= maxBufferedBytes
  }

  function send(chunk: string | Uint8Array): void {
    try {
      res.write(chunk, settle)
    } catch (err) {
      fail(err)
    }
  }

  /** A long text waits as it is: what has not left is neither encoded nor copied. */
  async function writeSlices(chunk: string): Promise<void> {
    slicing = true
    for (let from = 0; from < chunk.length;) {
      const to = sliceEnd(chunk, from, sliceLength)
      // Bytes, not text: what waits is counted in them, and a slice of a text would keep all of it.
      const slice = Buffer.from(chunk.slice(from, to))
      while (!isOver() && !fits(slice.length)) await room()
      if (isOver()) break
      send(slice)
      from = to
      const turn = turns.take(slice.length)
      if (turn) await turn
    }
    slicing = false
  }

  function room(): Promise<void> {
    stall = clock.timer(stalledMs, () => {
      leave('stalled')
      destroy()
    })
    return new Promise((resolve) => {
      wake = resolve
    })
  }

  function settle(): void {
    if (!wake) return
    stall?.[Symbol.dispose]()
    stall = undefined
    const resolve = wake
    wake = undefined
    resolve()
  }

  function leave(reason: Gone): void {
    stall?.[Symbol.dispose]()
    stall = undefined
    if (gone === undefined) {
      gone = reason
      reader?.gone(reason)
    }
    settle()
  }

  /** A response is the host's, and may be wrapped by others: what it throws ends it, and nothing else. */
  function fail(err: unknown): void {
    logger.error({ err }, 'response of the host failed')
    leave('error')
    destroy()
  }

  function destroy(): void {
    destroyResponse(res)
  }
}

/** Ends a response that has failed already: that it cannot even be destroyed changes nothing. */
export function destroyResponse(res: Pick<HostResponse, 'destroy'>): void {
  try {
    res.destroy()
  } catch {
    // Its first failure was logged.
  }
}

function ignore(): void {}
