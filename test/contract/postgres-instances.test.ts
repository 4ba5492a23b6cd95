import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import {
  ask,
  type Instance,
  openInstance,
  openTwo,
  takeOrphans,
  untilDead,
} from '../kit/process/instances.ts'
import {
  acceptReply,
  accept,
  assistant,
  answerOf,
  claimReply,
  completed,
  endByOther,
  finish,
  openSession,
  readAll,
  runReply,
} from '../kit/fakes/stored-replies.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const account = {
  scope: { origin: 'https://upstream.test', account: 'account' },
  strategy: 'bot',
} as const

describe('instances on one PostgreSQL', () => {
  it('know how many of them live', async () => {
    await using two = await openTwo(server)
    await two.one.beat()
    expect(two.one.store.instances).toMatchObject({ isShared: true, live: 2 })
    await two.other[Symbol.asyncDispose]()
    await two.one.beat()
    expect(two.one.store.instances.live).toBe(1)
  })

  it('F40: agree on the time of what they store, whatever their own clocks say', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const hourMs = 3_600_000
    one.clock.jump(hourMs)
    other.clock.jump(-hourMs)
    await Promise.all([one.beat(), other.beat()])
    const [here, there] = [one, other].map(({ store }) => store.clock.now())
    expect(Math.abs(Number(here) - Number(there))).toBeLessThan(hourMs / 10)
    one.clock.jump(hourMs)
    expect(one.store.clock.now()).toBe(here)
    one.clock.advance(5)
    expect(one.store.clock.now()).toBe(Number(here) + 5)
  })

  it('F21: take over what a dead one ran, each reply once, and what it had shown lives on', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append([{ kind: 'ANSWER', offset: 0, text: 'said' }])
    await one.store.ledger.session(session).replies([run.reply.id])
    await other.beat(untilDead - 1)
    expect(await other.store.ledger.orphans()).toEqual([])
    await other.beat()
    const [orphan, ...more] = await takeOrphans(other)
    expect(more).toEqual([])
    expect(orphan?.lease).toMatchObject({ reply: { id: run.reply.id }, answer: 'said' })
    expect(orphan?.progress.step).toBe('intended')
    expect(await other.store.ledger.orphans()).toEqual([])
  })

  it('F23: a zombie that wakes up writes nothing under a lease that was taken over', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await other.beat(untilDead)
    const [orphan] = await takeOrphans(other)
    if (orphan === undefined) throw new Error('expected an orphan')
    await run.append([{ kind: 'ANSWER', offset: 0, text: 'from the grave' }])
    one.clock.advance(250)
    await expect.poll(() => run.whenLost.aborted).toBe(true)
    expect(await finish(run, completed('late'))).toEqual({ type: 'lost' })
    await orphan.lease.append([{ kind: 'ANSWER', offset: 0, text: 'alive' }])
    await finish(orphan.lease, completed('alive'))
    const events = await readAll(other.store.log, session)
    expect(answerOf(events, run)).toBe('alive')
  })

  it('F23: one with a silent upstream notices by its next beat that its reply is not its own any more', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const [kept, gone] = [await runReply(one.store, session), await runReply(one.store, session)]
    await endByOther(other.store, session, gone.reply.id)
    await one.beat()
    await expect.poll(() => gone.whenLost.aborted).toBe(true)
    expect(kept.whenLost.aborted).toBe(false)
  })

  it('F28: a database that is away for all makes nobody dead', async () => {
    await using own = await startPostgres()
    const url = await own.newDatabase()
    await using one = await openInstance(url)
    await using other = await openInstance(url)
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await other.beat()
    await own.crash()
    for (let beats = 0; beats < untilDead; beats += 1) await other.clock.pass(1_000)
    await expect(other.store.ping()).rejects.toThrow('the store cannot be written')
    await own.start()
    await expect.poll(() => other.store.ping().then(() => 'fine', String)).toBe('fine')
    await other.beat(2)
    expect(await other.store.ledger.orphans()).toEqual([])
    await one.beat()
    expect(run.whenLost.aborted).toBe(false)
    expect(await finish(run, completed('done'))).toMatchObject({ type: 'finished' })
  })

  it('one whose own beat is late claims nothing, takes nothing over, and accepts to the queue only', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const { reply } = await runReply(one.store, session)
    const first = await runReply(one.store, session)
    await first.bind({ ...account, conversationId: 'up' }, { contextReset: false, at: 3 })
    await finish(first, completed('said'))
    const { conversationId } = first.reply
    one.clock.delay(11_000)
    const begin = { assistantId: assistant, served: [account] }
    const late = await accept(one.store.ledger, session, { conversationId, begin })
    expect(late).toMatchObject({ type: 'accepted', lease: undefined, reply: { status: 'QUEUED' } })
    const claim = () => one.store.ledger.claim(session, conversationId, 5)
    expect(await claim()).toBeUndefined()
    await other[Symbol.asyncDispose]()
    expect(await one.store.ledger.waiting()).toEqual([])
    await one.beat()
    expect(await claim()).toMatchObject({ message: { text: expect.any(String) } })
    expect(reply.status).toBe('RUNNING')
  })

  it('owe the platform the cancelling of a chat that another one was reading', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const scope = { origin: 'https://api.coze.cn', account: 'key-1' }
    const upstream = { scope, strategy: 'bot', conversationId: 'up' } as const
    const run = await runReply(one.store, session)
    await run.bind(upstream, { contextReset: false, at: 5 })
    run.recordChat('chat')
    one.clock.advance(250)
    await expect.poll(() => ask(two.url, `SELECT FROM replies WHERE chat = 'chat'`)).toHaveLength(1)
    await endByOther(other.store, session, run.reply.id)
    const owed = await other.store.outbox.take({ now: 1e6, leaseMs: 1, limit: 9 })
    expect(owed).toMatchObject([{ type: 'cancel-chat', upstream, chatId: 'chat' }])
  })

  it('give up a reply that is in their name and that they do not know of', async () => {
    await using two = await openTwo(server)
    const { url, one, other } = two
    const session = await openSession(one.store.ledger)
    const { id, conversationId } = await acceptReply(one.store.ledger, session)
    // Its claim was stored, and the answer to that was lost.
    await ask(
      url,
      `UPDATE replies SET status = 'RUNNING', step = 'claimed', fence = 'unknown', instance = $1, started_at = 1`,
      [one.name],
    )
    await one.beat()
    expect(await other.store.ledger.orphans()).toEqual([])
    await one.beat()
    expect(await takeOrphans(other)).toMatchObject([
      { lease: { reply: { id, conversationId } }, progress: { step: 'claimed' } },
    ])
  })

  it('run at once what waits for one that drains, and keep what waits for one that lives', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const { conversationId } = await acceptReply(one.store.ledger, session)
    expect(await other.store.ledger.waiting()).toEqual([])
    expect(await one.store.ledger.waiting()).toMatchObject([{ conversationId }])
    await one.store.ledger.handOver()
    expect(await other.store.ledger.waiting()).toMatchObject([{ conversationId }])
    expect(await one.store.ledger.waiting()).toEqual([])
  })

  it('share what waits among them when they look for it at once', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const sessions = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const own = await openSession(one.store.ledger)
        await acceptReply(one.store.ledger, own)
        return own
      }),
    )
    await one.store.ledger.handOver()
    const found = await Promise.all([one.store.ledger.waiting(), other.store.ledger.waiting()])
    const conversations = found.flat().map(({ conversationId }) => conversationId)
    expect(conversations.length).toBeGreaterThanOrEqual(sessions.length)
    expect(new Set(conversations).size).toBe(conversations.length)
  })

  it('take what another one is not just taking, and do not wait for the rest', async () => {
    await using two = await openTwo(server)
    const { url, one, other } = two
    const session = await openSession(one.store.ledger)
    const runs = [await runReply(one.store, session), await runReply(one.store, session)]
    const [held, free] = runs.map(({ reply }) => reply.id)
    await one[Symbol.asyncDispose]()
    const taker = new Client({ connectionString: url })
    await taker.connect()
    await taker.query('BEGIN')
    await taker.query('SELECT FROM replies WHERE key = $1 FOR UPDATE', [held])
    await other.beat(2)
    const taken = await takeOrphans(other)
    expect(taken.map(({ lease }) => lease.reply.id)).toEqual([free])
    await taker.end()
    const rest = await takeOrphans(other)
    expect(rest.map(({ lease }) => lease.reply.id)).toEqual([held])
  })

  it('run no more replies of a session at once than one of them alone would', async () => {
    const url = await server.newDatabase()
    await using one = await openInstance(url, { maxRunningPerSession: 2 })
    await using other = await openInstance(url, { maxRunningPerSession: 2 })
    const { ledger } = one.store
    const session = await openSession(ledger)
    const bound = await runReply(one.store, session)
    await bound.bind({ ...account, conversationId: 'up' }, { contextReset: false, at: 3 })
    await finish(bound, completed('said'))
    const runs = [await runReply(one.store, session), await runReply(other.store, session)]
    const { conversationId } = bound.reply
    const begin = { assistantId: assistant, served: [account] }
    const next = await accept(ledger, session, { conversationId, begin })
    expect(next).toMatchObject({ lease: undefined, reply: { status: 'QUEUED' } })
    expect(await ledger.claim(session, conversationId, 5)).toBeUndefined()
    expect(await ledger.waiting()).toEqual([])
    for (const run of runs.slice(0, 1)) await finish(run, completed('done'))
    expect(await ledger.waiting()).toMatchObject([{ conversationId }])
    expect(await ledger.claim(session, conversationId, 5)).toBeDefined()
  })

  it('do what one of them does at an interval once among them', async () => {
    await using two = await openTwo(server)
    const take = ({ store }: Instance) => store.instances.takeDuty('probe', 3_600_000)
    const taken = await Promise.all([two.one, two.other, two.one].map(take))
    expect(taken.filter(Boolean)).toHaveLength(1)
    await ask(two.url, `UPDATE duties SET due_at = 0`)
    expect(await take(two.other)).toBe(true)
    expect(await take(two.one)).toBe(false)
  })

  it('end the reply that another one runs in the write that accepts an INTERRUPT, with the text that is stored', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append([{ kind: 'ANSWER', offset: 0, text: 'stored' }])
    await one.store.ledger.session(session).replies([run.reply.id])
    const { conversationId } = run.reply
    const waits = await acceptReply(one.store.ledger, session, { conversationId })
    const outcome = await accept(other.store.ledger, session, {
      conversationId,
      onBusy: 'INTERRUPT',
    })
    if (outcome.type !== 'accepted') throw new Error(outcome.type)
    expect(outcome.interrupts).toBeUndefined()
    expect(outcome.overtaken).toMatchObject([
      { id: run.reply.id, status: 'CANCELLED', text: 'stored' },
      { id: waits.id, status: 'CANCELLED' },
    ])
    const next = await claimReply(other.store.ledger, session, conversationId)
    expect(next.reply.id).toBe(outcome.reply.id)
    // The run whose end was not seen is not met again.
    expect(next.contextReset).toBe(true)
    expect(await finish(run, completed('late'))).toMatchObject({ type: 'already' })
  })

  it('go on with a reply that waits for tool outputs where those are brought', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    run.recordChat('chat')
    const toolCalls = [{ id: 'call', kind: 'FUNCTION', name: 'look', arguments: '{}' }] as const
    const take = ({ store }: Instance) => store.ledger.takeWaiting(session, run.reply.id)
    expect(await take(other)).toBeUndefined()
    await run.requireAction({ toolCalls, expiresAt: 9 })
    expect(await take(one)).toBeUndefined()
    expect(await take(other)).toMatchObject({
      lease: { reply: { id: run.reply.id } },
      progress: { step: 'waiting', chatId: 'chat', expiresAt: 9, toolCalls },
    })
    await one.beat()
    await expect.poll(() => run.whenLost.aborted).toBe(true)
  })

  it('T13: take a reply away from the instance that runs it where another was met in its upstream conversation', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const [alice, bob] = [
      await openSession(one.store.ledger),
      await openSession(other.store.ledger),
    ]
    const scope = { origin: 'https://api.coze.cn', account: 'key-1' }
    const shared = { scope, strategy: 'workflow', conversationId: 'shared' } as const
    const bound = { contextReset: false, at: 5 }
    const first = await runReply(one.store, alice)
    expect(await first.bind(shared, bound)).toBe('bound')
    const second = await runReply(other.store, bob)
    expect(await second.bind(shared, bound)).toMatchObject({ inFlight: [first.reply.id] })
    await first.append([{ kind: 'ANSWER', offset: 0, text: 'of somebody' }])
    one.clock.advance(250)
    await expect.poll(() => first.whenLost.aborted).toBe(true)
    expect(await one.store.ledger.orphans()).toMatchObject([
      { isBreached: true, lease: { reply: { id: first.reply.id }, answer: '' } },
    ])
  })

  it('F23: send nothing under a claim whose answer took so long that another has taken the reply since', async () => {
    await using two = await openTwo(server)
    const { url, one, other } = two
    const session = await openSession(one.store.ledger)
    const { conversationId } = await acceptReply(one.store.ledger, session)
    const lease = await claimReply(one.store.ledger, session, conversationId)
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT FROM sessions FOR UPDATE')
    const intended = lease.intend({ binding: undefined, contextReset: false, at: 3 })
    await expect
      .poll(() => ask(url, `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`))
      .toHaveLength(1)
    one.clock.delay(6_000)
    // It is done, and taken over before its answer is read: as where the process stands still.
    await client.query(`CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      UPDATE replies SET fence = 'another'; RETURN NULL; END $$`)
    await client.query(`CREATE CONSTRAINT TRIGGER taken AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION take()`)
    await client.query('COMMIT')
    await client.end()
    expect(await intended).toBe('lost')
    expect(lease.whenLost.aborted).toBe(true)
    expect(other.store.instances.isShared).toBe(true)
  })

  it('P4: claim a reply once, however many ask for it', async () => {
    await using two = await openTwo(server)
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const { conversationId } = await acceptReply(one.store.ledger, session)
    const claims = await Promise.all(
      [one, other, one, other].map(({ store }) => store.ledger.claim(session, conversationId, 5)),
    )
    expect(claims.filter((lease) => lease !== undefined)).toHaveLength(1)
    await acceptReply(one.store.ledger, session, { conversationId })
    await expect(claimReply(other.store.ledger, session, conversationId)).rejects.toThrow()
  })
})
