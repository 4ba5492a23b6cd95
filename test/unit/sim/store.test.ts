import { describe, expect, it } from 'vitest'
import type {
  AssistantId,
  ConversationId,
  Delta,
  MessageId,
  Session,
  TerminalEventBody,
} from '../../../src/domain.ts'
import type { AcceptRequest, Ledger } from '../../../src/store/ledger.ts'
import type { RunLease } from '../../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../../src/domain/upstream.ts'
import type { EventFilter, LogItem, ReplyLog } from '../../../src/store/log.ts'
import { StoreError, type ReplyStore } from '../../../src/store/store.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import {
  accept,
  answerOf,
  assistant as assistantId,
  beginning,
  cancelled,
  completed,
  textsOf,
} from '../../kit/fakes/stored-replies.ts'
import { sessionIdOf, sessionNameOf } from '../../sim/people.ts'
import { type DiskWeather, fairWeather, type WriteName } from '../../sim/store/commits.ts'
import type { DiskFlaw } from '../../sim/store/flaw.ts'
import { createMemoryDisk } from '../../sim/store/store.ts'
import { createTimeline } from '../../sim/timeline.ts'

/** A disk on virtual time, and a way to let promises of it come about. */
function setUp(weather: Partial<DiskWeather> = {}, flaw?: DiskFlaw) {
  const timeline = createTimeline(0)
  const disk = createMemoryDisk({
    clock: timeline.clock,
    weather: { ...fairWeather, ...weather },
    newId: randomId,
    flaw,
  })
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
  const wait = (ms: number) => timeline.run(() => false, timeline.clock.monotonic() + ms)
  return { timeline, disk, user, newUser, store: disk.open(user), pass, wait }
}

const answer = (offset: number, text: string): Delta => ({ kind: 'ANSWER', offset, text })
const reasoning = (offset: number, text: string): Delta => ({ kind: 'REASONING', offset, text })
const scope = { origin: 'https://upstream.test', account: '' }
const bindingOf = (conversationId: string): UpstreamBinding => ({
  scope,
  strategy: 'bot',
  conversationId,
})

async function openSession(ledger: Ledger): Promise<Session> {
  const name = (generation: number) => sessionNameOf('ann', generation)
  const { session } = await ledger.openSession(sessionIdOf('ann'), name, 1)
  return session
}

/** A reply that runs in a bound conversation, with its intent recorded. */
async function runReply({ ledger }: ReplyStore, session?: Session): Promise<RunLease> {
  const own = session ?? (await openSession(ledger))
  const outcome = await accept(ledger, own)
  if (outcome.type !== 'accepted') throw new Error(`expected "accepted", got "${outcome.type}"`)
  const lease = await ledger.claim(own, outcome.reply.conversationId, 2)
  if (lease === undefined) throw new Error('expected a lease')
  const binding = lease.upstream === undefined ? bindingOf(randomId()) : undefined
  await lease.intend({ binding, contextReset: false, at: 3 })
  return lease
}

const ending = (event: TerminalEventBody) => ({
  event,
  answerId: randomId() as MessageId,
  resetUpstream: false,
  upstreamMessageId: undefined,
  explanation: undefined,
  owesCancel: undefined,
  at: 10,
})

async function readAll(
  log: ReplyLog,
  { id }: Session,
  after = beginning,
  filter: EventFilter = {},
  maxLength = 100_000,
): Promise<LogItem[]> {
  const all: LogItem[] = []
  for (let position = after; ;) {
    const items = await log.read(id, position, filter, maxLength)
    if (items === 'expired') throw new Error('the position has expired')
    const last = items.at(-1)
    if (last === undefined) return all
    all.push(...items)
    position = last.position
  }
}

function existing<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected something')
  return value
}

const eventsOf = (items: readonly LogItem[]) => items.map(({ event }) => event)
const typesOf = (items: readonly LogItem[]) => items.map(({ event }) => event.type)
const lastOf = (items: readonly LogItem[]) => items.at(-1)?.position ?? beginning

describe('store of the simulation', () => {
  it('loses by a crash what was shown and not yet durable, and nothing else', async () => {
    const { disk, store, pass, wait, user, newUser } = setUp({ commitMs: () => 5 })
    const lease = await pass(runReply(store))
    const { session, reply } = lease
    void lease.append([answer(0, 'kept')])
    await wait(300)
    void lease.append([answer(4, ' lost')])
    expect(answerOf(eventsOf(await readAll(store.log, session)), lease)).toBe('kept lost')

    user.kill()
    disk.crash()
    const next = disk.open(newUser())
    expect(answerOf(eventsOf(await readAll(next.log, session)), lease)).toBe('kept')
    const orphans = await pass(next.ledger.orphans())
    expect(orphans.map((orphan) => [orphan.lease.reply.id, orphan.lease.answer])).toEqual([
      [reply.id, 'kept'],
    ])
  })

  it('tells nothing before it is durable, and keeps an end from being seen till then', async () => {
    const { store, pass, wait } = setUp({ commitMs: () => 100 })
    const lease = await pass(runReply(store))
    let isTold = false
    void lease.finish(ending(completed(''))).then(() => (isTold = true))
    await wait(50)
    expect(isTold).toBe(false)
    expect(typesOf(await readAll(store.log, lease.session))).toEqual(['started'])
    await wait(100)
    expect(isTold).toBe(true)
    expect(typesOf(await readAll(store.log, lease.session)).at(-1)).toBe('completed')
  })

  it('F33: leaves nothing of what an outage refused, and keeps the deltas for later', async () => {
    let outage: 'full' | undefined
    const { store, pass, wait } = setUp({ outage: () => outage })
    const lease = await pass(runReply(store))
    const { session } = lease
    outage = 'full'
    void lease.append([answer(0, 'kept')])
    await expect(pass(accept(store.ledger, session))).rejects.toBeInstanceOf(StoreError)
    await expect(pass(lease.finish(ending(completed(''))))).rejects.toMatchObject({ kind: 'full' })
    const shown = store.log.read(session.id, beginning, {}, 1_000)
    expect(shown).toMatchObject([{ event: { type: 'started' } }, { event: { text: 'kept' } }])
    outage = undefined
    await wait(1_000)
    expect((await pass(lease.finish(ending(completed('kept'))))).type).toBe('finished')
    expect(typesOf(await readAll(store.log, session)).at(-1)).toBe('completed')
  })

  it('F32: tells a reader at the end that what comes next cannot be written', async () => {
    let outage: 'unavailable' | undefined
    const { store, pass } = setUp({ outage: () => outage })
    const lease = await pass(runReply(store))
    const end = lastOf(await readAll(store.log, lease.session))
    outage = 'unavailable'
    await expect(pass(store.ping())).rejects.toBeInstanceOf(StoreError)
    expect(() => store.log.read(lease.session.id, end, {}, 100)).toThrow(StoreError)
    void lease.append([answer(0, 'shown')])?.catch(() => undefined)
    expect(store.log.read(lease.session.id, end, {}, 100)).toHaveLength(1)
    outage = undefined
    await pass(store.ping())
    expect(store.log.read(lease.session.id, end, {}, 100)).toHaveLength(1)
  })

  it('answers a dead process nothing, and does nothing for it', async () => {
    const { timeline, disk, store, user, pass } = setUp()
    const lease = await pass(runReply(store))
    const { size } = disk.state.replies
    user.kill()
    let isAnswered = false
    void accept(store.ledger, lease.session).then(() => (isAnswered = true))
    void lease.append([answer(0, 'ghost')])
    void lease.finish(ending(cancelled)).then(() => (isAnswered = true))
    await timeline.run(() => isAnswered, 10_000)
    expect(isAnswered).toBe(false)
    expect(disk.state.replies.size).toBe(size)
    expect(disk.state.replies.get(lease.reply.id)?.told.status).toBe('RUNNING')
  })

  it('can crash before and after each write, and then has all of it or nothing', async () => {
    const writes: WriteName[] = ['accept', 'claim', 'intend', 'text', 'action', 'outputs', 'finish']
    const found: Record<string, string> = {}
    for (const crashing of writes) {
      for (const moment of ['before', 'after'] as const) {
        const die = (wanted: typeof moment) => (names: readonly WriteName[]) => {
          if (moment !== wanted || !names.includes(crashing)) return
          user.kill()
          disk.crash()
        }
        const system = setUp({
          commitMs: () => 5,
          onCommitting: die('before'),
          onDurable: die('after'),
        })
        const { disk, user, store, wait } = system
        const toolCalls = [{ id: 'call', kind: 'FUNCTION', name: 'look', arguments: '{}' }] as const
        void (async () => {
          const lease = await runReply(store)
          void lease.append([answer(0, 'one')])
          await system.timeline.clock.sleep(300, new AbortController().signal)
          await lease.requireAction({ toolCalls, expiresAt: 9 })
          const outputs = { toolCallIds: ['call'], digest: 'digest' }
          await store.ledger.takeToolOutputs(lease.session, lease.reply.id, outputs)
          await lease.finish(ending(completed('one two')))
        })()
        await wait(2_000)
        const [row] = disk.state.replies.values()
        found[`${moment} ${crashing}`] =
          row === undefined
            ? 'nothing'
            : `${row.told.status} ${row.step} ${row.text.answer} ${row.toolOutputs.length}`
      }
    }
    expect(found).toEqual({
      'before accept': 'nothing',
      'after accept': 'QUEUED claimed  0',
      'before claim': 'QUEUED claimed  0',
      'after claim': 'RUNNING claimed  0',
      'before intend': 'RUNNING claimed  0',
      'after intend': 'RUNNING intended  0',
      'before text': 'RUNNING intended  0',
      'after text': 'RUNNING intended one 0',
      'before action': 'RUNNING intended one 0',
      'after action': 'ACTION_REQUIRED waiting one 0',
      'before outputs': 'ACTION_REQUIRED waiting one 0',
      'after outputs': 'RUNNING answered one 1',
      'before finish': 'RUNNING answered one 1',
      'after finish': 'COMPLETED answered one two 1',
    })
  })

  describe('reading', () => {
    it('sends what is new of each text, reasoning first, then the next event', async () => {
      const { store, pass } = setUp()
      const session = await pass(openSession(store.ledger))
      const first = await pass(runReply(store, session))
      void first.append([answer(0, 'one'), reasoning(0, 'hm')])
      const other = { newConversationId: randomId() as ConversationId, assistantId: 'b' }
      const begun = await pass(
        accept(store.ledger, session, { ...other, assistantId: 'b' as AssistantId }),
      )
      if (begun.type !== 'accepted') throw new Error('expected a reply')
      const second = existing(
        await pass(store.ledger.claim(session, begun.reply.conversationId, 2)),
      )
      await pass(second.intend({ binding: undefined, contextReset: false, at: 3 }))
      void second.append([answer(0, 'two')])
      await pass(first.finish(ending(completed('one more'))))
      const told = (await readAll(store.log, session)).map(({ event }) =>
        event.type === 'delta' ? `${event.kind} ${event.offset} ${event.text}` : event.type,
      )
      expect(told).toEqual([
        'started',
        'REASONING 0 hm',
        'ANSWER 0 one more',
        'started',
        'ANSWER 0 two',
        'completed',
      ])
    })

    it('gives readers at one position the same objects, and drops a text when its reply ended', async () => {
      const { store, pass } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, 'one')])
      const [, once] = await readAll(store.log, lease.session)
      const [, again] = await readAll(store.log, lease.session)
      expect(again).toBe(once)
      expect(once?.position.texts).toMatchObject([{ replyId: lease.reply.id, answer: 3 }])
      await pass(lease.finish(ending(completed('one'))))
      expect(lastOf(await readAll(store.log, lease.session)).texts).toEqual([])
    })

    it('takes a reader of an older revision back to what all later ones kept', async () => {
      const { store, pass } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, '0123456789')])
      const early = lastOf(await readAll(store.log, lease.session))
      void lease.append([answer(2, 'abc')])
      void lease.append([answer(4, 'xyz!')])
      const items = await readAll(store.log, lease.session, early)
      expect(items).toMatchObject([{ event: { type: 'delta', offset: 2, text: 'abxyz!' } }])
      expect(answerOf(eventsOf(items), lease, '0123456789')).toBe('01abxyz!')
      expect(await readAll(store.log, lease.session, lastOf(items))).toEqual([])
    })

    it('truncates by an empty delta, and does so before a terminal event', async () => {
      const { store, pass } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, '0123')])
      const early = lastOf(await readAll(store.log, lease.session))
      void lease.append([answer(2, '')])
      await pass(lease.finish(ending(completed('01'))))
      expect(await readAll(store.log, lease.session, early)).toMatchObject([
        { event: { type: 'delta', offset: 2, text: '' } },
        { event: { type: 'completed' } },
      ])
    })

    it('tells every cut between two tracks that both were taken back', async () => {
      const { store, pass } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([reasoning(0, 'hmm'), answer(0, '0123')])
      const early = lastOf(await readAll(store.log, lease.session))
      void lease.append([answer(2, '')])
      void lease.append([reasoning(1, 'a'), reasoning(2, 'bc')])
      for (const cut of [0, 1, 2, 3]) {
        const items = (await readAll(store.log, lease.session, early)).slice(0, cut)
        const rest = await readAll(store.log, lease.session, cut === 0 ? early : lastOf(items))
        const held = [
          [`${lease.reply.id} ANSWER`, '0123'],
          [`${lease.reply.id} REASONING`, 'hmm'],
        ] as const
        expect([...textsOf(eventsOf([...items, ...rest]), held).values()]).toEqual(['01', 'habc'])
      }
    })

    it('gives a reader of a revision that was lost everything, from the start', async () => {
      const { disk, store, pass, wait, user, newUser } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, '0123')])
      await wait(300)
      void lease.append([answer(2, 'lost')])
      const lost = lastOf(await readAll(store.log, lease.session))
      user.kill()
      disk.crash()
      const next = disk.open(newUser())
      const [orphan] = await pass(next.ledger.orphans())
      void orphan?.lease.append([answer(4, '45')])
      expect(await readAll(next.log, lease.session, lost)).toMatchObject([
        { event: { offset: 0, text: '012345' } },
      ])
    })

    it('takes back what a crash lost of a text, and lets a reader in front of it wait', async () => {
      const { disk, store, pass, wait, user, newUser } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, '0123')])
      await wait(300)
      void lease.append([answer(4, '456')])
      const shown = lastOf(await readAll(store.log, lease.session))
      user.kill()
      disk.crash()
      const next = disk.open(newUser())
      expect(await readAll(next.log, lease.session, shown)).toEqual([])
      await pass(next.ledger.orphans())
      expect(await readAll(next.log, lease.session, shown)).toMatchObject([
        { event: { offset: 4, text: '' } },
      ])
    })

    it('takes back what was not on disk when somebody else ends the reply', async () => {
      const { store, pass, wait } = setUp()
      const lease = await pass(runReply(store))
      void lease.append([answer(0, 'kept')])
      await wait(300)
      void lease.append([answer(4, ' lost')])
      const shown = lastOf(await readAll(store.log, lease.session))
      const request = { replyId: lease.reply.id, ...ending(cancelled) }
      await pass(store.ledger.finish(lease.session, request))
      expect(await readAll(store.log, lease.session, shown)).toMatchObject([
        { event: { offset: 4, text: '' } },
        { event: { type: 'cancelled' } },
      ])
      expect(() => lease.append([answer(9, '!')])).toThrow('does not run under this lease')
    })
  })

  it('keeps every cursor good when a conversation is deleted, and its bindings as tombstones', async () => {
    const { store, pass } = setUp()
    const lease = await pass(runReply(store))
    const { session, reply } = lease
    const binding = bindingOf('taken')
    await pass(lease.bind(binding, { contextReset: false, at: 1 }))
    const remove = () => store.ledger.deleteConversation(session, reply.conversationId, 20)
    expect(await pass(remove())).toEqual({ type: 'busy' })
    await pass(lease.finish(ending(completed(''))))
    const end = await pass(store.log.end(session.id))
    const deleted = await pass(remove())
    expect(deleted).toMatchObject({
      type: 'deleted',
      owed: [{ type: 'delete-conversation' }, { type: 'delete-conversation', upstream: binding }],
    })
    expect(await pass(store.log.check(session.id, end))).toBe('ok')
    expect(await pass(readAll(store.log, session))).toEqual([])
    const other = await pass(runReply(store, session))
    const again = other.bind(binding, { contextReset: false, at: 2 })
    expect(await pass(again)).toMatchObject({ type: 'collision' })
  })

  it('lets a reply ask for tool outputs, and takes exactly those', async () => {
    const { store, pass } = setUp()
    const lease = await pass(runReply(store))
    const { session, reply } = lease
    const toolCalls = [{ id: 'call', kind: 'FUNCTION', name: 'look', arguments: '{}' }] as const
    const action = { toolCalls, expiresAt: 9 }
    const take = (toolCallIds: readonly string[], digest = '') =>
      pass(store.ledger.takeToolOutputs(session, reply.id, { toolCallIds, digest }))
    expect(await take(['call'])).toEqual({ type: 'not-waiting' })
    expect(await pass(lease.requireAction(action))).toBe(true)
    expect((await readAll(store.log, session)).at(-1)?.event).toMatchObject({
      type: 'action-required',
      ...action,
    })
    expect(await take([])).toEqual({ type: 'other-calls' })
    expect(await take(['call', 'call'])).toEqual({ type: 'other-calls' })
    expect(await take(['call'])).toMatchObject({ type: 'taken', reply: { status: 'RUNNING' } })
    expect(await take(['call'])).toMatchObject({ type: 'repeated', reply: { id: reply.id } })
    expect(await take(['call'], 'other')).toEqual({ type: 'not-waiting' })
  })

  it('starts an accepted reply in the same write, only where it is next and bound', async () => {
    const { store, pass } = setUp()
    const lease = await pass(runReply(store))
    const { session, reply } = lease
    const { conversationId } = reply
    const begin = { assistantId, served: [{ scope, strategy: 'bot' }] } as const
    const send = async (request: Partial<AcceptRequest>) => {
      const outcome = await pass(accept(store.ledger, session, { begin, ...request }))
      return outcome.type === 'accepted' ? outcome : undefined
    }
    const queued = await send({ conversationId })
    expect(queued).toMatchObject({ lease: undefined, reply: { status: 'QUEUED' } })
    const ended = await pass(lease.finish(ending(completed(''))))
    expect(ended).toMatchObject({ type: 'finished', hasNext: true })
    // What waits goes first, though nothing runs.
    expect((await send({ conversationId }))?.lease).toBeUndefined()
    const urgent = await send({ conversationId, onBusy: 'INTERRUPT' })
    expect(urgent).toMatchObject({ reply: { status: 'RUNNING' }, overtaken: [{}, {}] })
    expect(typesOf(await readAll(store.log, session)).at(-1)).toBe('started')
    const begun = existing(urgent?.lease)
    expect(begun.upstream?.scope).toEqual(scope)
    expect(await pass(begun.requeue())).toBe('lost')
    const unserved = { ...begin, served: [{ scope, strategy: 'workflow' }] } as const
    await pass(begun.finish(ending(cancelled)))
    expect((await send({ conversationId, begin: unserved }))?.lease).toBeUndefined()
  })

  it('keeps what is owed to the platform over a crash, under the name that it is owed for', async () => {
    const { disk, store, pass, user, newUser } = setUp()
    const lease = await pass(runReply(store))
    const { session } = lease
    await pass(lease.finish(ending(completed(''))))
    const name = (generation: number) => sessionNameOf('ann', generation)
    const outcome = await pass(store.ledger.eraseSession(session, name, 50))
    expect(outcome).toMatchObject({ type: 'erased', erased: { hasSpoken: true } })
    user.kill()
    disk.crash()
    const { outbox, ledger } = disk.open(newUser())
    expect(await pass(outbox.nextDue())).toBe(50)
    expect(await pass(outbox.take({ now: 49, leaseMs: 1_000, limit: 9 }))).toEqual([])
    const works = await pass(outbox.take({ now: 60, leaseMs: 1_000, limit: 9 }))
    expect(works).toMatchObject([
      { type: 'clear-variables', session, assistantId, account: { scope, strategy: 'bot' } },
      { type: 'delete-conversation', session, attempts: 0, owedSince: 50 },
    ])
    expect((await pass(openSession(ledger))).name).not.toBe(session.name)
    expect(await pass(outbox.take({ now: 60, leaseMs: 1_000, limit: 9 }))).toEqual([])
    const [first, second] = works
    if (first === undefined || second === undefined) throw new Error('expected two works')
    await pass(outbox.postpone(first.id, 5_000))
    await pass(outbox.settle([second.id]))
    expect(await pass(outbox.nextDue())).toBe(5_000)
    expect(await pass(outbox.take({ now: 5_000, leaseMs: 1_000, limit: 9 }))).toMatchObject([
      { id: first.id, attempts: 1 },
    ])
  })

  it('lets a reader that missed nothing go on when its event is trimmed', async () => {
    const { store, pass } = setUp()
    const lease = await pass(runReply(store))
    const { session } = lease
    await pass(lease.finish(ending(completed(''))))
    const items = await readAll(store.log, session)
    expect(await pass(store.log.trim(100))).toBe(1)
    expect(store.log.read(session.id, lastOf(items), {}, 100)).toEqual([])
    expect(await pass(store.log.check(session.id, lastOf(items)))).toBe('ok')
    expect(store.log.read(session.id, items[0]?.position ?? beginning, {}, 100)).toBe('expired')
    const another = { ...lastOf(items), check: 'other' }
    expect(await pass(store.log.check(session.id, another))).toBe('expired')
    expect(await pass(store.log.start(session.id, lease.reply.id))).toBe('expired')
  })

  /** A simulation restores no backup, and nobody ends a reply whose text another process holds. */
  describe('planted bugs that only a look at the store finds', () => {
    it.each([undefined, 'ignores-checks'] as const)(
      'tells a cursor of a restored backup from one of today, but for the bug %s',
      async (flaw) => {
        const { store, pass } = setUp({}, flaw)
        const lease = await pass(runReply(store))
        await pass(lease.finish(ending(completed(''))))
        const [first] = await readAll(store.log, lease.session)
        const lost = { ...(first?.position ?? beginning), check: 'lost' }
        const isExpired = store.log.read(lease.session.id, lost, {}, 100) === 'expired'
        expect(isExpired).toBe(flaw === undefined)
        expect(await pass(store.log.check(lease.session.id, lost))).toBe(
          flaw === undefined ? 'expired' : 'ok',
        )
      },
    )

    it.each([undefined, 'keeps-no-revision-of-a-cancel'] as const)(
      'takes back what only the run had when another ends it, but for the bug %s',
      async (flaw) => {
        const { store, pass, wait } = setUp({}, flaw)
        const lease = await pass(runReply(store))
        void lease.append([answer(0, 'kept')])
        await wait(300)
        void lease.append([answer(4, ' lost')])
        const shown = lastOf(await readAll(store.log, lease.session))
        const request = { replyId: lease.reply.id, ...ending(cancelled) }
        await pass(store.ledger.finish(lease.session, request))
        const rest = await readAll(store.log, lease.session, shown)
        const text = answerOf(eventsOf(rest), lease, 'kept lost')
        expect(text).toBe(flaw === undefined ? 'kept' : 'kept lost')
      },
    )
  })
})
