import { execFileSync } from 'node:child_process'
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

describe('the garbage of a process of our own', () => {
  /** The most bytes that were in use while a hundred texts of a megabyte are replaced over and over. */
  const peakOf = (before: string) => {
    const script = `
      ${before}
      const texts = []
      let peak = 0
      for (let n = 0; n < 1_500; n += 1) {
        texts[n % 100] = Buffer.alloc(1e6, 'x').toString('latin1') + n
        if (n % 10 > 0) continue
        peak = Math.max(peak, process.memoryUsage().heapUsed)
        await new Promise((resolve) => setImmediate(resolve))
      }
      console.log(peak)`
    const args = ['--input-type=module', '--eval', script]
    return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  }

  it('is collected before the heap has three times what is in use', () => {
    const file = new URL('../../../src/cli/start-memory.ts', import.meta.url).href
    const bounded = peakOf(`(await import(${JSON.stringify(file)})).boundGarbage()`)
    expect(bounded).toBeLessThan(350_000_000)
  })
})
