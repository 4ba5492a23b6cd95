import { RateLimitedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'

/** Limits an amount per key and span of time. A span begins when its key is first used. */
export interface RateLimiter {
  /**
   * @param points the amount. Default: 1.
   * @throws {@link RateLimitedError} when less is left, with the time until enough is left.
   */
  take(key: string, points?: number): void
  /** Counts points that are known only after their use. They may be more than are left, which delays later use. */
  charge(key: string, points: number): void
  /** Gives back one point that was taken and not used, of what the present span has counted. */
  giveBack(key: string): void
  /** The points that are left. */
  state(key: string): RateState
}

export interface RateState {
  readonly limit: number
  readonly remaining: number
  /** The time until the whole limit is available again, in ms. Undefined while no points are taken. */
  readonly resetAfterMs: number | undefined
}

interface Span {
  used: number
  /** A time of the monotonic clock. */
  readonly endsAt: number
}

/** A limiter for this process only. Every request takes from several, so a key has no timer, and nothing is a promise. */
export function createRateLimiter(options: {
  /** The points of one `durationMs`, as they are now. */
  readonly points: number | (() => number)
  readonly durationMs: number
  /** The message for a caller over the limit. */
  readonly message: string
  readonly clock: Pick<Clock, 'monotonic'>
}): RateLimiter {
  const { durationMs, message, clock } = options
  const pointsNow = () => (typeof options.points === 'number' ? options.points : options.points())
  /** The spans in the order of their ends, which is that of their beginnings, since all have one length. */
  const spans = new Map<string, Span>()

  function spanOf(key: string, now: number): Span | undefined {
    for (const [oldest, { endsAt }] of spans) {
      if (endsAt > now) break
      spans.delete(oldest)
    }
    return spans.get(key)
  }

  function use(key: string, span: Span | undefined, now: number, used: number): void {
    if (span === undefined) spans.set(key, { used, endsAt: now + durationMs })
    else span.used += used
  }

  return {
    take(key, wanted = 1) {
      const now = clock.monotonic()
      const span = spanOf(key, now)
      if ((span?.used ?? 0) + wanted > pointsNow()) {
        const leftMs = span === undefined ? durationMs : span.endsAt - now
        throw new RateLimitedError(message, Math.max(1, Math.ceil(leftMs)))
      }
      use(key, span, now, wanted)
    },
    charge(key, used) {
      if (used <= 0) return
      const now = clock.monotonic()
      use(key, spanOf(key, now), now, used)
    },
    giveBack(key) {
      const span = spanOf(key, clock.monotonic())
      if (span !== undefined && span.used > 0) span.used -= 1
    },
    state(key) {
      const now = clock.monotonic()
      const span = spanOf(key, now)
      const used = span?.used ?? 0
      const points = pointsNow()
      return {
        limit: points,
        remaining: Math.max(0, points - used),
        resetAfterMs: span === undefined || used === 0 ? undefined : span.endsAt - now,
      }
    },
  }
}
