import type { SubscriptionEnd } from '../../observe/metrics.ts'
import type { Framing } from './framing.ts'

/** The reasons why nobody reads a stream any more. */
export type Gone = Extract<SubscriptionEnd, 'client-gone' | 'stalled' | 'error'>

/**
 * The target of a stream's text: a response of Node or a `ReadableStream`. Its methods never throw: an error of the host's
 * object ends this stream only. After the end all text is silently dropped.
 */
export interface Sink {
  /** Takes a whole chunk. After a promise, the next chunk must wait until it resolves. */
  write(chunk: string): Promise<void> | undefined
  /** Takes a text that only keeps the connection open, unless earlier text still waits for the reader. */
  keepAlive(text: string): void
  /** Wakes a writer that waits for the reader. A chunk that is cut by this is never continued. */
  interrupt(): void
  /** Ends the response. Text that was written is still delivered. */
  end(): void
}

/** The body of a response while it is made. */
export interface ResponseStream {
  /** Starts the stream, which ends the sink in any case. */
  open(sink: Sink): ResponseReader
  /** Frees what it holds if it cannot be opened. */
  abandon(): void
}

/** Called by the sink about its reader. */
export interface ResponseReader {
  gone(reason: Gone): void
}

/** A text in pieces, each written when there is room for it. `done`: called when all of it has left. */
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

/**
 * One result and the end on a stream: that of a query or mutation, or the errors of a request. Without a result: the end
 * only.
 */
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
