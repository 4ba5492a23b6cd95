import { describe, expect, it } from 'vitest'
import { openStoreReadiness } from '../../../src/store/readiness.ts'
import type { Durability } from '../../../src/domain/durability.ts'
import { StoreError } from '../../../src/store/store.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

async function open(required: Durability = 'none') {
  const clock = createFakeClock()
  const pings: PromiseWithResolvers<void>[] = []
  const lines: string[] = []
  const note = (_: unknown, message: string) => void lines.push(message)
  const durability = { survives: 'disk' as Durability, because: 'it is a test' }
  const readiness = await openStoreReadiness({
    store: {
      ping() {
        const ping = Promise.withResolvers<void>()
        pings.push(ping)
        return ping.promise
      },
      durability: async () => ({ ...durability }),
    },
    required,
    clock,
    logger: { ...silentLogger, info: note, warn: note },
  })
  /** Asks once, and lets the store take or refuse the write. */
  async function ask(answer: 'taken' | 'refused'): Promise<boolean> {
    const asked = readiness.isReady()
    if (answer === 'taken') pings.at(-1)?.resolve()
    else pings.at(-1)?.reject(new StoreError('full', 'the disk of the store is full'))
    return await asked
  }
  lines.length = 0
  return { clock, pings, lines, durability, readiness, ask }
}

describe("the store's readiness", () => {
  it('is what a write was worth, and a thousand questions are one write', async () => {
    const { pings, readiness } = await open()
    const asked = Array.from({ length: 1_000 }, () => readiness.isReady())
    pings[0]?.resolve()
    expect(new Set(await Promise.all(asked))).toEqual(new Set([true]))
    expect(await readiness.isReady()).toBe(true)
    expect(pings).toHaveLength(1)
  })

  it('is lost with a full disk, asked for once a second, and comes back', async () => {
    const { clock, pings, lines, readiness, ask } = await open()
    expect(await ask('refused')).toBe(false)
    clock.advance(999)
    expect(await readiness.isReady()).toBe(false)
    expect(pings).toHaveLength(1)
    clock.advance(1)
    expect(await ask('refused')).toBe(false)
    clock.advance(1_000)
    expect(await ask('taken')).toBe(true)
    expect(pings).toHaveLength(3)
    expect(lines).toEqual(['store not ready', 'store ready again'])
  })

  it('is asked for anew after five seconds', async () => {
    const { clock, pings, ask } = await open()
    expect(await ask('taken')).toBe(true)
    clock.advance(5_000)
    expect(await ask('refused')).toBe(false)
    expect(pings).toHaveLength(2)
  })

  it('is lost while a disk hangs, whose one write is joined by no other', async () => {
    const { clock, pings, readiness } = await open()
    const asked = readiness.isReady()
    await clock.pass(2_000)
    expect(await asked).toBe(false)
    for (let seconds = 0; seconds < 30; seconds += 1) {
      clock.advance(1_000)
      expect(await readiness.isReady()).toBe(false)
    }
    expect(pings).toHaveLength(1)
    pings[0]?.resolve()
    await clock.pass(0)
    expect(await readiness.isReady()).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('P10: is refused, and lost later, where a message survives less than is demanded', async () => {
    await expect(open('failover')).rejects.toThrow(
      '"requireDurability" demands that a message survives the loss of the store\'s machine (failover)',
    )
    const { clock, lines, durability, readiness, ask } = await open('disk')
    expect([await ask('taken'), readiness.durability]).toEqual([true, 'disk'])
    durability.survives = 'process'
    clock.advance(5_000)
    expect([await ask('taken'), readiness.durability]).toEqual([false, 'process'])
    durability.survives = 'disk'
    clock.advance(1_000)
    expect([await ask('taken'), readiness.durability]).toEqual([true, 'disk'])
    const told = 'what an acknowledged message survives'
    expect(lines).toEqual([told, 'store not ready', told, 'store ready again'])
  })
})
