import { RateLimitedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import { createRateLimiter, type RateState } from './limiter.ts'

/** Limits how often something is done, over all gateways. */
export interface SharedRateLimiter {
  /** @throws {@link RateLimitedError} when nothing is left, with the time until there is. */
  take(key: string): Promise<void>
  /** Gives back what was taken and not used, of what the present span has counted. */
  giveBack(key: string): void
  state(key: string): Promise<RateState>
}

/** What all gateways have used within a span. */
export interface SharedSpan {
  readonly used: number
  /** The time until the span ends; undefined: none has begun. */
  readonly leftMs: number | undefined
}

/** The spans of one limit, where all gateways reach them. Undefined: they are out of reach now. */
export interface SharedSpans {
  /** Counts one more, unless `points` are used; false: they are. */
  take(
    key: string,
    points: number,
    durationMs: number,
  ): Promise<(SharedSpan & { readonly isTaken: boolean }) | undefined>
  giveBack(key: string): void
  state(key: string): Promise<SharedSpan | undefined>
}

/**
 * Counts where all gateways reach it. Where there is no such place, or it is out of reach, each gateway gives an equal part of
 * the limit. It counts on its own all the time, so that it goes on from there.
 */
export function createSharedRateLimiter(options: {
  readonly points: number
  readonly durationMs: number
  /** The message for a caller over the limit. */
  readonly message: string
  readonly clock: Pick<Clock, 'monotonic'>
  /** The gateways that live now. */
  readonly instances: () => number
  readonly spans: SharedSpans | undefined
}): SharedRateLimiter {
  const { points, durationMs, message, instances, spans } = options
  const own = createRateLimiter({
    ...options,
    points: () => Math.max(1, Math.floor(points / instances())),
  })

  return {
    async take(key) {
      const span = await spans?.take(key, points, durationMs)
      if (span === undefined) return own.take(key)
      if (!span.isTaken) {
        throw new RateLimitedError(message, Math.max(1, Math.ceil(span.leftMs ?? durationMs)))
      }
      own.charge(key, 1)
    },
    giveBack(key) {
      own.giveBack(key)
      spans?.giveBack(key)
    },
    async state(key) {
      const span = await spans?.state(key)
      if (span === undefined) return own.state(key)
      const { used, leftMs } = span
      const remaining = Math.max(0, points - used)
      return { limit: points, remaining, resetAfterMs: used === 0 ? undefined : leftMs }
    },
  }
}
