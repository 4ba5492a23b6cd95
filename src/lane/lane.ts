import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { LaneFailure, LaneUse, Metrics } from '../observe/metrics.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Redis } from './redis.ts'

/** A script that the server runs as one step, on one key. */
export interface LaneScript {
  readonly source: string
  readonly sha1: string
}

export function createScript(source: string): LaneScript {
  return { source, sha1: createHash('sha1').update(source).digest('hex') }
}

/**
 * What gateways share beside the store. It is only fast, never believed: whoever asks it goes on without it.
 *
 *          a command fails, or takes too long
 *     here ──────────────────────────────────▶ away
 *       ▲                                       │ a probe, later and later
 *       └───────────────────────────────────────┘ is answered in time
 *
 * Away, nothing is sent and nobody waits.
 */
export interface Lane extends AsyncDisposable {
  readonly isHere: boolean
  /** The reply to a command; undefined: there is none in time. Never rejects. */
  command(use: LaneUse, name: string, key: string, ...args: readonly string[]): Promise<unknown>
  /** The same for a script, in one round trip. */
  run(use: LaneUse, script: LaneScript, key: string, ...args: readonly string[]): Promise<unknown>
  /** Publishes on a channel that others listen on. Nobody waits for it. */
  publish(use: LaneUse, channel: string, message: string): void
  /** Takes what is published on a channel, until disposed. */
  subscribe(channel: string, take: (message: string) => void): Disposable
}

export interface LaneOptions {
  readonly redis: Redis
  readonly prefix: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly random: () => number
  /** Names this instance. */
  readonly instance: string
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'laneAsked' | 'laneChanged' | 'laneForgot'>
}

/** The probe of a lane that is here finds a server that hangs, and one that forgot everything. */
const probeMs = 2_000
const probeAway = { baseMs: 200, maxMs: 5_000 }
/** One that answers probes and refuses what matters goes away again and again. Being here for so long ends that. */
const steadyMs = 10_000
const maxFlapMs = 60_000
/** A lane that does not come up within this time after the start is told to be away. */
const patienceMs = 3_000
const hourMs = 3_600_000

export function openLane(options: LaneOptions): Lane {
  const { redis, prefix, timeoutMs, clock, random, instance, logger, metrics } = options
  const opened = clock.monotonic()
  let state: 'opening' | 'here' | 'away' = 'opening'
  let changedAt = opened
  /** Probes since it was here, and times in a row that it was not here for long. */
  let attempt = 0
  let flaps = 0
  /** Scripts that the server has, unless it forgot them. */
  const scripts = new Set<string>()
  let isProbing = false
  let isClosed = false
  let mayHaveForgotten = false
  let timer = clock.timer(0, probe)
  metrics.laneChanged(false)

  /** Rejects with what went wrong, within the time. */
  async function inTime<T>(answer: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    using timers = new DisposableStack()
    const late = () => reject(new LaneTimeout())
    // In a process that was busy for so long the reply is there and not read yet: sockets are read between two timers.
    timers.use(clock.timer(timeoutMs, () => timers.use(clock.timer(1, late))))
    return await Promise.race([answer, promise])
  }

  async function ask(
    use: LaneUse,
    send: () => Promise<unknown>,
    isProbe = false,
  ): Promise<{ readonly reply: unknown } | undefined> {
    if (isClosed || (state !== 'here' && !isProbe)) return undefined
    const startedAt = clock.monotonic()
    try {
      const reply = await inTime(send())
      metrics.laneAsked(use, 'ok', clock.monotonic() - startedAt)
      return { reply }
    } catch (error) {
      const failure = failureOf(error)
      metrics.laneAsked(use, failure, clock.monotonic() - startedAt)
      if (!isClosed) leave(failure)
      return undefined
    }
  }

  function leave(failure: LaneFailure): void {
    if (state === 'away') return
    const now = clock.monotonic()
    if (state === 'opening' && now - opened < patienceMs) return
    if (state === 'here') flaps = now - changedAt > steadyMs ? 0 : flaps + 1
    state = 'away'
    changedAt = now
    metrics.laneChanged(false)
    logger.warn({ reason: failure }, 'the lane is away: everything goes on without it, more slowly')
    probeIn(backoffMs(flaps, { ...probeAway, maxMs: maxFlapMs, random }))
  }

  function come(): void {
    if (state === 'here') return
    const awayMs = Math.round(clock.monotonic() - changedAt)
    logger.info({ awayMs }, state === 'opening' ? 'the lane is connected' : 'the lane is back')
    state = 'here'
    changedAt = clock.monotonic()
    metrics.laneChanged(true)
  }

  function probeIn(ms: number): void {
    timer[Symbol.dispose]()
    if (!isClosed) timer = clock.timer(ms, probe)
  }

  /** A write: what can only be read, or is full, is away as well. One at a time, whenever its answer comes. */
  function probe(): void {
    if (isProbing) return probeIn(probeMs)
    isProbing = true
    const key = `${prefix}instance:${instance}`
    const sent = redis.send(key, ['SET', key, '1', 'PX', String(hourMs), 'GET'])
    sent.then(
      () => (isProbing = false),
      () => (isProbing = false),
    )
    void ask('probe', () => sent, true).then((answer) => {
      if (isClosed) return
      if (answer === undefined) {
        attempt += 1
        return probeIn(backoffMs(attempt, { ...probeAway, random }))
      }
      attempt = 0
      if (answer.reply === null && mayHaveForgotten) {
        metrics.laneForgot()
        logger.warn({}, 'the lane has forgotten what it held')
      }
      mayHaveForgotten = true
      come()
      probeIn(probeMs)
    })
  }

  async function evaluate({ source, sha1 }: LaneScript, key: string, args: readonly string[]) {
    const whole = ['EVAL', source, '1', key, ...args]
    if (!scripts.has(sha1)) {
      scripts.add(sha1)
      return await redis.send(key, whole)
    }
    try {
      return await redis.send(key, ['EVALSHA', sha1, '1', key, ...args])
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return await redis.send(key, whole)
    }
  }

  return {
    get isHere() {
      return state === 'here'
    },
    async command(use, name, key, ...args) {
      const full = prefix + key
      return (await ask(use, () => redis.send(full, [name, full, ...args])))?.reply
    },
    async run(use, asked, key, ...args) {
      return (await ask(use, () => evaluate(asked, prefix + key, args)))?.reply
    },
    publish(use, channel, message) {
      const full = prefix + channel
      void ask(use, () => redis.send(full, ['PUBLISH', full, message]))
    },
    subscribe: (channel, take) => redis.subscribe(prefix + channel, take),
    async [Symbol.asyncDispose]() {
      isClosed = true
      timer[Symbol.dispose]()
      await redis[Symbol.asyncDispose]()
    },
  }
}

class LaneTimeout extends Error {
  override readonly name = 'LaneTimeout'
}

/** The first word of a refusal is its code. Everything else is a connection that there is not. */
function failureOf(error: unknown): LaneFailure {
  if (error instanceof LaneTimeout) return 'timeout'
  const [code = ''] = error instanceof Error ? error.message.split(' ') : []
  if (/^(READONLY|MISCONF|NOREPLICAS)$/.test(code)) return 'readonly'
  if (code === 'OOM') return 'full'
  if (/^(NOAUTH|WRONGPASS|NOPERM)$/.test(code)) return 'refused'
  return /^[A-Z]{3,}$/.test(code) ? 'error' : 'unreachable'
}

/** Deletes the key if it still holds the value. */
export const deleteIfSame = createScript(
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
)
