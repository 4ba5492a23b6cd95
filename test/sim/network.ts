import type { Buffer } from 'node:buffer'
import { Dispatcher } from 'undici'
import type { Clock } from '../../src/lib/clock.ts'
import type { Faults } from './faults.ts'
import type { Random } from '../kit/random.ts'
import type { ProcessClock } from './timeline.ts'
import type { UpstreamServer, WireAnswer } from './upstream/server.ts'

/** The network between gateways and the upstream, in memory. */
export interface Network {
  /** One process's way out. What was under way when the process dies breaks off. */
  port(process: ProcessClock): Dispatcher & { close(): Promise<void> }
  /** Requests that a process has sent and not heard the end of. */
  readonly exchanges: number
}

interface NetworkOptions {
  readonly clock: Clock
  readonly random: Random
  readonly faults: Faults
  readonly upstream: UpstreamServer
  /** Something of a request reached its process: a moment at which it may die. */
  onDelivered(): void
}

const refusals = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'] as const
const tlsErrors = [
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'EPROTO',
] as const

export function createNetwork(options: NetworkOptions): Network {
  const { clock, random, faults, upstream } = options
  let refusedUntil = -1
  let exchanges = 0

  function connectFailure(): string | undefined {
    if (faults.strikes('F1', 0.15)) {
      refusedUntil = clock.monotonic() + random.pick([0, 300, 3000, 15_000])
    }
    if (!upstream.isUp) return 'ECONNREFUSED'
    if (clock.monotonic() <= refusedUntil && faults.isDrawn('F1')) {
      faults.reach('F1')
      return random.pick(refusals)
    }
    if (!faults.strikes('F2', 0.1)) return undefined
    faults.reach('F2')
    return random.pick(tlsErrors)
  }

  function exchange(
    process: ProcessClock,
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): void {
    let isOver = false
    let isPaused = false
    let reason: Error | null = null
    /** What arrived and waits: for the process to be ready, or to want it. */
    const arrived: (() => void)[] = []
    let lastArrival = 0
    let answer: { onGone(): void } | undefined
    exchanges += 1

    const controller: Dispatcher.DispatchController = {
      get aborted() {
        return reason !== null
      },
      get paused() {
        return isPaused
      },
      get reason() {
        return reason
      },
      abort(given) {
        if (isOver) return
        reason = given
        over()
        handler.onResponseError?.(controller, given)
      },
      pause() {
        isPaused = true
      },
      resume() {
        isPaused = false
        clock.timer(0, () => process.enter(drain))
      },
    }

    function over(): void {
      if (isOver) return
      isOver = true
      exchanges -= 1
      clock.timer(latencyMs(), () => answer?.onGone())
    }

    function drain(): void {
      while (!isPaused && !isOver) {
        const next = arrived.shift()
        if (next === undefined) return
        next()
        options.onDelivered()
      }
    }

    /** In the order in which it was sent, however long each took. */
    function arrive(deliver: () => void): void {
      const now = clock.monotonic()
      lastArrival = Math.max(lastArrival, now + latencyMs())
      clock.timer(lastArrival - now, () => {
        if (!process.isAlive) return over()
        process.enter(() => {
          arrived.push(deliver)
          drain()
        })
      })
    }

    function fail(code: string): void {
      if (isOver) return
      over()
      handler.onResponseError?.(controller, Object.assign(new Error(`network: ${code}`), { code }))
    }

    const wire: WireAnswer = {
      get isOpen() {
        return !isOver
      },
      head: (status, headers) =>
        arrive(() => handler.onResponseStart?.(controller, status, { ...headers })),
      write(bytes) {
        const pieces = cut(bytes)
        arrive(() => {
          for (const piece of pieces) {
            if (isOver) return
            handler.onResponseData?.(controller, piece)
          }
        })
      },
      end: () =>
        arrive(() => {
          over()
          handler.onResponseEnd?.(controller, {})
        }),
      reset: () => arrive(() => fail('ECONNRESET')),
      onGone(run) {
        answer = { onGone: run }
      },
    }

    clock.timer(random.between(0, 3), () => {
      if (!process.isAlive || isOver) return over()
      const refusal = connectFailure()
      if (refusal !== undefined) return process.enter(() => fail(refusal))
      process.enter(() => {
        if (isOver) return
        handler.onRequestStart?.(controller, {})
        clock.timer(latencyMs(), () => {
          // What was handed to the network arrives, even if its sender is gone meanwhile.
          upstream.handle(
            {
              method: request.method,
              path: request.path,
              headers: headersOf(request.headers),
              body: typeof request.body === 'string' ? request.body : '',
            },
            wire,
          )
        })
      })
    })
  }

  function latencyMs(): number {
    return random.between(1, 8)
  }

  /** How the bytes of one write come in: mostly whole. */
  function cut(bytes: Buffer): readonly Buffer[] {
    if (!faults.isDrawn('F12') || bytes.length < 2) return [bytes]
    faults.reach('F12')
    const pieces: Buffer[] = []
    const isByteWise = random.chance(0.4)
    for (let from = 0; from < bytes.length;) {
      const to = from + (isByteWise ? 1 : random.between(1, 40))
      pieces.push(bytes.subarray(from, to))
      from = to
    }
    return pieces
  }

  class Port extends Dispatcher {
    readonly #process: ProcessClock
    constructor(process: ProcessClock) {
      super()
      this.#process = process
    }
    override dispatch(
      request: Dispatcher.DispatchOptions,
      handler: Dispatcher.DispatchHandler,
    ): boolean {
      if (this.#process.isAlive) exchange(this.#process, request, handler)
      return true
    }
  }

  return {
    port: (process) => new Port(process),
    get exchanges() {
      return exchanges
    },
  }
}

function headersOf(headers: Dispatcher.DispatchOptions['headers']): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (headers === null || headers === undefined || Array.isArray(headers)) return found
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') found.set(name.toLowerCase(), value)
  }
  return found
}
