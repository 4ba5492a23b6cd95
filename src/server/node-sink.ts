import type { ServerResponse } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import { sliceEnd } from '../lib/surrogate.ts'
import type { Turns } from '../lib/turns.ts'
import type { EventStream, Sink } from './event-stream.ts'
import { commentFrame } from './sse.ts'

/** UTF-16 code units of a long text that are written at once. */
const sliceLength = 8_192

export interface SinkLimits {
  readonly clock: Clock
  /** Readers that keep up take turns by the bytes that are written to them. */
  readonly turns: Turns
  /** Bytes that wait for a client that does not read. */
  readonly maxBufferedBytes: number
  /** After so many ms of it the connection is destroyed. */
  readonly stalledMs: number
  /** ms between two comments on an idle stream. */
  readonly keepAliveMs: number
}

/** Sends a stream straight to Node's response, whose head has been written. */
export function streamToNode(stream: EventStream, res: ServerResponse, limits: SinkLimits): void {
  const { clock, turns, maxBufferedBytes, stalledMs } = limits
  let wake: (() => void) | undefined
  let stall: Disposable | undefined
  let slicing = false
  /** A frame was cut: nothing can follow it. */
  let torn = false

  const sink: Sink = {
    write(chunk) {
      if (isOver()) return undefined
      // Where nothing waits, the socket takes the text as it is.
      if (chunk.length > sliceLength * 2 || res.writableLength > 0) return writeSlices(chunk)
      res.write(chunk, settle)
      return turns.take(chunk.length)
    },
    keepAlive() {
      if (!isOver() && !wake && !slicing) res.write(commentFrame, settle)
    },
    interrupt() {
      torn = slicing
      settle()
    },
    end() {
      if (torn) res.destroy()
      if (res.destroyed) return
      res.end()
      stall = clock.timer(stalledMs, () => res.destroy())
    },
  }
  res.once('close', () => {
    stall?.[Symbol.dispose]()
    stall = undefined
    reader.gone('client-gone')
    settle()
  })
  const reader = stream.open(sink)
  // Its client may have gone while the answer was made.
  if (res.destroyed) reader.gone('client-gone')

  function isOver(): boolean {
    return torn || res.destroyed || res.writableEnded
  }

  function fits(bytes: number): boolean {
    return res.writableLength === 0 || res.writableLength + bytes <= maxBufferedBytes
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
      res.write(slice, settle)
      from = to
      const turn = turns.take(slice.length)
      if (turn) await turn
    }
    slicing = false
  }

  function room(): Promise<void> {
    stall = clock.timer(stalledMs, () => {
      reader.gone('stalled')
      res.destroy()
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
}
