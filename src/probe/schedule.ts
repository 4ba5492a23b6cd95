import type { ProbeRun } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'

export interface ProbeScheduleOptions {
  /** The time between two probes, in ms. */
  readonly intervalMs: number
  /** Each probe begins later by a random time up to this, in ms. */
  readonly jitterMs: number
  /** The time of the oldest proof, in ms since the epoch. Undefined: an assistant has none. */
  readonly lastProof: () => number | undefined
  /** Whether this gateway is to probe now, of several that would. */
  readonly isMine: () => Promise<boolean>
  /** Returns undefined while another probe runs. */
  readonly begin: () => ProbeRun | undefined
  /** Resolves when none runs. */
  readonly idle: () => Promise<void>
  readonly clock: Clock
  /** Gives [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

/**
 * Probes all assistants at an interval, for the first time when the oldest proof is as old as the interval. A probe that is
 * due while another one runs begins after it, since that one may be of one assistant only. Dispose it to end it.
 */
export function createProbeSchedule(options: ProbeScheduleOptions): Disposable {
  const { intervalMs, jitterMs, lastProof, isMine, begin, idle, clock, random, logger } = options
  const last = lastProof()
  const waited = last === undefined ? intervalMs : clock.now() - last
  let isClosed = false
  let isWaiting = false
  let timer = arm(Math.max(0, intervalMs - waited))

  function arm(ms: number): Disposable {
    return clock.timer(ms + random() * jitterMs, () => {
      timer = arm(intervalMs)
      void beginInTurn()
    })
  }

  async function beginInTurn(): Promise<void> {
    try {
      if (!(await isMine()) || isClosed) return
    } catch (error) {
      logger.error({ err: error }, 'whose turn it is to probe could not be found out')
      return
    }
    await beginSoon()
  }

  async function beginSoon(): Promise<void> {
    if (isWaiting) return
    isWaiting = true
    if (begin() === undefined) {
      logger.info({}, 'scheduled probe waits until another one has ended')
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
