import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock, type FakeClock } from '../kit/fakes/clock.ts'
import { message, newDisk, openEngine, readAll } from '../kit/fakes/engine.ts'
import { until } from '../kit/process/until.ts'

const hourMs = 3_600_000

async function openGateway(store: Store, clock: FakeClock) {
  const gateway = await openEngine({ store, clock })
  await gateway.sessions.recover()
  return gateway
}

/** A conversation that was talked in once, and what it is upstream. */
async function talkOnce({ replies, strategy }: Awaited<ReturnType<typeof openGateway>>) {
  const reply = await replies.sendMessage(message('hello'))
  const run = await strategy.next()
  run.accept()
  run.complete('hi')
  await readAll(replies, reply.id)
  return { conversationId: reply.conversationId, upstreamId: run.conversationId }
}

/** Lets time pass until something is so. */
function passUntil(clock: FakeClock, isSo: () => boolean, what: string) {
  return until(async () => {
    await clock.pass(1_000)
    return isSo()
  }, what)
}

describe('P12 F45: a deletion that the platform refused', () => {
  it('is tried again until the platform does it, and then no more', async () => {
    const clock = createFakeClock()
    const store = newDisk().open()
    await using gateway = await openGateway(store, clock)
    const { records, conversations, lines } = gateway
    const { conversationId, upstreamId } = await talkOnce(gateway)
    records.kept.add(upstreamId)
    await conversations.delete(conversationId)
    await clock.pass(hourMs)
    expect(records.deleted).toEqual([])
    records.kept.clear()
    await passUntil(clock, () => records.deleted.length > 0, 'the deletion to be done')
    expect(records.deleted).toMatchObject([{ conversationId: upstreamId }])
    await until(async () => (await store.outbox.nextDue()) === undefined, 'nothing to be owed')
    await clock.pass(2 * hourMs)
    expect(records.deleted).toHaveLength(1)
    expect(lines.map((line) => line.message)).toContain('owed work settled')
  })

  it('is tried again after a look at the outbox that met a damaged row, which ends nothing', async () => {
    const clock = createFakeClock()
    const store = newDisk().open()
    let isDamaged = false
    const outbox: Store['outbox'] = {
      ...store.outbox,
      take: async (options) => {
        if (isDamaged) throw new TypeError('expected an integer column, got string')
        return await store.outbox.take(options)
      },
    }
    await using gateway = await openGateway({ ...store, outbox }, clock)
    const { records, conversations, lines } = gateway
    const { conversationId, upstreamId } = await talkOnce(gateway)
    records.kept.add(upstreamId)
    await conversations.delete(conversationId)
    isDamaged = true
    const isTold = () => lines.some((line) => line.message === 'the outbox could not be read')
    await passUntil(clock, isTold, 'the damage to be told')
    isDamaged = false
    records.kept.clear()
    await passUntil(clock, () => records.deleted.length > 0, 'the deletion to be done')
  })

  it('is done after a restart, under the name that the session had then', async () => {
    const clock = createFakeClock()
    const disk = newDisk()
    {
      await using gateway = await openGateway(disk.open(), clock)
      const { conversationId, upstreamId } = await talkOnce(gateway)
      gateway.records.kept.add(upstreamId)
      await gateway.conversations.delete(conversationId)
      const { remains } = await gateway.conversations.erase()
      // Erasing tells of what an earlier deletion still owes.
      expect(remains).toContain(
        '1 conversation could not be deleted on the platform yet: it will be tried again.',
      )
    }
    await using gateway = await openGateway(disk.open(), clock)
    expect(gateway.session.name).toBe('alice-name-1')
    const { records } = gateway
    await passUntil(clock, () => records.deleted.length > 0, 'the deletion to be done')
    expect(records.deleted).toMatchObject([{ session: { name: 'alice-name-0' } }])
  })

  it('is given up after a week, which the operator is told', async () => {
    const clock = createFakeClock()
    const store = newDisk().open()
    await using gateway = await openGateway(store, clock)
    const { records, conversations, lines } = gateway
    const { conversationId, upstreamId } = await talkOnce(gateway)
    records.kept.add(upstreamId)
    await conversations.delete(conversationId)
    clock.delay(6 * 24 * hourMs)
    await clock.pass(hourMs)
    expect(await store.outbox.nextDue()).toBeDefined()
    clock.delay(2 * 24 * hourMs)
    await until(async () => {
      await clock.pass(hourMs)
      return (await store.outbox.nextDue()) === undefined
    }, 'the deletion to be given up')
    expect(lines.filter(({ message: line }) => line === 'owed work was given up')).toHaveLength(1)
  })
})
