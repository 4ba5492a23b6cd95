import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createTurnstile } from '../../../src/server/turnstile.ts'

describe('F37: a turnstile', () => {
  it('lets in at once what one turn of the event loop can bear, the rest in order later', async () => {
    const turnstile = createTurnstile(2)
    const entered: number[] = []
    for (let n = 1; n <= 5; n += 1) turnstile(() => entered.push(n))
    expect(entered).toEqual([1, 2])
    await turn()
    expect(entered).toEqual([1, 2, 3, 4])
    turnstile(() => entered.push(6))
    expect(entered).toEqual([1, 2, 3, 4])
    await turn()
    await turn()
    expect(entered).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('keeps nobody waiting in a turn of its own', async () => {
    const turnstile = createTurnstile(1)
    for (let n = 1; n <= 3; n += 1) {
      let isIn = false
      turnstile(() => (isIn = true))
      expect(isIn).toBe(true)
      await turn()
      await turn()
    }
  })
})
