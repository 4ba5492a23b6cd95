import { describe, expect, it } from 'vitest'
import { createLoadShedder } from '../../../src/server/load-shedding.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

describe('heap guard (F26)', () => {
  const clock = createFakeClock()
  let used = 0
  const small = { heapUsed: 0, heapLimit: 1000, external: 0, resident: 0, available: 4000 }
  const guard = createLoadShedder({
    maxHeapPercent: 90,
    maxResidentPercent: 50,
    clock,
    readMemory: () => ({ ...small, heapUsed: used }),
  })

  it.each([
    ['resident memory', { resident: 2001 }],
    ['memory outside of the heap', { external: 2001 }],
    ['both together', { heapUsed: 800, external: 1201 }],
  ])('refuses new work while %s is nearly full, however empty the heap is', (_what, full) => {
    const refusing = createLoadShedder({
      maxHeapPercent: 90,
      maxResidentPercent: 50,
      clock,
      readMemory: () => ({ ...small, ...full }),
    })
    expect(() => refusing.check()).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
  })

  it('measures the process it runs in', () => {
    const roomy = createLoadShedder({ maxHeapPercent: 100, maxResidentPercent: 100, clock })
    const tight = createLoadShedder({ maxHeapPercent: 100, maxResidentPercent: 0.001, clock })
    expect([roomy.isNearLimit, tight.isNearLimit]).toEqual([false, true])
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
