import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AttachmentId, SessionName } from '../../src/domain.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'
import { migrations } from '../../src/store/sqlite/tables.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/clock.ts'
import { randomId } from '../kit/ids.ts'
import {
  accept,
  assistant,
  beginning,
  cancelled,
  claimReply,
  completed,
  finish,
  openSession,
  readAll,
  runReply,
} from '../kit/stored-replies.ts'
import { uncounted } from '../kit/uncounted.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Statements that walk over more than what they are asked for, each with the reason why it may. */
const exceptions: readonly { readonly statement: RegExp; readonly because: string }[] = [
  { statement: /FROM sqlite_schema/, because: 'the tables and indexes are always as many' },
  { statement: /FROM isolation$/, because: 'a few rows for each assistant of the configuration' },
  {
    statement: /^SELECT conversation FROM deletions ORDER BY conversation LIMIT 1$/,
    because: 'the first row alone is read',
  },
  { statement: /FROM journal ORDER BY id$/, because: 'at the opening alone' },
  {
    statement: /WHERE r\.ended_at IS NULL AND r\.status IN \('RUNNING', 'ACTION_REQUIRED'\)$/,
    because: 'at the opening alone, over an index of open replies',
  },
  {
    statement: /WHERE r\.ended_at IS NULL AND r\.status = 'QUEUED'$/,
    because: 'at the start alone, over an index of open replies',
  },
  {
    statement: /^SELECT trimmed_to, \(SELECT max\(place\)/,
    because: 'of the events of a session the last one alone is read',
  },
]

/** What is no table: lists of the statement's own parameters, and what a part of the statement has found. */
const isOwn = (detail: string) =>
  / VIRTUAL TABLE | CONSTANT ROW|^SCAN \(|^SCAN recent$/.test(detail)

/** One session may have very many events and idempotency keys: to be told its number is not enough. */
const isWide = (detail: string) =>
  /^SEARCH (e|events|i|idempotency) USING PRIMARY KEY \(session=\?\)/.test(detail)

afterEach(() => vi.restoreAllMocks())

/** Every statement of the store: all are prepared when it is made, which is seen from what it is asked for afterwards. */
async function statements(): Promise<readonly string[]> {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
  const calls = () => [...prepare.mock.calls, ...exec.mock.calls].map(([sql]) => sql)
  const opened = await openDatabase({ file: ':memory:', sessionKeyCheck: 'c', busyTimeoutMs: 1 })
  const clock = createFakeClock()
  const limits = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }
  const options = { clock, logger, metrics: uncounted, disk: undefined, limits }
  const store = createSqliteStore(opened, options)
  const atFirst = calls()
  await use(store)
  await store[Symbol.asyncDispose]()
  expect(calls().slice(atFirst.length)).toEqual([])
  vi.restoreAllMocks()
  return [...new Set(atFirst.map((sql) => sql.trim().replace(/\s+/g, ' ')))].filter((sql) =>
    /^(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE)\b/.test(sql),
  )
}

/** Asks the store for all that it can. */
async function use(store: Store): Promise<void> {
  const { ledger, log, isolation } = store
  const session = await openSession(ledger)
  const own = ledger.session(session)
  const claim = await runReply(store, session)
  const { id, conversationId } = claim.reply
  const scope = { origin: 'https://a', account: 'b' }
  const binding = { scope, strategy: 'bot', conversationId: '1' } as const
  await ledger.bind(session, id, claim.fence, binding, 4)
  await ledger.recordChat(session, id, claim.fence, 'chat')
  await log.append(session.id, id, claim.fence, [{ kind: 'ANSWER', offset: 0, text: 'Hi' }])
  await ledger.requireAction(session, id, claim.fence, { toolCalls: [], expiresAt: 9 })
  const outputs = { toolCallIds: [], digest: 'd' }
  await ledger.takeToolOutputs(session, id, outputs)
  await finish(ledger, claim, completed('Hi'))
  const attachmentId = randomId() as AttachmentId
  const about = { id: attachmentId, assistantId: assistant, createdAt: 1, bytes: 1 }
  const file = { name: 'a.png', mediaType: 'image/png', scope, upstreamId: '2' }
  await ledger.addAttachment(session, { ...about, ...file })
  const again = { key: 'k', digest: 'd' }
  const attachmentIds = [attachmentId]
  await accept(ledger, session, { attachmentIds, idempotency: again, conversationId })
  await accept(ledger, session, { conversationId, onBusy: 'INTERRUPT' })
  await claimReply(ledger, session, conversationId)
  await ledger.history(session, id, 10)
  await ledger.waiting()
  await ledger.orphans()
  await ledger.renameConversation(session, conversationId, 'Mine', 4)
  for (const filter of [{}, { replyId: id }, { conversationId }]) {
    await readAll(log, session, beginning, filter)
  }
  await log.start(session.id, id)
  const page = { direction: 'forward', limit: 1, after: undefined, before: undefined } as const
  await own.messagePage(conversationId, page)
  await own.conversationPage(page)
  await own.attachments(attachmentIds)
  await own.hadChat(conversationId, 'chat')
  await own.tookToolOutputs(id, 'd')
  await own.upstreamConversations(conversationId)
  for (const open of await own.openReplies(undefined)) {
    await finish(ledger, { ...claim, reply: open }, cancelled, { fence: undefined })
  }
  await isolation.list()
  while ((await log.trim(100)) > 0);
  while ((await ledger.trimMessages(100)) > 0);
  await log.read(session.id, beginning, { conversationId }, 100)
  await ledger.clearConversation(session, conversationId)
  expect((await ledger.deleteConversation(session, conversationId)).type).toBe('deleted')
  const erased = await ledger.eraseSession(session, () => 'new' as SessionName, 5)
  expect(erased.type).toBe('erased')
  await store.ping()
}

function openTables(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  for (const migration of migrations) db.exec(migration)
  return db
}

/** What of a statement's plan reads more rows than the statement is about. */
function walks(db: DatabaseSync, sql: string): readonly string[] {
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
  return plan
    .map(({ detail }) => String(detail))
    .filter((detail) => (detail.startsWith('SCAN') && !isOwn(detail)) || isWide(detail))
}

describe('a store that has grown', () => {
  it('finds what each of its statements is about by an index, and walks over no table', async () => {
    using db = openTables()
    const all = await statements()
    expect(all.length).toBeGreaterThan(120)
    const found = all.flatMap((sql) =>
      walks(db, sql).flatMap((step) =>
        exceptions.some(({ statement }) => statement.test(sql)) ? [] : [{ sql, step }],
      ),
    )
    expect(found).toEqual([])
    // An exception that nothing needs would hide what comes later.
    const unneeded = exceptions.filter(
      ({ statement }) => !all.some((sql) => statement.test(sql) && walks(db, sql).length > 0),
    )
    expect(unneeded).toEqual([])
  })

  it.each([
    'messages_of_conversation',
    'idempotency_of_reply',
    'replies_trimmed',
    'replies_trimmed_of_conversation',
    'replies_kept',
    'replies_open_of_session',
    'conversations_titled',
    'attachments_by_use',
    'attachments_of_session',
    'bindings_of_conversation',
    'bindings_of_session',
    'conversations_upstream',
  ])('would walk over a table without the index %s', async (index) => {
    using db = openTables()
    db.exec(`DROP INDEX ${index}`)
    const all = await statements()
    const found = all.filter(
      (sql) =>
        walks(db, sql).length > 0 && !exceptions.some(({ statement }) => statement.test(sql)),
    )
    expect(found).not.toEqual([])
  })
})
