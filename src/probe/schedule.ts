import type { ProbeRequest, ProbeRun } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'

export interface ProbeScheduleOptions {
  /** Between two probes, in ms. */
  readonly intervalMs: number
  /** Each begins up to so much later, in ms. */
  readonly jitterMs: number
  readonly request: ProbeRequest
  /** When what was proven last was proven, in ms since the epoch; undefined: something never was. */
  readonly lastProof: () => number | undefined
  readonly begin: (request: ProbeRequest) => ProbeRun | undefined
  readonly clock: Clock
  /** Gives [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

/** Probes all assistants every so often: the first time when the last proof is that old. Dispose it to end it. */
export function createProbeSchedule(options: ProbeScheduleOptions): Disposable {
  const { intervalMs, jitterMs, request, lastProof, begin, clock, random, logger } = options
  const last = lastProof()
  const waited = last === undefined ? intervalMs : clock.now() - last
  let timer = arm(Math.max(0, intervalMs - waited))

  function arm(ms: number): Disposable {
    return clock.timer(ms + random() * jitterMs, () => {
      // One that an operator began just now does as well.
      const run = begin(request)
      if (run === undefined) logger.info({}, 'scheduled probe left out: another one runs')
      timer = arm(intervalMs)
    })
  }

  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}
