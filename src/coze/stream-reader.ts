import { Buffer } from 'node:buffer'
import type { Metrics } from '../observe/metrics.ts'
import { type Accepted, type CallOrigin, CozeError } from './errors.ts'
import { reportError } from './report.ts'
import { type CozeEvent, decodeFrame, frameKind } from './events.ts'
import { createSseParser, SseSyntaxError } from './sse.ts'

export interface StreamLimits {
  /** Of one event, in bytes. */
  readonly maxEventBytes: number
  /** Of all deltas, in bytes of UTF-8. */
  readonly maxReplyBytes: number
  /** Of one stream, also those that are ignored. */
  readonly maxReplyEvents: number
}

export interface StreamReader {
  /**
   * Appends what the next bytes say, cut anywhere.
   *
   * @throws CozeError `protocol`, `too-large` or `limit`; what came before is in `into`. Nothing may be read afterwards.
   */
  read(chunk: Uint8Array, into: CozeEvent[]): void
  /** A chat has been heard of: until then nothing is known to be accepted. */
  readonly accepted: Accepted
  /** The chat has reached its end, or the stream its error: what follows is noise. */
  readonly isEnded: boolean
  /** The stream said so itself. */
  readonly isDone: boolean
}

/** Reads one run: bytes to events, in the order they may be believed, each terminal once, within limits. */
export function createStreamReader(options: {
  readonly limits: StreamLimits
  readonly logId: string | undefined
  readonly metrics: Pick<Metrics, 'upstreamOddity' | 'upstreamError'>
  readonly origin: CallOrigin
}): StreamReader {
  const { limits, logId, metrics, origin } = options
  const parser = createSseParser({ maxEventBytes: limits.maxEventBytes, onFrame })
  /** Of one frame: at most two. */
  const decoded: CozeEvent[] = []
  let events: CozeEvent[] = []
  let frames = 0
  let textBytes = 0
  let isHeard = false
  let isEnded = false
  let isDone = false

  function onFrame(name: string, data: string) {
    frames += 1
    if (frames > limits.maxReplyEvents) throw failure('limit', 'the stream has too many events')
    const kind = frameKind(name)
    if (kind === 'unknown') metrics.upstreamOddity('unknown-event')
    else if (kind === 'done') isDone = true
    else if (isEnded && kind !== 'audio') {
      metrics.upstreamOddity(kind === 'message' ? 'late-delta' : 'extra-terminal')
    }
    if (kind === 'unknown' || (isEnded && kind !== 'done')) return

    decoded.length = 0
    // An error before anything else is a refusal.
    const accepted = isHeard ? 'yes' : kind === 'error' ? 'no' : 'unknown'
    decodeFrame(name, data, { logId, accepted }, decoded)
    for (const event of decoded) {
      note(event)
      events.push(event)
    }
  }

  /** Learns how the run stands. Nothing is kept of what an event says: what a reply holds has a limit of its own. */
  function note(event: CozeEvent): void {
    switch (event.type) {
      case 'delta':
        isHeard = true
        textBytes += Buffer.byteLength(event.text)
        if (textBytes > limits.maxReplyBytes) throw failure('limit', tooMuchText)
        return
      case 'answer':
        isHeard = true
        if (Buffer.byteLength(event.text) > limits.maxReplyBytes)
          throw failure('limit', tooMuchText)
        return
      case 'follow-up':
      case 'created':
      case 'in-progress':
      case 'answer-finished':
      case 'other':
      case 'tool-output':
      case 'audio':
        isHeard = true
        return
      case 'completed':
      case 'cancelled':
      case 'requires-action':
        isHeard = true
        isEnded = true
        return
      case 'failed':
        isHeard = true
        isEnded = true
        reportError(metrics, origin, event.error.from(origin))
        return
      case 'error':
        isEnded = true
        reportError(metrics, origin, event.error.from(origin))
        return
      case 'done':
        return
    }
  }

  function failure(kind: 'limit' | 'too-large' | 'protocol', what: string): CozeError {
    return new CozeError(kind, what, { logId, accepted: isHeard ? 'yes' : 'unknown' })
  }

  return {
    read(chunk, into) {
      events = into
      try {
        parser.push(chunk)
      } catch (error) {
        if (!(error instanceof SseSyntaxError)) throw error
        throw failure(error.reason === 'too-large' ? 'too-large' : 'protocol', error.message)
      }
    },
    get accepted() {
      return isHeard ? 'yes' : 'unknown'
    },
    get isEnded() {
      return isEnded
    },
    get isDone() {
      return isDone
    },
  }
}

const tooMuchText = 'the stream has too much text'
