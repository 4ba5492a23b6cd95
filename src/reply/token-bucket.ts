import type { Clock } from '../lib/clock.ts'

/** Starts per second, those of one second at once at most. */
export interface TokenBucket {
  /** Until the next start may be, in ms; 0: now. */
  readonly waitMs: number
  take(): void
  /** A start that was taken and did not happen. */
  putBack(): void
}

export function createTokenBucket(clock: Clock, perSecond: number): TokenBucket {
  let level = perSecond
  let at = clock.monotonic()

  function fill(): void {
    const now = clock.monotonic()
    level = Math.min(perSecond, level + ((now - at) / 1000) * perSecond)
    at = now
  }

  return {
    get waitMs() {
      fill()
      // Whole ms: a timer that fires a little early would find nothing.
      return level >= 1 ? 0 : Math.ceil(((1 - level) / perSecond) * 1000)
    },
    take() {
      fill()
      level -= 1
    },
    putBack() {
      level = Math.min(perSecond, level + 1)
    },
  }
}
