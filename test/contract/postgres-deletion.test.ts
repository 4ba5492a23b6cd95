import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConversationId, Session, SessionName } from '../../src/domain.ts'
import {
  acceptReply,
  completed,
  endByOther,
  finish,
  openSession,
  readAll,
  runReply,
} from '../kit/fakes/stored-replies.ts'
import { ask, openStore } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { until } from '../kit/process/until.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** More than goes in several pieces. */
const replies = 600

/** Adds replies with their messages, texts and events to a conversation, numbered far behind what it has. */
async function addReplies(url: string, session: Session, conversationId: ConversationId) {
  const rows = (columns: string) => `
    SELECT ${columns} FROM sessions s JOIN conversations c ON c.session = s.id, generate_series(1, ${replies}) n
    WHERE s.key = $1 AND c.key = $2`
  const statements = [
    `INSERT INTO messages (session, id, key, conversation, reply, role, text, created_at)
     ${rows(`s.id, 1000 + 2 * n, 'message-' || n, c.id, 1000 + 2 * n, 'USER', 'asked', 1`)}`,
    `INSERT INTO messages (session, id, key, conversation, reply, role, created_at)
     ${rows(`s.id, 1001 + 2 * n, 'answer-' || n, c.id, 1000 + 2 * n, 'ASSISTANT', 1`)}`,
    `INSERT INTO replies (session, id, key, conversation, answer, status, rank, started_seq, ended_seq, created_at, started_at,
       ended_at)
     ${rows(`s.id, 1000 + 2 * n, 'reply-' || n, c.id, 1001 + 2 * n, 'COMPLETED', n, 999 + 2 * n, 1000 + 2 * n, 1, 1, 1`)}`,
    `INSERT INTO texts (session, reply, kind, start, length, text)
     ${rows(`s.id, 1000 + 2 * n, 0, 0, 4, 'said'`)}`,
    `INSERT INTO events (session, seq, "check", reply, type)
     ${rows(`s.id, 999 + 2 * n, 'Abcde', 1000 + 2 * n, 'started'`)}`,
    `INSERT INTO events (session, seq, "check", reply, type)
     ${rows(`s.id, 1000 + 2 * n, 'Abcde', 1000 + 2 * n, 'completed'`)}`,
  ]
  for (const statement of statements) await ask(url, statement, [session.id, conversationId])
  const end = 1001 + 2 * replies
  await ask(
    url,
    `UPDATE sessions SET last_row = ${end}, last_seq = ${end - 1}, last_check = 'Abcde'`,
  )
}

/** Rows that are left of what was said, and of how far its removal has come. */
async function left(url: string): Promise<Readonly<Record<string, number>>> {
  const of = (table: string, where = 'true') =>
    `(SELECT count(*)::int FROM ${table} WHERE ${where}) AS ${table}`
  const tables = ['messages', 'replies', 'texts', 'idempotency', 'deletions'].map((name) =>
    of(name),
  )
  const [found] = await ask(url, `SELECT ${tables.join()}, ${of('events', 'reply IS NOT NULL')}`)
  return Object.fromEntries(
    Object.entries(found ?? {}).map(([name, count]) => [name, Number(count)]),
  )
}

const nothing = { messages: 0, replies: 0, texts: 0, idempotency: 0, deletions: 0, events: 0 }
const nothingLeft = (url: string) =>
  until(
    async () => JSON.stringify(await left(url)) === JSON.stringify(nothing),
    'nothing to be left',
  )

describe('postgres: a conversation of many messages', () => {
  it('is deleted by a write that does not wait for its rows, and is met by nobody while they are still there', async () => {
    const url = await server.newDatabase()
    await using store = await openStore(url)
    const session = await openSession(store.ledger)
    const own = store.ledger.session(session)
    const idempotency = { key: 'key', digest: 'digest' }
    const accepted = await acceptReply(store.ledger, session, { idempotency })
    await endByOther(store, session, accepted.id)
    const { conversationId } = accepted
    await addReplies(url, session, conversationId)
    const other = new Client({ connectionString: url })
    await other.connect()
    // No text can be taken away.
    await other.query('BEGIN; LOCK TABLE texts IN SHARE MODE')

    const deleted = await store.ledger.deleteConversation(session, conversationId, 9)
    expect(deleted).toMatchObject({ type: 'deleted' })
    expect(await left(url)).toMatchObject({ replies: replies + 1, texts: replies, deletions: 1 })
    expect(await own.replies([accepted.id])).toEqual([undefined])
    expect(await own.messages([accepted.messageId])).toEqual([undefined])
    expect(await readAll(store.log, session)).toEqual([])
    // Its key is free.
    const again = await acceptReply(store.ledger, session, { idempotency })
    expect(again.id).not.toBe(accepted.id)

    await other.query('ROLLBACK')
    await other.end()
    await until(async () => (await left(url))['deletions'] === 0, 'the end of the removal')
    expect(await left(url)).toMatchObject({ messages: 1, replies: 1, texts: 0, idempotency: 1 })
    expect(await acceptReply(store.ledger, session, { idempotency }).catch(() => 'repeated')).toBe(
      'repeated',
    )
  })

  it('leaves nothing behind after a crash between two pieces of its removal', async () => {
    const url = await server.newDatabase()
    await using store = await openStore(url)
    const session = await openSession(store.ledger)
    const run = await runReply(store, session)
    await finish(run, completed('said'))
    await addReplies(url, session, run.reply.conversationId)
    // Some way through nothing can be taken away any more.
    await ask(
      url,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the disk fails' USING ERRCODE = '58030'; END $$`,
    )
    await ask(
      url,
      `CREATE TRIGGER refuse BEFORE DELETE ON messages FOR EACH ROW WHEN (OLD.id = 1000 + ${replies}) EXECUTE FUNCTION refuse()`,
    )
    const name = () => 'new' as SessionName
    const erased = await store.ledger.eraseSession(session, name, 9)
    expect(erased).toMatchObject({ erased: { conversations: 1, messages: 2 * replies + 2 } })
    await until(async () => (await left(url))['messages'] !== 2 * replies + 2, 'the first piece')

    const copy = await server.copyDatabase(url)
    await ask(copy, 'DROP TRIGGER refuse ON messages')
    const then = await left(copy)
    expect(then['messages']).toBeGreaterThan(replies / 2)
    expect(then).toMatchObject({ deletions: 1 })
    await using _next = await openStore(copy)
    await nothingLeft(copy)
  })
})
