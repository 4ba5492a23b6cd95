import type { SubscriptionEnd } from '../../observe/metrics.ts'
import type { Framing } from './framing.ts'

/** Why nobody reads a stream any more. */
export type Gone = Extract<SubscriptionEnd, 'client-gone' | 'stalled' | 'error'>

/**
 * Where the text of a stream goes: a response of Node or a `ReadableStream`. Nothing of it throws: what the host's object
 * throws ends this stream, and nothing else. After its end it takes anything, silently.
 */
export interface Sink {
  /** Takes a chunk whole. A promise: no more until it resolves. */
  write(chunk: string): Promise<void> | undefined
  /** Takes a text that only keeps the connection open, unless earlier text still waits for the reader. */
  keepAlive(text: string): void
  /** Lets a writer that waits for the reader go on. A chunk that was cut by it is never continued. */
  interrupt(): void
  /** Ends the connection; what was written is still delivered. */
  end(): void
}

/** The body of an answer, as it comes to be. */
export interface ResponseStream {
  /** Starts; the stream ends the sink in any case. */
  open(sink: Sink): ResponseReader
  /** Gives up what it holds, where there is nothing to open it on. */
  abandon(): void
}

/** What the sink tells of its reader. */
export interface ResponseReader {
  gone(reason: Gone): void
}

/** A text in pieces, each written when there is room for it. `done`: nothing of it waits any more. */
export function createTextStream(pieces: readonly string[], done: () => void): ResponseStream {
  return {
    abandon: done,
    open(sink) {
      let isGone = false
      void send()
      return {
        gone() {
          isGone = true
          done()
        },
      }

      async function send(): Promise<void> {
        for (const piece of pieces) {
          if (isGone) break
          await sink.write(piece)
        }
        sink.end()
        done()
      }
    },
  }
}

/** One result and the end: a query or a mutation, or the errors of a request, on a stream. Without a result: the end. */
export function createResultStream(framing: Framing, payload?: string): ResponseStream {
  return {
    abandon: () => {},
    open(sink) {
      const end = () => sink.end()
      const frames =
        payload === undefined
          ? `${framing.opening}${framing.complete}`
          : framing.result.join(payload)
      const room = sink.write(frames)
      if (room) room.then(end, end)
      else end()
      return { gone: () => {} }
    },
  }
}
