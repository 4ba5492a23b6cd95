import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createEntrance } from '../../../src/server/entrance.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

/** The senders of the requests that begin, turn by turn. */
async function enter(senders: readonly string[]): Promise<readonly (readonly string[])[]> {
  const next: (() => void)[] = []
  const entrance = createEntrance(createFakeClock(), (run) => void next.push(run))
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
    const entrance = createEntrance(createFakeClock(), (run) => void next.push(run))
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

  /** A sender of five requests, of which two have begun. */
  function openFlooded() {
    const clock = createFakeClock()
    const next: (() => void)[] = []
    const entrance = createEntrance(clock, (run) => void next.push(run))
    const begun: string[] = []
    const gone = new Set<string>()
    const send = (sender: string, name: string) => {
      const entered = entrance.enter(sender, () => gone.has(name))
      if (entered) void entered.then(() => begun.push(name))
      else begun.push(name)
    }
    for (const name of ['1', '2', '3', '4', '5']) send('much', name)
    return {
      begun,
      gone,
      send,
      /** The turn has taken so long. */
      endTurn: async (ms: number) => {
        clock.delay(ms)
        next.shift()?.()
        await settled()
      },
      pass: (ms: number) => clock.pass(ms),
    }
  }

  it('lets a flood wait as long as its requests have taken, and begins others meanwhile', async () => {
    const { begun, send, endTurn, pass } = openFlooded()
    await endTurn(7)
    await pass(6)
    send('little', 'other')
    expect(begun).toEqual(['1', '2', 'other'])
    await pass(1)
    expect(begun).toEqual(['1', '2', 'other', '3', '4'])
  })

  it('begins the next of a crowd at once, however long a turn has taken', async () => {
    const { begun, send, endTurn } = openFlooded()
    for (let sender = 0; sender < 40; sender += 1) send(`${sender}`, `${sender}`)
    expect(begun).toHaveLength(32)
    await endTurn(7)
    expect(begun).toContain('39')
  })

  it('begins no request whose client is gone, and the next one in its place', async () => {
    const { begun, gone, endTurn } = openFlooded()
    for (const name of ['3', '4']) gone.add(name)
    await endTurn(0)
    expect(begun).toEqual(['1', '2', '5'])
  })

  it('goes on when all whose turn it was are gone', async () => {
    const { begun, gone, send, endTurn } = openFlooded()
    const names = Array.from({ length: 40 }, (_, n) => [`${n}.1`, `${n}.2`, `${n}.3`])
    for (const [sender, own] of names.entries()) for (const name of own) send(`${sender}`, name)
    for (const name of ['3', '4', '5', ...names.slice(0, 31).flat()]) gone.add(name)
    for (let turn = 0; turn < 4; turn += 1) await endTurn(0)
    expect(begun.slice(32)).toHaveLength(9 * 3)
    expect(begun).toContain('39.3')
  })
})
