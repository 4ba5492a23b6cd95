import type { Clock } from '../../../src/lib/clock.ts'
import { createSharedRateLimiter } from '../../../src/rate/shared-limiter.ts'

/** A limit for each key and minute, where there is one gateway. */
export function perMinute(points: number, message: string, clock: Clock) {
  const alone = { instances: () => 1, spans: undefined }
  return createSharedRateLimiter({ points, durationMs: 60_000, message, clock, ...alone })
}
