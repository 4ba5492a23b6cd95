import type { Clock } from '../lib/clock.ts'
import type { Settings } from './options.ts'
import type { RoutePath } from './route-paths.ts'

/** What the account's plan allows (docs/coze-platform.md#limits). */
export interface Quota {
  /** Counts a call. False: it is one too many. */
  take(path: RoutePath): boolean
}

export function createQuota({ quota }: Settings, clock: Clock): Quota {
  const seconds = new Map<RoutePath, { second: number; calls: number }>()
  let total = 0
  return {
    take(path) {
      const { callsInTotal = Infinity, callsPerSecond = Infinity } = quota
      const second = Math.floor(clock.monotonic() / 1000)
      const last = seconds.get(path)
      const calls = last?.second === second ? last.calls + 1 : 1
      if (total >= callsInTotal || calls > callsPerSecond) return false
      total += 1
      seconds.set(path, { second, calls })
      return true
    },
  }
}
