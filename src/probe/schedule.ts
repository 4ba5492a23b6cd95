import type { ProbeRun } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'

export interface ProbeScheduleOptions {
  /** Between two probes, in ms. */
  readonly intervalMs: number
  /** Each begins up to so much later, in ms. */
  readonly jitterMs: number
  /** When what was proven last was proven, in ms since the epoch; undefined: something never was. */
  readonly lastProof: () => number | undefined
  /** Undefined: another one runs. */
  readonly begin: () => ProbeRun | undefined
  /** Resolves when none runs. */
  readonly idle: () => Promise<void>
  readonly clock: Clock
  /** Gives [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

/**
 * Probes all assistants every so often: the first time when the last proof is that old. A probe whose time comes while
 * another one runs begins after that one, which may be of one assistant only. Dispose it to end it.
 */
export function createProbeSchedule(options: ProbeScheduleOptions): Disposable {
  const { intervalMs, jitterMs, lastProof, begin, idle, clock, random, logger } = options
  const last = lastProof()
  const waited = last === undefined ? intervalMs : clock.now() - last
  let isClosed = false
  let isWaiting = false
  let timer = arm(Math.max(0, intervalMs - waited))

  function arm(ms: number): Disposable {
    return clock.timer(ms + random() * jitterMs, () => {
      timer = arm(intervalMs)
      void beginSoon()
    })
  }

  async function beginSoon(): Promise<void> {
    if (isWaiting) return
    isWaiting = true
    if (begin() === undefined) {
      logger.info({}, 'scheduled probe waits: another one runs')
      do await idle()
      while (!isClosed && begin() === undefined)
    }
    isWaiting = false
  }

  return {
    [Symbol.dispose]() {
      isClosed = true
      timer[Symbol.dispose]()
    },
  }
}
