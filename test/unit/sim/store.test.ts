import { describe, expect, it } from 'vitest'
import type { Session } from '../../../src/domain.ts'
import type { Claim, Ledger } from '../../../src/store/ledger.ts'
import { StoreError } from '../../../src/store/store.ts'
import { accept, answerOf, completed, finish, readAll, runReply } from '../../kit/stored-replies.ts'
import { sessionIdOf, sessionNameOf } from '../../sim/people.ts'
import { type DiskWeather, fairWeather } from '../../sim/store/pipe.ts'
import { createMemoryDisk } from '../../sim/store/store.ts'
import { createTimeline } from '../../sim/timeline.ts'

/** A disk on virtual time, and a way to let promises of it come about. */
function setUp(weather: Partial<DiskWeather> = {}) {
  const timeline = createTimeline(0)
  const disk = createMemoryDisk(timeline.clock, { ...fairWeather, ...weather })
  const user = newUser()
  function newUser() {
    return Object.assign(timeline.process(), { answerMs: () => 0 })
  }
  async function pass<T>(work: Promise<T>, ms = 60_000): Promise<T> {
    let isDone = false
    void work.finally(() => (isDone = true)).catch(() => undefined)
    await timeline.run(() => isDone, timeline.clock.monotonic() + ms)
    return await work
  }
  return { timeline, disk, user, newUser, store: disk.open(user), pass }
}

async function openSession(ledger: Ledger): Promise<Session> {
  const name = (generation: number) => sessionNameOf('ann', generation)
  const { session } = await ledger.openSession(sessionIdOf('ann'), name, 1)
  return session
}

const delta = (offset: number, text: string) => ({ kind: 'ANSWER', offset, text }) as const

describe('store of the simulation', () => {
  it('loses by a crash what was shown and not yet durable, and nothing else', async () => {
    const { timeline, disk, store, pass, user, newUser } = setUp({ commitMs: () => 5 })
    const claim: Claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    const { session, reply, fence } = claim
    void store.log.append(session.id, reply.id, fence, [delta(0, 'kept')])
    await timeline.run(() => false, timeline.clock.monotonic() + 50)
    void store.log.append(session.id, reply.id, fence, [delta(4, ' lost')])
    expect(answerOf(await pass(readAll(store.log, session)), claim)).toBe('kept lost')

    user.kill()
    disk.crash()
    const next = disk.open(newUser())
    expect(answerOf(await pass(readAll(next.log, session)), claim)).toBe('kept')
    const orphans = await pass(next.ledger.orphans())
    expect(orphans.map((orphan) => [orphan.reply.id, orphan.reply.text])).toEqual([
      [reply.id, 'kept'],
    ])
  })

  it('tells nothing before it is durable, and keeps an end from being seen till then', async () => {
    const { timeline, store, pass } = setUp({ commitMs: () => 100 })
    const claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    let isTold = false
    void finish(store.ledger, claim, completed('')).then(() => (isTold = true))
    await timeline.run(() => false, timeline.clock.monotonic() + 50)
    expect(isTold).toBe(false)
    expect((await readAll(store.log, claim.session)).map(({ type }) => type)).toEqual(['started'])
    await timeline.run(() => isTold, timeline.clock.monotonic() + 200)
    expect((await readAll(store.log, claim.session)).at(-1)?.type).toBe('completed')
  })

  it('F33: takes back what an outage refused, and keeps the deltas for later', async () => {
    let outage: 'full' | undefined
    const { timeline, store, pass } = setUp({ outage: () => outage })
    const claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    const { session, reply, fence } = claim
    outage = 'full'
    void store.log.append(session.id, reply.id, fence, [delta(0, 'kept')])
    await expect(pass(accept(store.ledger, session))).rejects.toBeInstanceOf(StoreError)
    await expect(pass(finish(store.ledger, claim, completed('')))).rejects.toMatchObject({
      kind: 'full',
    })
    expect(answerOf(await readAll(store.log, session), claim)).toBe('kept')
    outage = undefined
    await timeline.run(() => false, timeline.clock.monotonic() + 1_000)
    const outcome = await pass(finish(store.ledger, claim, completed('kept')))
    expect(outcome.type).toBe('finished')
    expect((await readAll(store.log, session)).at(-1)?.type).toBe('completed')
  })

  it('answers a dead process nothing, and does nothing for it', async () => {
    const { timeline, disk, store, user, pass } = setUp()
    const session = await pass(openSession(store.ledger))
    user.kill()
    let isAnswered = false
    void accept(store.ledger, session).then(() => (isAnswered = true))
    await timeline.run(() => isAnswered, 10_000)
    expect(isAnswered).toBe(false)
    expect(disk.state.replies.size).toBe(0)
  })

  it('keeps every cursor good when a conversation is deleted, and its bindings as tombstones', async () => {
    const { store, pass } = setUp()
    const claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    const { session, reply, fence } = claim
    const scope = { origin: 'https://upstream.test', account: '' }
    const binding = { scope, strategy: 'bot', conversationId: 'taken' } as const
    await pass(store.ledger.bind(session, reply.id, fence, binding, 1))
    const running = await pass(store.ledger.deleteConversation(session, reply.conversationId))
    expect(running).toEqual({ type: 'busy' })
    await pass(finish(store.ledger, claim, completed('')))
    const end = await pass(store.log.end(session.id))
    const deleted = await pass(store.ledger.deleteConversation(session, reply.conversationId))
    expect(deleted).toMatchObject({ type: 'deleted', upstream: [binding] })
    expect(await pass(store.log.check(session.id, end))).toBe('ok')
    expect(await pass(readAll(store.log, session))).toEqual([])
    const other = await pass(runReply(store, session))
    const again = store.ledger.bind(session, other.reply.id, other.fence, binding, 2)
    expect(await pass(again)).toMatchObject({ type: 'collision' })
  })

  it('lets a reply ask for tool outputs, and takes exactly those', async () => {
    const { store, pass } = setUp()
    const claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    const { session, reply, fence } = claim
    const toolCalls = [{ id: 'call', kind: 'FUNCTION', name: 'look', arguments: '{}' }] as const
    const action = { toolCalls, expiresAt: 9 }
    const take = (toolCallIds: readonly string[], digest = '') =>
      pass(store.ledger.takeToolOutputs(session, reply.id, { toolCallIds, digest }))
    expect(await take(['call'])).toEqual({ type: 'not-waiting' })
    expect(await pass(store.ledger.requireAction(session, reply.id, fence, action))).toBe(true)
    expect((await readAll(store.log, session)).at(-1)).toMatchObject({
      type: 'action-required',
      ...action,
    })
    expect(await take([])).toEqual({ type: 'other-calls' })
    expect(await take(['call', 'call'])).toEqual({ type: 'other-calls' })
    expect(await take(['call'])).toMatchObject({ type: 'taken', reply: { status: 'RUNNING' } })
    expect(await take(['call'])).toMatchObject({ type: 'repeated', reply: { id: reply.id } })
    expect(await take(['call'], 'other')).toEqual({ type: 'not-waiting' })
  })

  it('never uses a position twice, whatever was lost', async () => {
    const { disk, store, pass, user, newUser } = setUp({ commitMs: () => 5 })
    const claim = await pass(openSession(store.ledger).then((ann) => runReply(store, ann)))
    const { session, reply, fence } = claim
    void store.log.append(session.id, reply.id, fence, [delta(0, 'lost')])
    const lost = await pass(store.log.end(session.id))
    user.kill()
    disk.crash()
    const next = disk.open(newUser())
    expect(await pass(next.log.check(session.id, lost))).toBe('ok')
    const [orphan] = await pass(next.ledger.orphans())
    if (orphan === undefined) throw new Error('expected an orphan')
    void next.log.append(session.id, reply.id, orphan.fence, [delta(0, 'new')])
    expect(await pass(readAll(next.log, session, lost))).toMatchObject([{ text: 'new', epoch: 2 }])
  })
})
