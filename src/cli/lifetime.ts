import { processEnvironment } from '../config/config.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { exitNow } from './exit-now.ts'

/** The time from the start of a process to the event that ends it. */
export interface Lifetime extends Disposable {
  /** Resolves with the exit code for the process, which then drains. */
  readonly end: Promise<0 | 1>
  /** Aborts when `end` resolves. */
  readonly signal: AbortSignal
}

/** The part of `process` that signals the end. */
export interface ProcessEvents {
  on(event: string, listener: (cause: unknown) => void): unknown
  off(event: string, listener: (cause: unknown) => void): unknown
}

/** The time for closing after the drain, in ms. */
export const closeMs = 10_000
/** A second SIGINT under npm within this time is the same Ctrl-C, in ms. */
const echoMs = 1_000

/** The lifetime of this process. */
export function watchProcess(logger: Logger, drainMs: number): Lifetime {
  return watchLifetime(process, {
    logger,
    clock: systemClock,
    exitNow,
    drainMs,
    isRunByNpm: processEnvironment()['npm_lifecycle_event'] !== undefined,
  })
}

/**
 * The first signal, or the first uncaught error, ends the lifetime. `exitNow` is called on a second signal, and
 * when draining and closing take too long, as on a disk that does not respond. Every fault is logged.
 */
export function watchLifetime(
  events: ProcessEvents,
  options: {
    readonly logger: Logger
    readonly clock: Clock
    readonly exitNow: (code: 1) => void
    /** The time for draining, in ms. */
    readonly drainMs: number
    /** A terminal sends Ctrl-C to npm and to its child, and npm passes its own on, so one key is two signals. */
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
      logger.error({}, 'not closed in time: unfinished replies are recovered at the next start')
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
    logger.error({ err: error }, 'uncaught error')
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
