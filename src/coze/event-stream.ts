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
  /** Streams take turns by the pieces and bytes that they bring. */
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
  /** What ended the stream before the run had ended: the upstream, a deadline or the caller's signal. */
  readonly failure: Error | undefined
  /**
   * Hands each network read's events to `take`, those that are there already at once. Resolves when the run's end was
   * taken; rejects with what went wrong, after the last good event was taken, or with what `take` failed with.
   */
  read(take: Take): Promise<void>
}

interface Reading extends PromiseWithResolvers<void> {
  readonly take: Take
}

type Take = (events: readonly CozeEvent[]) => Promise<void> | undefined

/**
 * Taking a piece of the body, and its way to the readers, takes as long as reading so many bytes. Where many streams speak
 * at once, pieces wait for their turn and are taken together: messages that begin then do not wait for all of them.
 */
const pieceUnits = 5_000
/**
 * The first pieces of a stream wait for no turn: they bring the beginning of its run, and the first words. Else all who begin
 * together would wait for the words of all.
 */
const promptPieces = 3
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
 * Bytes become events as they come in. One network read may bring several pieces of the body (HTTP chunks): their events
 * are taken together, when the microtasks of that read run. What fails waits its turn behind the events before it; the
 * caller's own abort does not. Once the run has ended nothing can fail any more.
 */
export async function openEventStream(
  request: WireRequest,
  options: EventStreamOptions,
  signal: AbortSignal,
): Promise<EventStream> {
  signal.throwIfAborted()
  const { send, clock, metrics, origin, limits, timeouts } = options
  const { promise: opened, resolve: open, reject: refuse } = Promise.withResolvers<void>()
  let reading: Reading | undefined
  /** Resolved when there is something to hand over. */
  let due = Promise.withResolvers<void>()
  /** Events that nobody has taken. */
  let events: CozeEvent[] = []
  /** The taker has not settled. */
  let isTaking = false
  /** What the connection is paused for: the taker, a turn. */
  let holds = 0
  /** Pieces of the body that came all the same. */
  let held: Uint8Array[] = []
  /** Pieces that have come, up to those that are prompt. */
  let pieces = 0
  let sent = false
  let hasEvents = false
  let reader: StreamReader | undefined
  /** Until the first bytes: what the reader gives way to if they begin an error envelope under the type of a stream. */
  let envelope: JsonBody | undefined
  let refusal: JsonBody | undefined
  let logId: string | undefined
  /** Nothing more is read. */
  let closed = false
  let bodyOver = false
  let failure: Error | undefined
  let lingering: Disposable | undefined

  const lifetime = openLifetime({ clock, fail }, signal)
  lifetime.enter(timeouts.connectMs, notConnected)
  lifetime.limit(timeouts.totalMs, tooLong)
  const exchange = send(request, {
    onSent() {
      sent = true
      lifetime.enter(timeouts.firstEventMs, firstEventLate)
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
      if (holds > 0) {
        held.push(chunk)
        return
      }
      const isPrompt = pieces < promptPieces
      if (isPrompt) pieces += 1
      const turn = isPrompt ? undefined : options.turns.take(chunk.length + pieceUnits)
      if (turn === undefined) {
        readPiece(chunk)
      } else {
        held.push(chunk)
        hold()
        void turn.then(() => {
          readHeld()
          letGo()
        })
      }
    },
    onEnd() {
      readHeld()
      bodyOver = true
      lingering?.[Symbol.dispose]()
      if (reader === undefined) fail(refused())
      else end(reader)
    },
    onError(cause) {
      readHeld()
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
    get failure() {
      return failure
    },
    async read(take) {
      reading = { take, ...Promise.withResolvers<void>() }
      handOver()
      await reading.promise
    },
    [Symbol.dispose]: () => fail(left),
  }

  function hold() {
    holds += 1
    if (holds === 1) exchange.pause()
  }

  function letGo() {
    holds -= 1
    if (holds === 0 && !closed) exchange.resume()
  }

  function readHeld() {
    const chunks = held
    held = []
    for (const chunk of chunks) readPiece(chunk)
  }

  function readPiece(chunk: Uint8Array) {
    if (closed) return
    try {
      if (envelope !== undefined && chunk[0] === openingBrace) {
        refusal = envelope
        reader = undefined
      }
      envelope = undefined
      if (reader === undefined) refusal?.push(chunk)
      else readEvents(reader, chunk)
    } catch (cause) {
      fail(asError(cause))
    }
  }

  function readEvents(from: StreamReader, chunk: Uint8Array) {
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
    due.resolve()
  }

  /**
   * Gives the taker all that is there, and settles when nothing more can come. Waits for the next time by a promise, since
   * that keeps the context (of traces) of who reads: the connection's own is that of whoever opened it.
   */
  function handOver() {
    if (reading === undefined || isTaking) return
    due = Promise.withResolvers()
    void due.promise.then(handOver)
    if (events.length > 0) {
      const batch = events
      events = []
      try {
        const taken = reading.take(batch)
        if (taken !== undefined) {
          waitFor(taken)
          return
        }
      } catch (cause) {
        giveUp(cause)
      }
    }
    if (reader?.isEnded === true && !closed) fail(over)
    if (!closed) return
    if (failure === undefined) reading.resolve()
    else reading.reject(failure)
  }

  /** While the taker works the silence is ours. */
  function waitFor(taken: Promise<void>) {
    isTaking = true
    const isOpen = !closed
    if (isOpen) {
      lifetime.leave()
      hold()
    }
    void taken.catch(giveUp).then(() => {
      isTaking = false
      if (!closed) enterIdle()
      if (holds === 1) readHeld()
      handOver()
      if (isOpen) letGo()
    })
  }

  /** The taker failed: it is given nothing more. */
  function giveUp(cause: unknown) {
    reading?.reject(cause)
    events = []
    fail(left)
  }

  function end(from: StreamReader) {
    if (!closed) fail(from.isEnded ? over : error('truncated', 'the stream ended before the run'))
  }

  /** Ends the stream. Of an ended run that is no failure, whatever it was. */
  function fail(reason: Error) {
    if (closed) return
    closed = true
    lifetime[Symbol.dispose]()
    const isOurs = signal.aborted
    if (isOurs) events = []
    if (isOurs || reader?.isEnded !== true) failure = reason
    refuse(reason)
    leaveConnection(reason)
    due.resolve()
  }

  /** An ended run's connection may be used again, once its body is read; any other is closed. */
  function leaveConnection(reason: Error) {
    if (bodyOver) return
    if (reader?.isEnded !== true) {
      exchange.abort(reason)
      return
    }
    lingering = clock.timer(lingerMs, () => exchange.abort(reason))
    if (holds > 0) exchange.resume()
  }

  function enterIdle() {
    lifetime.enter(timeouts.idleMs, silent)
  }

  function tooLong() {
    return error('limit', 'the run takes too long', 'TOTAL_TIMEOUT')
  }

  function silent() {
    return error('timeout', 'the stream fell silent', 'IDLE_TIMEOUT')
  }

  function firstEventLate() {
    return error('timeout', 'no first event in time', 'FIRST_EVENT_TIMEOUT')
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
