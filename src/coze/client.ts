import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { ProxySettings } from '../config/proxy.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Secret } from '../lib/secret.ts'
import { createTurns } from '../lib/turns.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import { createBaseUrls, createWireRequests } from './wire-request.ts'
import type { CozeCall } from './calls.ts'
import type { CozeAnswer } from './envelope.ts'
import { openEventStream } from './event-stream.ts'
import { type CallOrigin, CozeError } from './errors.ts'
import type { CozeEvent } from './events.ts'
import { callJson } from './json-call.ts'
import { reportError, createWatch } from './watch.ts'
import { type RetryMetrics, type Try, withRetries } from './retry.ts'
import { createTransport } from './transport.ts'
import type { WireRequest } from './wire.ts'

/** Where an upstream call goes, and as whom. */
export interface CozeTarget {
  /** Scheme and host, e.g. `https://api.coze.com`; a path prefix is kept. */
  readonly baseUrl: string
  /** Sent as the bearer: an access token, or (token endpoint) a signed JWT. */
  readonly token: Secret
}

export interface CozeRequest {
  readonly call: CozeCall
  readonly target: CozeTarget
  readonly method: WireRequest['method']
  readonly path: string
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** For the answer to one try, in ms; a repeat on a new connection gets what is left. Default: the client's `callMs`. */
  readonly timeoutMs?: number | undefined
  /** Makes the bearer of each try after the first. Default: the target's token again. */
  readonly renewToken?: (() => Promise<Secret>) | undefined
}

/** Times of one stream, in ms. */
export interface StreamTimeouts {
  /** From sending the request to the first event. */
  readonly firstEventMs: number
  /** Between two reads. */
  readonly idleMs: number
  /** For all of it. */
  readonly totalMs: number
}

export interface CozeStreamRequest extends Omit<CozeRequest, 'timeoutMs' | 'method'> {
  readonly timeouts: StreamTimeouts
  readonly listener?: StreamListener | undefined
}

/** Hears how a stream comes to be. */
export interface StreamListener {
  /** Before each try to be heard. */
  onTry(): void
  /** The upstream has begun to stream. */
  onOpen(logId: string | undefined): void
}

export interface CozeUpload extends Omit<CozeRequest, 'method' | 'body'> {
  readonly contentType: string
  /** Read once, at the upstream's pace. What it fails with ends the upload. */
  readonly content: AsyncIterable<Uint8Array>
}

/**
 * Takes the events of one network read, in the turn of the event loop in which they came. While a returned promise is
 * pending the connection is paused; when it throws or rejects, the request is aborted.
 */
export type TakeCozeEvents = (events: readonly CozeEvent[]) => Promise<void> | undefined

/** A request, and what its answer means. */
export interface CozeReading<T> {
  /** Reads a successful answer. @throws CozeError `protocol` for one that lacks what the call promises */
  readonly read: (answer: CozeAnswer) => T
}

/**
 * Failures are {@link CozeError} and tell which call failed; an aborted signal rejects with its own reason. A call that a
 * platform turned out not to have is `not-supported`, and is not sent again for an hour.
 */
export interface CozeClient extends AsyncDisposable {
  request<T>(request: CozeRequest & CozeReading<T>, signal: AbortSignal): Promise<T>
  /** Sends a body that is not in memory. Never tries again: it is gone then. */
  upload<T>(request: CozeUpload & CozeReading<T>, signal: AbortSignal): Promise<T>
  /**
   * Resolves when a terminal event was taken. Rejects with what ended the stream otherwise, after the last good event was
   * taken, or with what `take` failed with.
   */
  stream(request: CozeStreamRequest, take: TakeCozeEvents, signal: AbortSignal): Promise<void>
}

export interface CozeClientOptions {
  readonly clock: Clock
  /** Gives [0, 1). Jitters the pauses between tries. */
  readonly random: () => number
  readonly metrics: Pick<Metrics, 'upstreamOddity' | 'upstreamCalled'> & RetryMetrics
  readonly tracer: Tracer
  /** Called once for every call that failed, whatever became of it; not for one that was aborted. */
  readonly onFailure: (failure: UpstreamFailure) => void
  /** Default: undici agents of our own, closed with the client. */
  readonly dispatcher?: Dispatcher | undefined
  /** For our own agents. Undefined: all upstreams are reached directly. */
  readonly proxy?: ProxySettings | undefined
  readonly timeouts: CozeTimeouts
  readonly limits: CozeLimits
}

/** In ms. */
export interface CozeTimeouts {
  /** Until the connection stands. */
  readonly connectMs: number
  /** From there to the whole of a JSON answer. */
  readonly callMs: number
  /** In which connecting may be tried again. */
  readonly retryMs: number
  /** The longest `Retry-After` that is waited for. */
  readonly rateLimitWaitMs: number
}

export interface CozeLimits {
  /** Bytes of one event's data. */
  readonly maxEventBytes: number
  /** Bytes of all deltas of a stream, in UTF-8. */
  readonly maxReplyBytes: number
  /** Events of a stream, ignored ones included. */
  readonly maxReplyEvents: number
  /** To one upstream origin, without `dispatcher`. */
  readonly maxUpstreamConnections: number
}

/** How much of the time for an answer a connection that was kept alive may be silent, before a new one is used. */
const silentShare = 1 / 3

/** Bytes of all streams that are read in one turn of the event loop: some milliseconds of work. */
const bytesPerTurn = 131_072

/** Bytes of one JSON answer. */
const maxJsonBytes = 8_388_608
const unsent = { accepted: 'no' } as const
/** After so long a call that a platform did not have is tried again: it may have been updated. In ms. */
const missingMs = 3_600_000

/** The only way to the upstream. Disposing it breaks off what is under way. */
export function createCozeClient(options: CozeClientOptions): CozeClient {
  const { clock, random, metrics } = options
  const { timeouts, limits } = options
  const retries = { clock, random, metrics, ...timeouts }
  const transport = createTransport({
    dispatcher: options.dispatcher,
    proxy: options.proxy,
    connectMs: timeouts.connectMs,
    maxConnections: limits.maxUpstreamConnections,
  })
  const { send } = transport
  const turns = createTurns(bytesPerTurn)
  const baseUrls = createBaseUrls()
  const wireRequest = createWireRequests(baseUrls)
  const watch = createWatch({ ...options, baseUrls })
  /** When a platform was found not to have a call, by its base URL and the call. */
  const missing = new Map<string, number>()

  /** Makes a call unless the platform is known not to have it. */
  async function ifSupported<T>(
    { call, target }: Pick<CozeRequest, 'call' | 'target'>,
    send: () => Promise<T>,
  ): Promise<T> {
    const key = `${target.baseUrl} ${call}`
    const since = missing.get(key)
    if (since !== undefined && clock.monotonic() - since < missingMs) {
      const error = new CozeError('not-supported', 'the platform has no such call', unsent)
      throw error.from(originOf({ call, target }))
    }
    try {
      return await send()
    } catch (error) {
      const isMissing = error instanceof CozeError && error.kind === 'not-supported'
      if (isMissing) missing.set(key, clock.monotonic())
      throw error
    }
  }

  function originOf({ call, target }: Pick<CozeRequest, 'call' | 'target'>): CallOrigin {
    return { call, host: baseUrls.of(target.baseUrl).host }
  }

  async function callOnce(
    wire: WireRequest,
    origin: CallOrigin,
    budget: { readonly callMs: number; readonly silenceMs: number | undefined },
    signal: AbortSignal,
  ) {
    const { connectMs } = timeouts
    const call = {
      send,
      clock,
      connectMs,
      ...budget,
      maxBytes: maxJsonBytes,
      turns: turns.of(wire),
    }
    return await callJson(wire, call, signal).catch(rethrowFrom(origin))
  }

  function readAnswer<T>(read: CozeReading<T>['read'], origin: CallOrigin) {
    return (answer: CozeAnswer): T => {
      try {
        return read(answer)
      } catch (error) {
        if (error instanceof CozeError) reportError(metrics, origin, error.from(origin))
        throw error
      }
    }
  }

  return {
    async request(request, signal) {
      using call = watch(request.method, request)
      const { method, target, body, renewToken, timeoutMs = timeouts.callMs } = request
      const origin = originOf(request)
      const json = body === undefined ? undefined : JSON.stringify(body)
      const run = async ({ nth, connection, spentMs, mayRepeat }: Try) => {
        const token = nth === 0 ? undefined : await renewToken?.()
        const asked = token === undefined ? request : { ...request, target: { ...target, token } }
        const wire = { ...wireRequest(method, asked, 'application/json', json), connection }
        const silenceMs = mayRepeat ? timeoutMs * silentShare : undefined
        const budget = { callMs: Math.max(0, timeoutMs - spentMs), silenceMs }
        return await ifSupported(request, () => callOnce(wire, origin, budget, signal))
      }
      const answer = withRetries(run, { ...retries, origin }, signal)
      return await call.settle(answer, readAnswer(request.read, origin))
    },
    async upload(request, signal) {
      using call = watch('POST', request)
      const origin = originOf(request)
      const content = Readable.from(request.content)
      // The exchange tells of it; without a listener it would end the process.
      content.on('error', () => undefined)
      const wire = wireRequest('POST', request, request.contentType, content)
      try {
        const { timeoutMs: callMs = timeouts.callMs } = request
        const budget = { callMs, silenceMs: undefined }
        const send = () => callOnce(wire, origin, budget, signal)
        const answer = ifSupported(request, send)
        answer.catch((error: unknown) => {
          if (error instanceof CozeError) reportError(metrics, origin, error)
        })
        return await call.settle(answer, readAnswer(request.read, origin))
      } finally {
        content.destroy()
      }
    },
    async stream(request, take, signal) {
      using call = watch('POST', request)
      const { listener } = request
      const origin = originOf(request)
      const wire = wireRequest('POST', request, 'application/json', JSON.stringify(request.body))
      const open = {
        send,
        turns: turns.of(call),
        clock,
        metrics,
        limits: { ...limits, maxJsonBytes },
        origin,
        timeouts: { connectMs: timeouts.connectMs, ...request.timeouts },
      }
      const openOnce = () => {
        return ifSupported(request, () => {
          listener?.onTry()
          return openEventStream(wire, open, signal).catch(rethrowFrom(origin))
        })
      }
      using stream = await call.opened(withRetries(openOnce, { ...retries, origin }, signal))
      listener?.onOpen(stream.logId)
      try {
        await stream.read((events) => {
          for (const event of events) if ('error' in event) call.reported(event.error)
          return take(events)
        })
      } catch (error) {
        // What the taker failed with is no failure of the upstream.
        if (error === stream.failure) {
          if (error instanceof CozeError) reportError(metrics, origin, error.from(origin))
          call.failed(error)
        }
        throw error
      } finally {
        if (stream.isEnded) call.done()
      }
    },
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]()
    },
  }
}

function rethrowFrom(origin: CallOrigin): (error: unknown) => never {
  return (error) => {
    throw error instanceof CozeError ? error.from(origin) : error
  }
}
