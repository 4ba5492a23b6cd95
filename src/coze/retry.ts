import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import { callRules } from './calls.ts'
import { type CallOrigin, CozeError } from './errors.ts'
import { reportError } from './watch.ts'
import type { Connection } from './wire.ts'

const maxTries = 3

export type RetryMetrics = Pick<Metrics, 'upstreamError' | 'upstreamRetried'>

/** One try of a call. */
export interface Try {
  /** 0 for the first one. */
  readonly nth: number
  readonly connection: Connection
  /** The time for an answer that a lost try has used up, in ms. */
  readonly spentMs: number
  /** The call is made again if a connection that was kept alive stays silent. */
  readonly mayRepeat: boolean
}

/**
 * Tries a call again by what a repeat could do:
 *
 * - The upstream cannot have accepted anything: there is no connection (again within `retryMs`), or there were too many
 *   requests (with growing pauses, or what `Retry-After` asks for if that is longer, at most `rateLimitWaitMs`). At most three tries
 *   in all.
 * - The connection was lost before the answer was whole: once, on a new connection, and only if the call's rule says that
 *   a repeat does no harm.
 *
 * Counts every failure, and every try after the first.
 */
export async function withRetries<T>(
  run: (attempt: Try) => Promise<T>,
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
  const { clock, random, metrics, origin } = options
  const { repeat, connection } = callRules[origin.call]
  const giveUpAt = clock.monotonic() + options.retryMs
  let isRepeated = repeat === 'never'
  let attempt: Try = { nth: 0, connection, spentMs: 0, mayRepeat: !isRepeated }
  for (let failures = 0; ;) {
    const began = clock.monotonic()
    try {
      return await run(attempt)
    } catch (error) {
      if (error instanceof CozeError) reportError(metrics, origin, error)
      if (!isRepeated && isLost(error)) {
        isRepeated = true
        const spentMs = clock.monotonic() - began
        attempt = { nth: attempt.nth + 1, connection: 'new', spentMs, mayRepeat: false }
      } else {
        const pauseMs = pauseBefore(error, failures)
        if (pauseMs === undefined) throw error
        failures += 1
        await clock.sleep(pauseMs, signal)
        attempt = { ...attempt, nth: attempt.nth + 1 }
      }
      signal.throwIfAborted()
      metrics.upstreamRetried()
    }
  }

  function pauseBefore(error: unknown, failures: number): number | undefined {
    if (!(error instanceof CozeError) || error.accepted !== 'no') return undefined
    if (failures + 1 >= maxTries) return undefined
    if (error.kind === 'unavailable') {
      const pauseMs = backoffMs(failures, { baseMs: 250, maxMs: 2000, random })
      return clock.monotonic() + pauseMs < giveUpAt ? pauseMs : undefined
    }
    if (error.kind !== 'rate-limited') return undefined
    const { retryAfterMs = 0 } = error
    if (retryAfterMs > options.rateLimitWaitMs) return undefined
    // An upstream that asks for no pause at all, as by a date that has passed, gets the usual one: else all tries are gone at once.
    return Math.max(retryAfterMs, backoffMs(failures, { baseMs: 1000, maxMs: 8000, random }))
  }
}

/** The connection was lost after the request was sent: nobody knows what became of it. */
function isLost(error: unknown): boolean {
  if (!(error instanceof CozeError) || error.accepted === 'no') return false
  return error.kind === 'unavailable' || error.kind === 'truncated'
}
