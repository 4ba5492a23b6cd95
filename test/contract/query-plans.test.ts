import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { secondEdition } from '../../src/store/sqlite/worker/schema.ts'
import { openStoreWorker } from '../kit/fakes/store-worker.ts'
import { makeEveryCall } from './every-call.ts'

/** Statements that walk over more than what they are asked for, each with the reason why it may. */
const exceptions: readonly { readonly statement: RegExp; readonly because: string }[] = [
  { statement: /FROM sqlite_schema/, because: 'the tables and indexes are always as many' },
  { statement: /FROM isolation$/, because: 'a few rows for each assistant of the configuration' },
  {
    statement: /^SELECT conversation FROM deletions WHERE swept = 0 ORDER BY conversation LIMIT 1$/,
    because: 'the first entry of an index of what is not swept yet is read',
  },
  {
    statement: /FROM erasures ORDER BY id LIMIT 1$/,
    because: 'the first row of the table is read',
  },
  {
    statement: /^SELECT due_at FROM outbox ORDER BY due_at LIMIT 1$/,
    because: 'the first entry of an index is read',
  },
  {
    statement: /WHERE status IN \('RUNNING', 'ACTION_REQUIRED'\)/,
    because: 'at the opening alone, over an index of running replies',
  },
  {
    statement: /WHERE r\.ended_at IS NULL AND r\.status = 'QUEUED'$/,
    because: 'at the start alone, over an index of open replies',
  },
]

/** What is no table: lists of the statement's own parameters, and what a part of the statement has found. */
const isOwn = (detail: string) => / VIRTUAL TABLE | CONSTANT ROW|^SCAN \(/.test(detail)

/** One session may have very many idempotency keys: to be told its number is not enough. */
const isWide = (detail: string) =>
  /^SEARCH (i|idempotency) USING PRIMARY KEY \(session=\?\)/.test(detail)

afterEach(() => vi.restoreAllMocks())

/** Every statement of the store: all are prepared when it is opened, which is seen from what it is asked for afterwards. */
async function statements(): Promise<readonly string[]> {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
  const calls = () => [...prepare.mock.calls, ...exec.mock.calls].map(([sql]) => sql)
  const worker = await openStoreWorker()
  const atFirst = calls()
  await makeEveryCall((method, args) => worker.call(method, args))
  await worker[Symbol.asyncDispose]()
  expect(calls().slice(atFirst.length)).toEqual([])
  vi.restoreAllMocks()
  return [...new Set(atFirst.map((sql) => sql.trim().replace(/\s+/g, ' ')))].filter((sql) =>
    /^(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE)\b/.test(sql),
  )
}

function openTables(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  db.exec(secondEdition.join(''))
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
    'replies_open',
    'replies_started',
    'replies_trimmed',
    'replies_kept',
    'conversations_used',
    'conversations_named',
    'conversations_upstream',
    'attachments_by_use',
    'attachments_of_session',
    'bindings_of_conversation',
    'bindings_of_session',
    'deletions_unswept',
    'deletions_swept',
    'outbox_due',
    'outbox_of_session',
  ])('would walk over a table without the index %s', async (index) => {
    using db = openTables()
    const all = await statements()
    const before = all.filter((sql) => walks(db, sql).length > 0)
    db.exec(`DROP INDEX ${index}`)
    const found = all.filter((sql) => walks(db, sql).some((step) => !step.includes('USING')))
    expect(
      found.filter((sql) => !before.includes(sql) || /outbox|deletions/.test(sql)),
    ).not.toEqual([])
  })
})
