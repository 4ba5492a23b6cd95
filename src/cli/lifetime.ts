import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'

/** From the start of a process to the event that ends it. */
export interface Lifetime extends Disposable {
  /** Resolves with the exit code that the process should have once it has drained. */
  readonly end: Promise<0 | 1>
  /** Aborts when `end` resolves. */
  readonly signal: AbortSignal
}

/** The part of `process` that signals the end. */
export interface ProcessEvents {
  on(event: string, listener: (cause: unknown) => void): unknown
  off(event: string, listener: (cause: unknown) => void): unknown
}

/** How long what was drained may take to be closed, in ms. */
const closeMs = 10_000
/** Within so many ms a second SIGINT under npm is the same Ctrl-C. */
const echoMs = 1_000

/**
 * The first signal, or a fault that nobody caught, ends the lifetime. `exitNow` is called at once on a second signal, and
 * when what ends takes too long, as on a disk that does not answer. Faults are logged, each of them; none is survived.
 */
export function watchLifetime(
  events: ProcessEvents,
  options: {
    readonly logger: Logger
    readonly clock: Clock
    readonly exitNow: (code: 1) => void
    /** How long it may take to drain, in ms. */
    readonly drainMs: number
    /** A terminal sends Ctrl-C to npm and to us, and npm passes its own on: one key is two signals. */
    readonly isRunByNpm: boolean
  },
): Lifetime {
  const { logger, clock, exitNow, drainMs, isRunByNpm } = options
  const controller = new AbortController()
  const { promise: end, resolve } = Promise.withResolvers<0 | 1>()
  let overdue: Disposable | undefined
  let signals = 0
  let interruptedAt = Number.NEGATIVE_INFINITY
  const finish = (code: 0 | 1) => {
    resolve(code)
    overdue ??= clock.timer(drainMs + closeMs, () => {
      logger.error({}, 'not closed in time: what was not stored is taken up at the next start')
      exitNow(1)
    })
    controller.abort(new Error('the process is ending'))
  }
  const onSignal = (name: unknown) => {
    if (name === 'SIGINT' && isRunByNpm) {
      const isEcho = clock.monotonic() - interruptedAt < echoMs
      interruptedAt = isEcho ? Number.NEGATIVE_INFINITY : clock.monotonic()
      if (isEcho) return
    }
    signals += 1
    if (signals > 1) return exitNow(1)
    logger.info({ signal: name }, 'draining')
    finish(0)
  }
  const onFault = (error: unknown) => {
    logger.error({ err: error }, 'fault that nobody caught')
    finish(1)
  }
  const listeners = [
    ['SIGTERM', onSignal],
    ['SIGINT', onSignal],
    ['uncaughtException', onFault],
    ['unhandledRejection', onFault],
  ] as const
  for (const [event, listener] of listeners) events.on(event, listener)
  return {
    end,
    signal: controller.signal,
    [Symbol.dispose]() {
      overdue?.[Symbol.dispose]()
      for (const [event, listener] of listeners) events.off(event, listener)
    },
  }
}
