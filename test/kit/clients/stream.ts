import type { IncomingHttpHeaders } from 'node:http'
import { createFrameParser, type Frame } from './sse-frames.ts'
import { patienceMs, within } from '../process/until.ts'

/** How a stream ended: it said so, we cut it, or the server closed it without a word. */
export type StreamEnd = 'complete' | 'cut' | 'closed'

/** An open SSE stream. Frames wait here until they are taken. */
export interface Stream extends Disposable {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body so far. */
  readonly bytes: number
  /** The next `next` frame, comments left out; undefined once the stream has ended. */
  next(deadlineMs?: number): Promise<Frame | undefined>
  /** Every frame as it came, comments included. */
  readonly frames: readonly Frame[]
  readonly ended: Promise<StreamEnd>
  /** The body of an answer that is no event stream. */
  readonly refusal: Promise<string>
  cut(): void
  /** Stops reading from the socket, so that the kernel's buffers fill. */
  pause(): void
  resume(): void
}

/** Where a stream comes from, and what steers it. */
export interface StreamSource {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly cutAfter: number
  /** Nothing more is wanted. */
  stop(): void
  pause(): void
  resume(): void
}

/** The end of a stream at which it is filled. */
export interface StreamInlet {
  readonly stream: Stream
  /** False: the answer is no event stream, and its whole body goes to `refuse`. */
  readonly isEvents: boolean
  take(chunk: Uint8Array): void
  refuse(body: string): void
  /** Nothing more will come. */
  close(): void
}

export function createStream(source: StreamSource): StreamInlet {
  const { status, headers, cutAfter } = source
  const parse = createFrameParser()
  const frames: Frame[] = []
  const ended = Promise.withResolvers<StreamEnd>()
  const refusal = Promise.withResolvers<string>()
  const isEvents = headers['content-type']?.startsWith('text/event-stream') ?? false
  let taken = 0
  let bytes = 0
  let end: StreamEnd | undefined
  let wake = Promise.withResolvers<void>()

  function finish(how: StreamEnd) {
    end ??= how
    ended.resolve(end)
    if (isEvents) refusal.resolve('')
    wake.resolve()
  }

  function cut() {
    finish('cut')
    source.stop()
  }

  const stream: Stream = {
    status,
    headers,
    frames,
    ended: ended.promise,
    refusal: refusal.promise,
    get bytes() {
      return bytes
    },
    async next(deadlineMs = patienceMs) {
      const due = performance.now() + deadlineMs
      for (;;) {
        const frame = frames[taken]
        if (frame !== undefined) taken += 1
        else if (end !== undefined) return undefined
        else {
          wake = Promise.withResolvers()
          await within(wake.promise, 'a frame', due - performance.now())
        }
        if (frame?.event === 'next') return frame
      }
    },
    cut,
    pause: () => source.pause(),
    resume: () => source.resume(),
    [Symbol.dispose]: cut,
  }

  return {
    stream,
    isEvents,
    take(chunk) {
      if (end !== undefined) return
      const part = chunk.subarray(0, cutAfter - bytes)
      bytes += part.length
      for (const frame of parse(part)) {
        frames.push(frame)
        if (frame.event === 'complete') finish('complete')
      }
      wake.resolve()
      if (bytes >= cutAfter) cut()
    },
    refuse: (body) => refusal.resolve(body),
    close: () => finish('closed'),
  }
}
