import type { Clock } from '../lib/clock.ts'
import { createSharedRateLimiter, type SharedRateLimiter } from '../rate/shared-limiter.ts'
import type { SharedLane } from './lane.ts'

/** Makes a limit for each key and minute, over all gateways. `name`: no other limit has it. */
export type PerMinute = (name: string, points: number, message: string) => SharedRateLimiter

export function createPerMinute(options: {
  readonly clock: Clock
  /** The gateways that live now. */
  readonly instances: () => number
  readonly lane: Pick<SharedLane, 'spans'> | undefined
}): PerMinute {
  const { clock, instances, lane } = options
  return (name, points, message) =>
    createSharedRateLimiter({
      points,
      durationMs: 60_000,
      message,
      clock,
      instances,
      spans: lane?.spans(name),
    })
}
