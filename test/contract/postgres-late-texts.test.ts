import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/domain.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import {
  answerOf,
  completed,
  endByOther,
  finish,
  openSession,
  readAll,
  runReply,
} from '../kit/fakes/stored-replies.ts'
import { ask, type Instance, openInstance } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { openRelay } from '../kit/process/relay.ts'
import { until } from '../kit/process/until.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Somebody who has locked the rows of all replies, so that statements wait in the server, in their order. */
async function lockReplies(url: string) {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT FROM replies FOR UPDATE')
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  return {
    untilWaiting: (count: number) =>
      until(async () => (await ask(url, waiting)).length === count, `${count} statements wait`),
    [Symbol.asyncDispose]: () => client.end(),
  }
}

/** What is stored of an answer, as a query and as the log tell it. */
async function storedAnswers({ store }: Instance, session: Session, run: RunLease) {
  const [reply] = await store.ledger.session(session).replies([run.reply.id])
  const events = await readAll(store.log, session)
  return { shown: reply?.text, logged: answerOf(events, run) }
}

async function say({ clock }: Instance, run: RunLease, offset: number, text: string) {
  await run.append([{ kind: 'ANSWER', offset, text }])
  clock.advance(250)
}

describe('a text that the server writes while the end of its reply is on its way', () => {
  it('P2: F30: is not doubled where its connection broke before, and the end brought it along', async () => {
    const url = await server.newDatabase()
    await using relay = await openRelay(server.port)
    await using one = await openInstance(
      `postgres://postgres@127.0.0.1:${relay.port}${new URL(url).pathname}`,
    )
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await say(one, run, 0, 'said')
    await until(async () => (await ask(url, 'SELECT FROM texts')).length === 1, 'a text is stored')
    const lock = await lockReplies(url)
    await say(one, run, 4, ' and late')
    await lock.untilWaiting(1)
    relay.cut()
    const finished = finish(run, completed('said and late'))
    await lock.untilWaiting(2)
    await lock[Symbol.asyncDispose]()
    expect(await finished).toMatchObject({ type: 'finished' })
    const whole = { shown: 'said and late', logged: 'said and late' }
    expect(await storedAnswers(one, session, run)).toEqual(whole)
  })

  it('P2: P3: is told by the end that another instance makes, or is not stored', async () => {
    const url = await server.newDatabase()
    await using one = await openInstance(url)
    await using other = await openInstance(url)
    const session = await openSession(one.store.ledger)
    const run = await runReply(one.store, session)
    await say(one, run, 0, 'said')
    await until(async () => (await ask(url, 'SELECT FROM texts')).length === 1, 'a text is stored')
    const lock = await lockReplies(url)
    await say(one, run, 4, ' and late')
    await lock.untilWaiting(1)
    const ending = endByOther(other.store, session, run.reply.id)
    await lock.untilWaiting(2)
    await lock[Symbol.asyncDispose]()
    const end = await ending
    if (end.type !== 'finished') throw new Error('expected an end')
    const { text } = end.reply
    expect(await storedAnswers(other, session, run)).toEqual({ shown: text, logged: text })
  })
})
