import { getHeapStatistics } from 'node:v8'
import { UnavailableError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'

/** Between two looks at the heap, in ms. */
const lookMs = 100

export interface HeapSize {
  readonly used_heap_size: number
  readonly heap_size_limit: number
}

/** Keeps the process from dying of new work: what lives goes on, what is new comes back later (F26). */
export interface HeapGuard {
  /** @throws {@link UnavailableError} while the heap is nearly full. */
  check(): void
  readonly isNearLimit: boolean
}

export function createHeapGuard({
  maxHeapPercent,
  clock,
  readHeap = getHeapStatistics,
}: {
  readonly maxHeapPercent: number
  readonly clock: Clock
  readonly readHeap?: () => HeapSize
}): HeapGuard {
  let lookedAt = Number.NEGATIVE_INFINITY
  let nearLimit = false

  function look(): boolean {
    const now = clock.monotonic()
    if (now - lookedAt < lookMs) return nearLimit
    lookedAt = now
    const { used_heap_size: used, heap_size_limit: limit } = readHeap()
    nearLimit = used > (limit * maxHeapPercent) / 100
    return nearLimit
  }

  return {
    check() {
      if (look()) throw new UnavailableError('The gateway has no memory for more at the moment.')
    },
    get isNearLimit() {
      return look()
    },
  }
}
