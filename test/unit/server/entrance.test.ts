import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createEntrance } from '../../../src/server/entrance.ts'

/** The senders of the requests that begin, turn by turn. */
async function enter(senders: readonly string[]): Promise<readonly (readonly string[])[]> {
  const next: (() => void)[] = []
  const entrance = createEntrance((run) => void next.push(run))
  const turns: string[][] = [[]]
  for (const sender of senders) {
    const begin = () => void turns.at(-1)?.push(sender)
    const entered = entrance.enter(sender)
    if (entered) void entered.then(begin)
    else begin()
  }
  for (let turn = next.shift(); turn; turn = next.shift()) {
    turns.push([])
    turn()
    await settled()
  }
  // After the last one nothing is scheduled any more.
  expect(turns.pop()).toEqual([])
  return turns
}

const repeat = (count: number, sender: string) => Array.from({ length: count }, () => sender)

describe('the entrance', () => {
  it('begins two requests of a sender in a turn, and those of others beside them', async () => {
    expect(await enter([...repeat(5, 'much'), 'little'])).toEqual([
      ['much', 'much', 'little'],
      ['much', 'much'],
      ['much'],
    ])
  })

  it('begins 32 requests in a turn, however many have sent some', async () => {
    const senders = Array.from({ length: 100 }, (_, n) => `${n}`)
    const turns = await enter(senders)
    expect(turns.map(({ length }) => length)).toEqual([32, 32, 32, 4])
    expect(turns.flat()).toEqual(senders)
  })

  it('lets each sender begin before any has had its second turn', async () => {
    const many = Array.from({ length: 40 }, (_, n) => `${n}`)
    const turns = await enter([...repeat(100, 'much'), ...many])
    expect(new Set(turns.slice(0, 3).flat()).size).toBe(41)
  })

  it('keeps the requests of a sender in their order', async () => {
    const next: (() => void)[] = []
    const entrance = createEntrance((run) => void next.push(run))
    const order: number[] = []
    for (let n = 0; n < 9; n += 1) {
      const entered = entrance.enter('one')
      if (entered) void entered.then(() => order.push(n))
      else order.push(n)
    }
    for (let turn = next.shift(); turn; turn = next.shift()) {
      turn()
      await settled()
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})
