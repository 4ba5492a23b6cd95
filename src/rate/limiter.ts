import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { RateLimitedError } from '../errors.ts'

/** Limits an amount per key and span of time. */
export interface RateLimiter {
  /**
   * @param points the amount. Default: 1.
   * @throws {@link RateLimitedError} when less is left, with the time until enough is left.
   */
  take(key: string, points?: number): Promise<void>
  /** Counts points that are known only after their use. They may be more than are left, which delays later use. */
  charge(key: string, points: number): Promise<void>
  /** Gives back points that were taken and not used. */
  giveBack(key: string): Promise<void>
  /** The points that are left. */
  state(key: string): Promise<RateState>
}

export interface RateState {
  readonly limit: number
  readonly remaining: number
  /** The time until the whole limit is available again, in ms. Undefined while no points are taken. */
  readonly resetAfterMs: number | undefined
}

/** A limiter for this process only. */
export function createRateLimiter(options: {
  /** The points of one `durationMs`. */
  readonly points: number
  readonly durationMs: number
  /** The message for a caller over the limit. */
  readonly message: string
}): RateLimiter {
  const { points, durationMs, message } = options
  const limiter = new RateLimiterMemory({ points, duration: durationMs / 1000 })
  return {
    async take(key, wanted = 1) {
      try {
        await limiter.consume(key, wanted)
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        // The library also counts refused points.
        await limiter.reward(key, wanted)
        throw new RateLimitedError(message, Math.max(1, Math.ceil(error.msBeforeNext)))
      }
    },
    async charge(key, used) {
      if (used > 0) await limiter.penalty(key, used)
    },
    async giveBack(key) {
      const { consumedPoints } = await limiter.reward(key)
      // Points that were taken in an earlier window are not added to this one.
      if (consumedPoints < 0) await limiter.delete(key)
    },
    async state(key) {
      const state = await limiter.get(key)
      const remaining = Math.max(0, Math.min(points, state?.remainingPoints ?? points))
      const isUsed = state !== null && remaining < points
      return {
        limit: points,
        remaining,
        resetAfterMs: isUsed ? Math.max(0, state.msBeforeNext) : undefined,
      }
    },
  }
}
