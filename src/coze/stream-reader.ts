import { Buffer } from 'node:buffer'
import type { Metrics } from '../observe/metrics.ts'
import { type Accepted, type CallOrigin, CozeError } from './errors.ts'
import { reportError } from './watch.ts'
import { type CozeDelta, type CozeEvent, decodeFrame, frameKind } from './events.ts'
import { findRepeatedFrame, isSameMessage, type RepeatedFrame } from './repeated-frame.ts'
import { createSseParser, SseSyntaxError } from './sse.ts'

export interface StreamLimits {
  /** Bytes of one event. */
  readonly maxEventBytes: number
  /** Bytes of all deltas, in UTF-8. */
  readonly maxReplyBytes: number
  /** Events of one stream, also those that are ignored. */
  readonly maxReplyEvents: number
}

export interface StreamReader {
  /**
   * Appends what the next bytes say, cut anywhere. Pieces of one message that follow on each other in `into` are one event.
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
  const { maxEventBytes, maxReplyBytes } = limits
  const parser = createSseParser({ maxEventBytes, onFrame, readKnown })
  /** The events of one frame: at most two. */
  const decoded: CozeEvent[] = []
  let events: CozeEvent[] = []
  let frames = 0
  let textBytes = 0
  let isHeard = false
  let isEnded = false
  let isDone = false
  /** The last event, if it is a piece of text: others of its message are added to it. */
  let growing: Growing | undefined
  let repeated: RepeatedFrame | undefined
  /** Patterns in a row that no other frame had: after some of them none is looked for. */
  let useless = 0

  function onFrame(name: string, data: string, frame: string | undefined) {
    countFrame()
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
      if (event.type === 'delta') add(event, event.text)
      else events.push(event)
    }
    const [delta] = decoded
    if (frame !== undefined && decoded.length === 1 && delta?.type === 'delta')
      learn(frame, data, delta)
  }

  function countFrame() {
    frames += 1
    if (frames > limits.maxReplyEvents) throw failure('limit', 'the stream has too many events')
  }

  function learn(frame: string, data: string, delta: CozeDelta) {
    if (useless >= maxUseless) return
    useless += 1
    repeated = findRepeatedFrame(frame, data, delta)
  }

  /** Reads frames that differ from one before in nothing but their text. */
  function readKnown(text: string, from: number): number {
    // What comes after the end is counted by what it is.
    if (repeated === undefined || isEnded) return from
    let at = from
    let said = ''
    try {
      while (repeated.match(text, at)) {
        const { end } = repeated
        if ((end - at) * maxBytesOfUnit > maxEventBytes) break
        useless = 0
        countFrame()
        countText(repeated.bytes)
        said += repeated.text
        at = end
      }
    } finally {
      if (said !== '') add(repeated.delta, said)
    }
    return at
  }

  function add(delta: CozeDelta, text: string) {
    if (growing !== undefined && growing === events.at(-1) && isSameMessage(growing, delta)) {
      growing.text += text
    } else {
      growing = { ...delta, text }
      events.push(growing)
    }
  }

  function countText(bytes: number) {
    textBytes += bytes
    if (textBytes > maxReplyBytes) throw failure('limit', tooMuchText)
  }

  /** Learns how the run stands. Nothing is kept of what an event says: what a reply holds has a limit of its own. */
  function note(event: CozeEvent): void {
    switch (event.type) {
      case 'delta':
        isHeard = true
        countText(Buffer.byteLength(event.text))
        return
      case 'answer':
        isHeard = true
        if (Buffer.byteLength(event.text) > maxReplyBytes) throw failure('limit', tooMuchText)
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

type Growing = Omit<CozeDelta, 'text'> & { text: string }

/** Bytes of a UTF-16 unit in UTF-8, at most. */
const maxBytesOfUnit = 3
const maxUseless = 8
const tooMuchText = 'the stream has too much text'
