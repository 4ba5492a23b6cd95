import type { Clock } from '../lib/clock.ts'
import type { Turns } from '../lib/turns.ts'
import type { Metrics } from '../observe/metrics.ts'
import { createJsonBody, type JsonBody, readHead } from './envelope.ts'
import { type CallOrigin, CozeError, type CozeErrorKind } from './errors.ts'
import type { CozeEvent } from './events.ts'
import { asError, notConnected } from './json-call.ts'
import { openLifetime } from './lifetime.ts'
import { createStreamReader, type StreamLimits, type StreamReader } from './stream-reader.ts'
import { connectionError, type Send, type WireRequest } from './wire.ts'

export interface EventStreamOptions {
  readonly send: Send
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'upstreamOddity' | 'upstreamError'>
  readonly origin: CallOrigin
  /** Streams that bring much at once take turns by their bytes. */
  readonly turns: Turns
  readonly limits: StreamLimits & { readonly maxJsonBytes: number }
  readonly timeouts: {
    readonly connectMs: number
    readonly firstEventMs: number
    readonly idleMs: number
    readonly totalMs: number
  }
}

/** A run's events as they come. Disposing it ends the exchange. */
export interface EventStream extends Disposable {
  readonly logId: string | undefined
  /** The run has ended, by the upstream's word. */
  readonly isEnded: boolean
  /**
   * Waits for events, and takes all that are there; undefined after the run's end. Rejects with what went wrong, after
   * the last good batch.
   */
  next(): Promise<readonly CozeEvent[] | undefined>
}

/** A slow consumer holds at most this many pieces of the body; then the connection is paused until they are taken. */
const maxWaiting = 64
/** Bytes that a stream may bring without waiting for a turn: those of any that is written as a model speaks. */
const freeUnits = 8_192
/** Taking a piece of the body takes as long as reading so many bytes. */
const pieceUnits = 100
/** Endings that are no failures: made once, since a stack costs more than the rest of an ending. */
const over = new Error('the run has ended')
const left = new Error('the consumer left')
const openingBrace = 0x7b
/** How long an ended run's connection may take to finish its body, to be used again. */
const lingerMs = 1000

/**
 * Sends once; resolves when the upstream has begun to stream.
 *
 * ```
 * connecting ─► sent ─► head ─┬─ text/event-stream ─► streaming ─► ended ─► done │ body's end
 *                             └─ anything else, or `{` ─► gathered and thrown as the error it holds
 * ```
 * Bytes become events as they come in. One network read may bring several pieces of the body (HTTP chunks): they are one
 * batch. What fails waits its turn behind the events before it; the caller's own abort does not. Once the run has ended nothing can fail any more.
 */
export async function openEventStream(
  request: WireRequest,
  options: EventStreamOptions,
  signal: AbortSignal,
): Promise<EventStream> {
  signal.throwIfAborted()
  const { send, clock, metrics, origin, limits, timeouts } = options
  const { promise: opened, resolve: open, reject: refuse } = Promise.withResolvers<void>()
  let events: CozeEvent[] = []
  /** Pieces of the body whose events wait. */
  let waiting = 0
  let sent = false
  let paused = false
  /** Pieces of the body that wait for their turn. */
  let held: Uint8Array[] = []
  /** Units that were read since the last turn was taken. */
  let unpaid = 0
  let hasEvents = false
  let reader: StreamReader | undefined
  /** Until the first bytes: what the reader gives way to if they begin an error envelope under the type of a stream. */
  let envelope: JsonBody | undefined
  let refusal: JsonBody | undefined
  let logId: string | undefined
  /** No more batches will come. */
  let closed = false
  let bodyOver = false
  let failure: Error | undefined
  let lingering: Disposable | undefined
  let wake = () => {}

  const lifetime = openLifetime({ clock, fail }, signal)
  lifetime.enter(timeouts.connectMs, notConnected)
  const total = clock.timer(timeouts.totalMs, () =>
    fail(error('limit', 'the run takes too long', 'TOTAL_TIMEOUT')),
  )
  const exchange = send(request, {
    onSent() {
      sent = true
      lifetime.enter(timeouts.firstEventMs, () =>
        error('timeout', 'no first event in time', 'FIRST_EVENT_TIMEOUT'),
      )
    },
    onHead(status, headers) {
      const head = readHead(status, headers, clock.now())
      logId = head.logId
      const body = createJsonBody(head, limits.maxJsonBytes)
      if (status === 200 && head.isEventStream) {
        reader = createStreamReader({ limits, logId, metrics, origin })
        envelope = body
        open()
      } else {
        refusal = body
      }
    },
    onData(chunk) {
      if (closed) return
      const turn = held.length === 0 ? pay(chunk.length) : undefined
      if (held.length === 0 && turn === undefined) {
        take(chunk)
        return
      }
      held.push(chunk)
      if (turn === undefined) return
      if (!paused) exchange.pause()
      void turn.then(takeHeld)
    },
    onEnd() {
      bodyOver = true
      lingering?.[Symbol.dispose]()
      if (reader === undefined) fail(refused())
      else end(reader)
    },
    onError(cause) {
      takeHeld()
      bodyOver = true
      lingering?.[Symbol.dispose]()
      const answered = reader !== undefined || refusal !== undefined
      fail(connectionError(cause, { sent, answered, accepted: reader?.accepted, logId }))
    },
  })

  await opened
  return {
    logId,
    get isEnded() {
      return reader?.isEnded === true
    },
    next,
    [Symbol.dispose]: () => fail(left),
  }

  /** A promise: no more may be read before it resolves. */
  function pay(bytes: number): Promise<void> | undefined {
    unpaid += bytes + pieceUnits
    if (unpaid <= freeUnits) return undefined
    const units = unpaid
    unpaid = 0
    return options.turns.take(units)
  }

  function takeHeld() {
    if (held.length === 0) return
    const chunks = held
    held = []
    for (const chunk of chunks) take(chunk)
    if (!closed && !paused) exchange.resume()
  }

  function take(chunk: Uint8Array) {
    if (closed) return
    try {
      if (envelope !== undefined && chunk[0] === openingBrace) {
        refusal = envelope
        reader = undefined
      }
      envelope = undefined
      if (reader === undefined) refusal?.push(chunk)
      else read(reader, chunk)
    } catch (cause) {
      fail(asError(cause))
    }
  }

  function read(from: StreamReader, chunk: Uint8Array) {
    const before = events.length
    try {
      from.read(chunk, events)
    } finally {
      if (events.length > before) announce()
    }
    if (from.isDone) end(from)
    else if (hasEvents) lifetime.extend()
  }

  function announce() {
    if (!hasEvents) {
      hasEvents = true
      enterIdle()
    }
    waiting += 1
    if (!paused && waiting >= maxWaiting) pause()
    wake()
  }

  function end(from: StreamReader) {
    if (!closed) fail(from.isEnded ? over : error('truncated', 'the stream ended before the run'))
  }

  /** Ends the stream. Of an ended run that is no failure, whatever it was. */
  function fail(reason: Error) {
    if (closed) return
    closed = true
    lifetime[Symbol.dispose]()
    total[Symbol.dispose]()
    const isOurs = signal.aborted
    if (isOurs) events = []
    if (isOurs || reader?.isEnded !== true) failure = reason
    refuse(reason)
    leaveConnection(reason)
    wake()
  }

  /** An ended run's connection may be used again, once its body is read; any other is closed. */
  function leaveConnection(reason: Error) {
    if (bodyOver) return
    if (reader?.isEnded !== true) {
      exchange.abort(reason)
      return
    }
    lingering = clock.timer(lingerMs, () => exchange.abort(reason))
    exchange.resume()
  }

  async function next(): Promise<readonly CozeEvent[] | undefined> {
    while (events.length === 0 && !closed) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const batch = events
    events = []
    waiting = 0
    if (paused) resume()
    if (batch.length > 0) return batch
    if (failure !== undefined) throw failure
    return undefined
  }

  /** While paused the silence is ours. */
  function pause() {
    paused = true
    exchange.pause()
    lifetime.leave()
  }

  function resume() {
    paused = false
    if (!closed) enterIdle()
    if (held.length === 0) exchange.resume()
  }

  function enterIdle() {
    lifetime.enter(timeouts.idleMs, () =>
      error('timeout', 'the stream fell silent', 'IDLE_TIMEOUT'),
    )
  }

  function refused(): Error {
    try {
      refusal?.finish()
    } catch (cause) {
      return asError(cause)
    }
    return error('protocol', 'the answer is no event stream')
  }

  function error(kind: CozeErrorKind, what: string, systemCode?: string): CozeError {
    return new CozeError(kind, what, { logId, systemCode, accepted: reader?.accepted ?? 'unknown' })
  }
}
