import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createTurns } from '../../../src/lib/turns.ts'
import { heldBytes } from '../../kit/process/held-heap.ts'

/** What each of so many workers has done, turn by turn. */
async function work(perTurn: number, workers: number, steps: number, units: number) {
  const next: (() => void)[] = []
  const turns = createTurns(perTurn, (run) => void next.push(run))
  const done: number[][] = [[]]
  for (let worker = 0; worker < workers; worker += 1) void run(worker)
  for (let turn = next.shift(); turn; turn = next.shift()) {
    await settled()
    done.push([])
    turn()
    await settled()
  }
  return done.filter((turn) => turn.length > 0)

  async function run(worker: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      const turn = turns.take(units)
      if (turn) await turn
      done.at(-1)?.push(worker)
    }
  }
}

describe('turns', () => {
  it('keep nothing of what has gone on, although an owner waits all the time', () => {
    const next: (() => void)[] = []
    const own = createTurns(100, (run) => void next.push(run)).of('busy')
    void own.take(200)
    for (let n = 0; n < 3; n += 1) void own.take(100)
    const before = heldBytes()
    for (let n = 0; n < 100_000; n += 1) {
      void own.take(100)
      next.shift()?.()
    }
    expect(heldBytes() - before).toBeLessThan(5_000_000)
  })

  it('let no turn of the event loop do more than it may, and one piece more', async () => {
    for (const turn of await work(100, 7, 50, 30)) expect(turn.length).toBeLessThanOrEqual(4)
  })

  it('serve those who wait in their order, so that nobody is kept waiting by one who has much to do', async () => {
    const done = (await work(10, 5, 40, 10)).flat()
    const position = new Map<number, number>()
    for (const worker of done.slice(0, 150)) position.set(worker, (position.get(worker) ?? 0) + 1)
    const counts = [...position.values()]
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
  })

  it('let through at once what fits', () => {
    const turns = createTurns(100)
    expect([turns.take(60), turns.take(60)]).toEqual([undefined, undefined])
    expect(turns.take(1)).toBeInstanceOf(Promise)
  })

  it('let one who has had little go before those who have had much, however many of theirs wait', async () => {
    const next: (() => void)[] = []
    const turns = createTurns(100, (run) => void next.push(run))
    const order: string[] = []
    const ask = (owner: string, units: number) => {
      const turn = turns.of(owner).take(units)
      if (turn) void turn.then(() => order.push(owner))
      else order.push(owner)
    }
    for (let n = 0; n < 20; n += 1) ask('much', 100)
    for (let n = 0; n < 20; n += 1) ask('more', 100)
    next.shift()?.()
    await settled()
    order.length = 0
    ask('little', 1)
    next.shift()?.()
    await settled()
    expect(order[0]).toBe('little')
    // Neither of the others is kept waiting by the other.
    for (let n = 0; n < 10; n += 1) {
      next.shift()?.()
      await settled()
    }
    const counts = ['much', 'more'].map((owner) => order.filter((one) => one === owner).length)
    expect(Math.abs((counts[0] ?? 0) - (counts[1] ?? 0))).toBeLessThanOrEqual(1)
  })

  it('do work whose size only shows when it is done, and let nobody else begin in the same turn', async () => {
    const next: (() => void)[] = []
    const turns = createTurns(100, (run) => void next.push(run))
    const done: number[][] = []
    const all = Array.from({ length: 10 }, (_, n) =>
      turns.of(n).run(
        () => done.at(-1)?.push(n),
        () => 1_000,
      ),
    )
    for (let turn = next.shift(); turn; turn = next.shift()) {
      done.push([])
      turn()
      await settled()
    }
    await Promise.all(all)
    // The first one did not wait.
    expect(done.filter((turn) => turn.length > 0)).toEqual(
      Array.from({ length: 9 }, (_, n) => [n + 1]),
    )
  })

  it('tell a failure of the work to whoever asked for it, and go on with the others', async () => {
    const next: (() => void)[] = []
    const turns = createTurns(1, (run) => void next.push(run)).of('owner')
    const failing = () => {
      throw new Error('broken')
    }
    const units = () => 1
    const all = Promise.allSettled([
      turns.run(failing, units),
      turns.run(() => 'one', units),
      turns.run(failing, units),
      turns.run(() => 'two', units),
    ])
    for (let turn = next.shift(); turn; turn = next.shift()) {
      turn()
      await settled()
    }
    const shown = (await all).map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))
    expect(shown).toEqual(['failed', 'one', 'failed', 'two'])
  })

  it('give a piece that is larger than a turn one of its own', async () => {
    expect(await work(10, 2, 3, 1_000)).toHaveLength(6)
  })
})
