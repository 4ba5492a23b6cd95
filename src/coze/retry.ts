import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import { type CallOrigin, CozeError } from './errors.ts'
import { reportError } from './report.ts'

const maxTries = 3

export type RetryMetrics = Pick<Metrics, 'upstreamError' | 'upstreamRetried'>

/**
 * Tries again where the upstream cannot have accepted anything: no connection (within `retryMs`), or too many requests
 * (after what `Retry-After` asks for, at most `rateLimitWaitMs`, else with growing pauses). At most three tries in all.
 * Every failure is counted, and every try after the first.
 */
export async function withRetries<T>(
  run: () => Promise<T>,
  options: {
    readonly clock: Clock
    readonly random: () => number
    readonly retryMs: number
    readonly rateLimitWaitMs: number
    readonly metrics: RetryMetrics
    readonly origin: CallOrigin
  },
  signal: AbortSignal,
): Promise<T> {
  const { clock, random, metrics } = options
  const giveUpAt = clock.monotonic() + options.retryMs
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (error instanceof CozeError) reportError(metrics, options.origin, error)
      const pauseMs = pauseBefore(error, attempt)
      if (pauseMs === undefined) throw error
      await clock.sleep(pauseMs, signal)
      metrics.upstreamRetried()
    }
  }

  function pauseBefore(error: unknown, attempt: number): number | undefined {
    if (!(error instanceof CozeError) || error.accepted !== 'no') return undefined
    if (attempt + 1 >= maxTries) return undefined
    if (error.kind === 'unavailable') {
      const pauseMs = backoffMs(attempt, { baseMs: 250, maxMs: 2000, random })
      return clock.monotonic() + pauseMs < giveUpAt ? pauseMs : undefined
    }
    if (error.kind !== 'rate-limited') return undefined
    const { retryAfterMs } = error
    if (retryAfterMs === undefined) {
      return backoffMs(attempt, { baseMs: 1000, maxMs: 8000, random })
    }
    return retryAfterMs <= options.rateLimitWaitMs ? retryAfterMs : undefined
  }
}
