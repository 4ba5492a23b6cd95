import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { giveBackStartMemory } from '../../../src/cli/start-memory.ts'

describe('the memory of the start', () => {
  it('is given back: what nobody holds any more is collected at once', () => {
    const before = process.memoryUsage().heapTotal
    const ballast = Array.from({ length: 200_000 }, (_, index) => ({ index }))
    expect(process.memoryUsage().heapTotal).toBeGreaterThan(before)
    ballast.length = 0
    giveBackStartMemory()
    expect(process.memoryUsage().heapTotal).toBeLessThan(before)
  })

  it('leaves the flags of the process as they were', () => {
    giveBackStartMemory()
    expect(runInNewContext('typeof gc')).toBe('undefined')
  })
})
