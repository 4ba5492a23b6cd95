import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { UnavailableError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'

/** The time between two measurements of memory, in ms. */
const lookMs = 100

/** All in bytes. */
export interface MemorySize {
  /** Heap in use. */
  readonly heapUsed: number
  readonly heapLimit: number
  /** Buffers and texts outside the heap that its objects hold. */
  readonly external: number
  /** Memory of the machine that the process occupies. */
  readonly resident: number
  /** Memory of the machine, or of the container that the process is limited to. */
  readonly available: number
}

/** Refuses new work while memory is nearly full, so that running work can end (F26). */
export interface LoadShedder {
  /** @throws {@link UnavailableError} while memory is nearly full. */
  check(): void
  readonly isNearLimit: boolean
}

export function createLoadShedder({
  maxHeapPercent,
  maxResidentPercent,
  clock,
  readMemory = memoryOfProcess,
}: {
  readonly maxHeapPercent: number
  readonly maxResidentPercent: number
  readonly clock: Clock
  readonly readMemory?: () => MemorySize
}): LoadShedder {
  let lookedAt = Number.NEGATIVE_INFINITY
  let nearLimit = false

  function look(): boolean {
    const now = clock.monotonic()
    if (now - lookedAt < lookMs) return nearLimit
    lookedAt = now
    const { heapUsed, heapLimit, external, resident, available } = readMemory()
    nearLimit =
      heapUsed > (heapLimit * maxHeapPercent) / 100 ||
      resident > (available * maxResidentPercent) / 100 ||
      // Buffers are freed only with the objects of the heap, so many of them fill the memory before the heap looks full.
      heapUsed + external > (available * maxResidentPercent) / 100
    return nearLimit
  }

  return {
    check() {
      if (look())
        throw new UnavailableError('The gateway has no memory for more work at the moment.')
    },
    get isNearLimit() {
      return look()
    },
  }
}

function memoryOfProcess(): MemorySize {
  const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics()
  const { external, rss: resident } = process.memoryUsage()
  // Without a limit Node returns 0, or a number larger than any memory.
  const limit = process.constrainedMemory()
  const available = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return { heapUsed, heapLimit, external, resident, available }
}
