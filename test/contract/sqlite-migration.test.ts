import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  AssistantId,
  AttachmentId,
  ConversationId,
  MessageId,
  ReplyId,
  SessionId,
  SessionName,
} from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { firstEdition } from '../../src/store/sqlite/worker/first-edition.ts'
import { secondEdition } from '../../src/store/sqlite/worker/schema.ts'
import { StoreOpenError, type Store } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import {
  accept,
  answerOf,
  readAll,
  runReply,
  startConversation,
  textsOf,
} from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'

let folder: string
/** What the first edition has left in a file while it ran: made by it, written down as statements. */
let content: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-migration-'))
  content = await readFile(new URL('first-edition.sql', import.meta.url), 'utf8')
})
afterAll(() => rm(folder, { recursive: true }))

function makeFile(sql: string): string {
  const file = join(folder, randomId())
  using db = new DatabaseSync(file)
  db.exec(`PRAGMA application_id = 0x436f7a47; ${sql}`)
  return file
}

const firstFile = (more = '') =>
  makeFile(
    `${firstEdition.join('')} PRAGMA user_version = ${firstEdition.length}; ${content} ${more}`,
  )

const openFile = (file: string) =>
  openSqliteStore({
    file,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })

async function sessionOf(store: Store, name: string) {
  const unused = () => 'unused' as SessionName
  const opened = await store.ledger.openSession(name as SessionId, unused, 3000)
  expect(opened).toEqual({ session: { id: name, name: `${name}-name` }, isNew: false })
  return opened.session
}

const forward = { direction: 'forward', limit: 50, after: undefined, before: undefined } as const
const main = 'conversation-main' as ConversationId
const long = 'The ' + 'long answer 你好 😀 '.repeat(200)
const scope = { origin: 'https://coze.test', account: 'a' }
const binding = (conversationId: string) => ({ scope, strategy: 'bot', conversationId }) as const

describe('a file of the first edition', () => {
  it('holds its conversations, messages and replies as before', async () => {
    await using store = await openFile(firstFile())
    const alice = await sessionOf(store, 'alice')
    const own = store.ledger.session(alice)
    expect(await own.conversations([main])).toMatchObject([
      { title: 'Titled', assistantId: 'flow' },
    ])
    const page = await own.messagePage(main, forward)
    expect(page?.rows).toMatchObject([
      { role: 'USER', text: 'tell me', attachmentIds: ['attachment-1'], rating: null },
      { role: 'ASSISTANT', text: long, rating: 'LIKE', replyId: 'reply-9' },
      { role: 'USER', text: 'again' },
      { role: 'USER', text: 'third' },
      { role: 'USER', text: 'overtaken' },
    ])
    const replies = ['reply-9', 'reply-13', 'reply-17', 'reply-20'] as ReplyId[]
    expect(await own.replies(replies)).toMatchObject([
      {
        status: 'COMPLETED',
        text: long,
        reasoning: 'thinking ',
        usage: { totalTokens: 3 },
        followUps: ['and?'],
        question: { text: 'Which?' },
        omitted: ['CARD'],
        explanation: { upstreamLogId: 'log' },
      },
      { status: 'FAILED', text: 'part', failure: { code: 'UPSTREAM_TIMEOUT' } },
      { status: 'CANCELLED', upstreamCancelled: true, startedAt: 1002 },
      { status: 'CANCELLED', upstreamCancelled: false, startedAt: null },
    ])
    expect(await own.attachments(['attachment-1' as AttachmentId])).toMatchObject([
      { name: 'a.png' },
    ])
    expect(await own.answerOrigin(page?.rows[1]?.id ?? ('' as MessageId))).toMatchObject({
      upstream: binding('up-main'),
      upstreamMessageId: 'source-of-reply-9',
    })
    expect(await own.hadChat(main, 'chat-of-reply-13')).toBe(true)
    // The first conversation has lost its oldest message.
    const old = await own.messagePage('conversation-3' as ConversationId, forward)
    expect(old?.rows).toMatchObject([{ text: 'lately' }, { text: 'lately answer' }])
    expect(await store.isolation.list()).toMatchObject([
      { target: { assistantId: 'flow' }, proof: { verdict: 'ISOLATED' } },
      { target: { assistantId: 'third' }, breach: { what: 'shared' } },
    ])
  })

  it('tells readers its events in their order, each text once and whole', async () => {
    await using store = await openFile(firstFile())
    const alice = await sessionOf(store, 'alice')
    const start = await store.log.start(alice.id, 'reply-9' as ReplyId)
    if (start === undefined || start === 'expired') throw new Error('expected a position')
    const events = await readAll(store.log, alice, start)
    const ends = events.filter(({ type }) => type !== 'delta')
    expect(ends.map(({ replyId, type }) => `${replyId} ${type}`)).toEqual([
      'reply-9 started',
      'reply-9 completed',
      'reply-13 started',
      'reply-13 failed',
      'reply-17 started',
      'reply-20 cancelled',
      'reply-17 cancelled',
      'reply-40 started',
      'reply-40 failed',
      'reply-44 started',
    ])
    const texts = textsOf(events)
    expect(texts.get('reply-9 ANSWER')).toBe(long)
    expect(texts.get('reply-9 REASONING')).toBe('thinking ')
    expect(texts.get('reply-13 ANSWER')).toBe('part')
    // What was trimmed is expired, for whoever begins there.
    expect(await store.log.start(alice.id, 'reply-5' as ReplyId)).toBe('expired')
    const first = { seq: 0, check: '', texts: [] }
    expect(await store.log.read(alice.id, first, {}, 1000)).toBe('expired')
  })

  it('hands over what ran with its text, and lets what waited wait', async () => {
    await using store = await openFile(firstFile())
    const orphans = await store.ledger.orphans()
    expect(orphans).toHaveLength(2)
    const running = orphans.find(({ lease }) => lease.reply.id === 'reply-44')
    expect(running).toMatchObject({
      isInterrupted: false,
      progress: { step: 'streaming', chatId: 'chat-of-reply-44' },
      lease: { answer: 'Hello you', reasoning: 'hm', upstream: binding('up-runs') },
    })
    expect(orphans.find(({ lease }) => lease.reply.id === 'reply-50')).toMatchObject({
      progress: { step: 'waiting', toolCalls: [{ id: 'call-1' }], expiresAt: 900_000 },
      lease: { answer: 'wait' },
    })
    expect(await store.ledger.waiting()).toMatchObject([
      { session: { id: 'alice' }, assistantId: 'runs' as AssistantId },
    ])
    if (running === undefined) throw new Error('expected an orphan')
    await running.lease.append([{ kind: 'ANSWER', offset: 9, text: '!' }])
    const alice = await sessionOf(store, 'alice')
    const start = await store.log.start(alice.id, running.lease.reply.id)
    if (start === undefined || start === 'expired') throw new Error('expected a position')
    expect(answerOf(await readAll(store.log, alice, start), running.lease)).toBe('Hello you!')
  })

  it('keeps bindings, tombstones and taints, so that nobody is bound to them again', async () => {
    await using store = await openFile(firstFile())
    const alice = await sessionOf(store, 'alice')
    const bob = await sessionOf(store, 'bob')
    const cleared = 'conversation-26' as ConversationId
    expect(await store.ledger.session(bob).upstreamConversations(cleared)).toMatchObject([
      binding('up-cleared'),
      binding('up-after'),
    ])
    const claim = await runReply(store, alice)
    for (const upstream of ['up-gone', 'up-shared', 'up-after', 'up-cleared']) {
      const outcome = await claim.bind(binding(upstream), { contextReset: false, at: 4000 })
      expect(outcome).toMatchObject({ type: 'collision', owner: bob.id })
    }
  })

  it('keeps idempotency keys, what was cleared, and deletes on what was deleted', async () => {
    const file = firstFile()
    await using store = await openFile(file)
    const alice = await sessionOf(store, 'alice')
    const bob = await sessionOf(store, 'bob')
    const idempotency = { key: 'key-1', digest: 'digest-1' }
    expect(await accept(store.ledger, alice, { idempotency })).toMatchObject({
      type: 'repeated',
      reply: { id: 'reply-9' },
    })
    const conversationId = 'conversation-26' as ConversationId
    const claim = await runReply(store, bob, conversationId)
    const history = await store.ledger.history(bob, claim.reply.id, 10)
    expect(history.map(({ text }) => text)).toEqual(['after it', 'remembered'])
    expect(await store.ledger.session(bob).replies(['reply-32' as ReplyId])).toEqual([undefined])
    await store[Symbol.asyncDispose]()
    using db = new DatabaseSync(file)
    expect(db.prepare(`SELECT 1 FROM replies WHERE key = 'reply-32'`).get()).toBeUndefined()
    expect(db.prepare(`SELECT 1 FROM texts WHERE text = 'gone text'`).get()).toBeUndefined()
  })

  it('gives no row id again that a deleted row had', async () => {
    const file = firstFile()
    await (await openFile(file))[Symbol.asyncDispose]()
    using db = new DatabaseSync(file)
    const sequence = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'messages'`).get()
    expect(sequence).toEqual({ seq: 21 })
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    const left = db.prepare(`SELECT name FROM sqlite_schema WHERE name LIKE 'first%'`).all()
    expect(left).toEqual([])
  })

  it('stays as it was where it cannot be brought to this edition, and is refused in words', async () => {
    const file = firstFile(`UPDATE journal SET deltas = 'no JSON: told to alice alone';`)
    const refused = openFile(file)
    await expect(refused).rejects.toBeInstanceOf(StoreOpenError)
    await expect(refused).rejects.toThrow('restore it from a backup')
    await expect(refused).rejects.not.toThrow('alice alone')
    using db = new DatabaseSync(file)
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: firstEdition.length })
    expect(db.prepare('SELECT count(*) AS replies FROM replies').get()).toEqual({ replies: 13 })
  })

  it.each(firstEdition.map((_, version) => version).slice(1))(
    'is taken over from its version %i on',
    async (version) => {
      const file = makeFile(`${firstEdition.slice(0, version).join('')}
        PRAGMA user_version = ${version};
        INSERT INTO meta VALUES ('session-key', 'check'), ('epoch', 4);
        INSERT INTO sessions (id, key, name, generation, trimmed_to, created_at)
          VALUES (1, 'alice', 'alice-name', 0, 0, 1000);
        INSERT INTO conversations (id, key, session, assistant, used, origin, account, strategy, upstream, created_at,
          last_used_at) VALUES (1, 'c1', 1, 'flow', 1, 'https://coze.test', 'a', 'bot', 'up-1', 1000, 2000);
        INSERT INTO messages (id, key, session, conversation, reply, role, text, created_at)
          VALUES (1, 'm1', 1, 1, NULL, 'USER', 'hello', 1000), (2, 'm2', 1, 1, 1, 'ASSISTANT', NULL, 2000);
        INSERT INTO replies (id, key, session, conversation, answer, status, rank, run, text, first_event, last_event,
          created_at, started_at, ended_at) VALUES (1, 'r1', 1, 1, 2, 'COMPLETED', 1, 1, 'hi', 1, 2, 1000, 1001, 2000);
        INSERT INTO events (session, place, reply, type, payload) VALUES (1, 1, 1, 'started', NULL),
          (1, 2, 1, 'completed', '{"usage":null,"followUps":[],"contextReset":false}');
        INSERT INTO bindings (origin, account, upstream, session, conversation, used_at)
          VALUES ('https://coze.test', 'a', 'up-1', 1, 1, 2000);`)
      await using store = await openFile(file)
      const session = await sessionOf(store, 'alice')
      const own = store.ledger.session(session)
      expect(await own.replies(['r1' as ReplyId])).toMatchObject([
        { status: 'COMPLETED', text: 'hi', question: null, omitted: [], toolCalls: [] },
      ])
      const page = await own.messagePage('c1' as ConversationId, forward)
      expect(page?.rows.map(({ text }) => text)).toEqual(['hello', 'hi'])
      const bound = await own.upstreamConversations('c1' as ConversationId)
      expect(bound).toMatchObject([{ conversationId: 'up-1' }])
      const told = await readAll(store.log, session)
      expect(told.map(({ type }) => type)).toEqual(['started', 'delta', 'completed'])
    },
  )

  it.each([...secondEdition.keys()].slice(1))(
    'is taken over from version %i of the second edition on, with all that is in it',
    async (version) => {
      const entries = secondEdition.slice(0, version).join('')
      // The words that its entries have not changed yet.
      const [kind, rating] = version < 5 ? ['REPLY', 'UNLIKE'] : ['QUESTION', 'DISLIKE']
      const file = makeFile(`${entries} PRAGMA user_version = ${firstEdition.length + version};
        INSERT INTO meta VALUES ('session-key', 'check');
        INSERT INTO sessions (id, key, name, generation, created_at) VALUES (1, 'alice', 'alice-name', 0, 1000);
        INSERT INTO conversations (id, key, session, assistant, used, title, titled_at, created_at, last_used_at)
          VALUES (1, 'c1', 1, 'flow', 1, 'Taxes', 1000, 1000, 2000);
        INSERT INTO replies (id, key, session, conversation, answer, status, step, rank, tool_calls, created_at)
          VALUES (1, 'r1', 1, 1, 2, 'COMPLETED', NULL, 1,
            '[{"id":"1","kind":"${kind}","name":null,"arguments":null},
              {"id":"2","kind":"FUNCTION","name":"f","arguments":"{\\"kind\\":\\"REPLY\\"}"}]', 1000);
        INSERT INTO messages (id, key, session, conversation, reply, role, attachments, rating, created_at)
          VALUES (1, 'm1', 1, 1, NULL, 'USER', '[]', NULL, 1000), (2, 'm2', 1, 1, 1, 'ASSISTANT', '[]', '${rating}', 1000);`)
      await using store = await openFile(file)
      const session = await sessionOf(store, 'alice')
      const own = store.ledger.session(session)
      const [conversation] = await own.conversations(['c1' as ConversationId])
      expect(conversation).toMatchObject({ title: 'Taxes', lastUsedAt: 2000 })
      expect(await own.messages(['m2' as MessageId])).toMatchObject([{ rating: 'DISLIKE' }])
      expect((await own.replies(['r1' as ReplyId]))[0]?.toolCalls).toEqual([
        { id: '1', kind: 'QUESTION', name: null, arguments: null },
        { id: '2', kind: 'FUNCTION', name: 'f', arguments: '{"kind":"REPLY"}' },
      ])
      const idempotency = { key: 'key', digest: 'digest' }
      const begun = await startConversation(store.ledger, session, { idempotency })
      expect(begun).toMatchObject({ type: 'started' })
      expect(await startConversation(store.ledger, session, { idempotency })).toEqual(begun)
    },
  )

  it.each([
    ['the first edition', () => firstFile()],
    [
      'the first version of the second edition',
      () => makeFile(`${secondEdition[0]} PRAGMA user_version = ${firstEdition.length + 1}`),
    ],
  ])('comes from %s to the same tables and indexes as a new file has', async (_name, make) => {
    const file = make()
    await (await openFile(file))[Symbol.asyncDispose]()
    const schemaOf = (db: DatabaseSync) =>
      db
        .prepare(`SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name`)
        .all()
        .map((row) => ({ ...row }))
    using migrated = new DatabaseSync(file)
    using fresh = new DatabaseSync(':memory:')
    fresh.exec(secondEdition.join(''))
    expect(schemaOf(migrated)).toEqual(schemaOf(fresh))
  })
})
