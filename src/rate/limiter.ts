import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { RateLimitedError } from '../errors.ts'

/** So much of something per key and span of time. */
export interface RateLimiter {
  /**
   * @param points how much; default 1.
   * @throws {@link RateLimitedError} when so much is not left, with the time until it is.
   */
  take(key: string, points?: number): Promise<void>
  /** Counts what turned out to be used only afterwards: it may be more than is left, and is missing then. */
  charge(key: string, points: number): Promise<void>
  /** Gives back what was taken and turned out not to count. */
  giveBack(key: string): Promise<void>
  /** What may still be taken now. */
  state(key: string): Promise<RateState>
}

export interface RateState {
  readonly limit: number
  readonly remaining: number
  /** ms until the whole limit is there again; undefined while nothing is taken. */
  readonly resetAfterMs: number | undefined
}

/** In this process alone. */
export function createRateLimiter(options: {
  /** What may be taken within `durationMs`. */
  readonly points: number
  readonly durationMs: number
  /** For the caller who asked too often. */
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
        // The library counts what it refuses.
        await limiter.reward(key, wanted)
        throw new RateLimitedError(message, Math.max(1, Math.ceil(error.msBeforeNext)))
      }
    },
    async charge(key, used) {
      if (used > 0) await limiter.penalty(key, used)
    },
    async giveBack(key) {
      const { consumedPoints } = await limiter.reward(key)
      // What was taken before the whole limit was there again adds nothing to it.
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
