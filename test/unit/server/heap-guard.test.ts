import { describe, expect, it } from 'vitest'
import { createHeapGuard } from '../../../src/server/heap-guard.ts'
import { createFakeClock } from '../../kit/clock.ts'

describe('heap guard (F26)', () => {
  const clock = createFakeClock()
  let used = 0
  const guard = createHeapGuard({
    maxHeapPercent: 90,
    clock,
    readHeap: () => ({ used_heap_size: used, heap_size_limit: 1000 }),
  })

  it('refuses new work while the heap is nearly full, to be tried again', () => {
    used = 900
    expect(() => guard.check()).not.toThrow()
    used = 901
    clock.advance(100)
    expect(guard.isNearLimit).toBe(true)
    expect(() => guard.check()).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1000 }),
    )
  })

  it('takes new work again once there is room, and looks no more often than it must', () => {
    used = 100
    expect(guard.isNearLimit).toBe(true)
    clock.advance(100)
    expect(() => guard.check()).not.toThrow()
  })
})
