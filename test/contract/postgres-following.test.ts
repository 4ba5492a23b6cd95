import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  answerOf,
  beginning,
  cancelled,
  completed,
  endByOther,
  finish,
  openSession,
  readAll,
  readItems,
  runReply,
} from '../kit/fakes/stored-replies.ts'
import { readAt as read, type SessionReader } from '../kit/fakes/session-reader.ts'
import { ask, openTwo, takeOrphans, untilDead } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Two instances that know of each other. */
async function openBoth() {
  const two = await openTwo(server)
  await two.one.beat()
  return two
}

const typesOf = ({ events }: SessionReader) => events.map(({ type }) => type)
const isEnded = ({ events }: SessionReader) =>
  events.some(({ type }) => ['completed', 'failed', 'cancelled'].includes(type))
const text = (offset: number, said: string) => [{ kind: 'ANSWER', offset, text: said } as const]

describe('a reader on another instance than the run', () => {
  it('P2: is told the events and the text as they are stored, to the end', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = read(other, session)
    const run = await runReply(one.store, session)
    await reader.until((now) => typesOf(now).includes('started'))
    await run.append(text(0, 'one '))
    one.clock.advance(250)
    await reader.until((now) => answerOf(now.events, run) === 'one ')
    await run.append(text(4, 'two '))
    one.clock.advance(250)
    await reader.until((now) => answerOf(now.events, run) === 'one two ')
    await finish(run, completed('one two three'))
    await reader.until(isEnded)
    expect(answerOf(reader.events, run)).toBe('one two three')
    expect(typesOf(reader)).toEqual(['started', 'delta', 'delta', 'delta', 'completed'])
  })

  it('P2: goes on from a cursor of the instance that runs it, though that is ahead of the database', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'stored '))
    await one.store.ledger.session(session).replies([run.reply.id])
    await run.append(text(7, 'shown '))
    using first = read(one, session)
    await first.until((now) => answerOf(now.events, run) === 'stored shown ')
    using reader = read(other, session, first.position)
    await reader.until(() => true)
    await other.store.log.check(session.id, beginning)
    await run.append(text(13, 'more'))
    await finish(run, completed('stored shown more'))
    await reader.until(isEnded)
    const deltas = reader.events.flatMap((event) => (event.type === 'delta' ? [event] : []))
    expect(deltas.map(({ offset, text }) => [offset, text])).toEqual([[13, 'more']])
  })

  it('P2: keeps what it was shown when the reply is taken over, and takes back what the database never had', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'stored '))
    await one.store.ledger.session(session).replies([run.reply.id])
    await run.append(text(7, 'lost'))
    using first = read(one, session)
    await first.until((now) => answerOf(now.events, run) === 'stored lost')
    await other.beat(untilDead + 1)
    const [orphan] = await takeOrphans(other)
    if (orphan === undefined) throw new Error('expected an orphan')
    using reader = read(other, session, first.position)
    await orphan.lease.append(text(7, 'found'))
    await reader.until((now) => answerOf(now.events, run, 'stored lost') === 'stored found')
    await finish(orphan.lease, completed('stored found'))
    await reader.until(isEnded)
    expect(answerOf(reader.events, run, 'stored lost')).toBe('stored found')
  })

  it('meets one end of a reply that another instance cancels, with the text that is stored before it', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    using here = read(one, session)
    using there = read(other, session)
    await run.append(text(0, 'stored '))
    await one.store.ledger.session(session).replies([run.reply.id])
    await run.append(text(7, 'and not stored'))
    await here.until((now) => answerOf(now.events, run) === 'stored and not stored')
    await endByOther(other.store, session, run.reply.id, { event: cancelled })
    for (const reader of [here, there]) {
      await reader.until(isEnded)
      expect(answerOf(reader.events, run)).toBe('stored ')
      expect(typesOf(reader).filter((type) => type !== 'delta')).toEqual(['started', 'cancelled'])
    }
  })

  it('P2: goes back to the stored text where it had read more before another instance cancelled the reply', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'stored '))
    await one.store.ledger.session(session).replies([run.reply.id])
    await run.append(text(7, 'and not stored'))
    const before = read(one, session)
    await before.until((now) => answerOf(now.events, run) === 'stored and not stored')
    const { position } = before
    before[Symbol.dispose]()
    await endByOther(other.store, session, run.reply.id, { event: cancelled })
    for (const instance of [one, other]) {
      using late = read(instance, session, position)
      await late.until(isEnded)
      expect(answerOf(late.events, run, 'stored and not stored')).toBe('stored ')
    }
  })

  it('is told of replies that run on several instances, each in its order, and of nothing twice', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const readers = [read(one, session), read(other, session)]
    const runs = [await runReply(one.store, session), await runReply(other.store, session)]
    for (const [turn, run] of [...runs, ...runs].entries()) {
      await run.append(text(turn < 2 ? 0 : 2, `${turn} `))
      for (const { clock } of [one, other]) clock.advance(250)
    }
    await finish(runs[0] ?? fail(), completed('0 2 '))
    await finish(runs[1] ?? fail(), completed('1 3 '))
    for (const reader of readers) {
      await reader.until(
        ({ events }) => events.filter(({ type }) => type === 'completed').length === 2,
      )
      expect(runs.map((run) => answerOf(reader.events, run))).toEqual(['0 2 ', '1 3 '])
      const told = typesOf(reader).filter((type) => type !== 'delta')
      expect(told).toEqual(['started', 'started', 'completed', 'completed'])
      reader[Symbol.dispose]()
    }
  })

  it('is told of a reply that began and ended between two questions', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = read(other, session)
    await reader.until(() => true)
    const run = await runReply(one.store, session)
    await finish(run, completed('quick'))
    await reader.until(isEnded)
    expect(answerOf(reader.events, run)).toBe('quick')
  })

  it('P12: is told nothing of a conversation that was deleted on another instance', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = read(one, session)
    const run = await runReply(one.store, session)
    await finish(run, completed('secret'))
    await reader.until(isEnded)
    const deleted = await other.store.ledger.deleteConversation(
      session,
      run.reply.conversationId,
      9,
    )
    expect(deleted.type).toBe('deleted')
    expect(await one.store.log.check(session.id, beginning)).toBe('ok')
    expect(await readAll(one.store.log, session)).toEqual([])
    // The instance has the end of it in memory still.
    const started = reader.items.find(({ event }) => event.type === 'started')
    expect(await readAll(one.store.log, session, started?.position)).toEqual([])
  })

  it('is told of the first reply of a session by the next question, though nothing ran there before', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = read(other, session)
    await reader.until(() => true)
    await other.clock.pass(200)
    await other.store.ping()
    // All sessions are asked for one time in ten: of two questions one is for what runs alone.
    for (const said of ['first', 'second']) {
      const run = await runReply(one.store, session)
      await other.clock.pass(100)
      const isTold = () => reader.events.some(({ replyId }) => replyId === run.reply.id)
      await expect.poll(isTold).toBe(true)
      await finish(run, completed(said))
      await reader.until(() => reader.events.at(-1)?.type === 'completed')
    }
  })

  it('reads a place that is not known there yet, of an event or of a text, from the database', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'first '))
    await one.store.ledger.session(session).replies([run.reply.id])
    using here = read(one, session)
    using there = read(other, session)
    for (const reader of [here, there]) {
      await reader.until((now) => answerOf(now.events, run) === 'first ')
    }
    await run.append(text(0, 'another '))
    await here.until((now) => answerOf(now.events, run) === 'another ')
    await one.store.ledger.session(session).replies([run.reply.id])
    // What is followed there is the text as it was before.
    expect(await readAll(other.store.log, session, here.position)).toEqual([])
    await finish(run, completed('another one'))
    await here.until(isEnded)
    const next = await runReply(one.store, session)
    await here.until((now) => typesOf(now).at(-1) === 'started')
    expect(await readAll(other.store.log, session, here.position)).toEqual([])
    await finish(next, completed(''))
  })

  it('meets at the instance that has lost the reply the text that is stored before its end, and none that it has in memory', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await run.append(text(0, 'stored '))
    await one.store.ledger.session(session).replies([run.reply.id])
    await run.append(text(7, 'and not stored'))
    await endByOther(other.store, session, run.reply.id, { event: cancelled })
    expect(run.whenLost.aborted).toBe(false)
    expect(await one.store.log.check(session.id, beginning)).toBe('ok')
    const events = await readAll(one.store.log, session)
    expect(answerOf(events, run)).toBe('stored ')
    expect(events.at(-1)?.type).toBe('cancelled')
  })

  it('F44: is told that its place is gone where the database has lost it', async () => {
    await using two = await openBoth()
    const { url, one, other } = two
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    const items = await readItems(other.store.log, session)
    await ask(url, `DELETE FROM events`)
    await ask(url, `UPDATE sessions SET last_seq = 0, last_check = ''`)
    const place = items.at(-1)?.position ?? beginning
    for (const { store } of [one, other]) {
      expect(await store.log.check(session.id, place)).toBe('expired')
    }
    expect(run.reply.status).toBe('RUNNING')
  })

  it('F44: is told that its place is gone while it reads, where the database loses it', async () => {
    await using two = await openBoth()
    const { url, one, other } = two
    const session = await openSession(one.store.ledger)
    using reader = read(other, session)
    const run = await runReply(one.store, session)
    await reader.until((now) => typesOf(now).includes('started'))
    await ask(url, `DELETE FROM events`)
    await ask(url, `UPDATE sessions SET last_seq = 0, last_check = ''`)
    await reader.until(({ isExpired }) => isExpired)
    expect(run.reply.status).toBe('RUNNING')
  })

  it('costs one question for all sessions that are read, and none where nobody reads', async () => {
    await using two = await openBoth()
    const { one, other } = two
    const sessions = await Promise.all(
      Array.from({ length: 20 }, () => openSession(one.store.ledger)),
    )
    const runs = await Promise.all(sessions.map((session) => runReply(one.store, session)))
    const readers = sessions.map((session) => read(other, session))
    for (const reader of readers) await reader.until((now) => typesOf(now).includes('started'))
    // What they have read from the database is behind them.
    for (let times = 0; times < 5; times += 1) await other.store.ping()
    const query = vi.spyOn(Client.prototype, 'query')
    const asked = () => query.mock.calls.map(([statement]) => JSON.stringify(statement))
    for (const run of runs) await run.append(text(0, 'said'))
    one.clock.advance(250)
    const isSaid = (at: number) =>
      answerOf(readers[at]?.events ?? [], runs[at] ?? fail()) === 'said'
    for (const [at, reader] of readers.entries()) await reader.until(() => isSaid(at))
    const others = asked().filter((statement) => !statement.includes('WITH met AS'))
    expect(others.filter((statement) => !statement.includes('INSERT INTO instance'))).toHaveLength(
      1,
    )
    for (const reader of readers) reader[Symbol.dispose]()
    query.mockClear()
    await other.clock.pass(500)
    await other.store.ping()
    expect(asked().filter((statement) => statement.includes('WITH met AS'))).toEqual([])
    vi.restoreAllMocks()
  })
})

function fail(): never {
  throw new Error('expected one more')
}
