import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  AssistantId,
  ConversationId,
  Delta,
  ReplyId,
  SessionId,
  SessionName,
} from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Claim } from '../../src/store/ledger.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { createSqliteStore, openSqliteStore, type Disk } from '../../src/store/sqlite/store.ts'
import { migrations } from '../../src/store/sqlite/tables.ts'
import { StoreError, StoreOpenError, type Store } from '../../src/store/store.ts'
import { randomId } from '../kit/ids.ts'
import {
  accept,
  acceptReply,
  answerOf,
  beginning,
  cancelled,
  claimReply,
  completed,
  finish,
  newConversationId,
  openSession,
  readAll,
  runReply,
} from '../kit/stored-replies.ts'
import { ledgerContract } from './ledger.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { logContract } from './log.ts'
import { createFakeClock } from '../kit/clock.ts'
import { uncounted } from '../kit/uncounted.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }
const common = {
  clock: systemClock,
  logger,
  metrics: uncounted,
  sessionKeyCheck: 'check',
  busyTimeoutMs: 100,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-store-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const newFile = () => join(folder, randomId(), 'store.db')
const openFile = (file: string) => openSqliteStore({ ...common, file })
const inMemory = () => openFile(':memory:')
const inFile = () => openFile(newFile())

/** Nothing is kept in memory that need not be: every reader meets the tables. */
async function withLittleMemory(): Promise<Store> {
  const opened = await openDatabase({ ...common, file: ':memory:' })
  const limits = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }
  return createSqliteStore(opened, { ...common, disk: undefined, limits })
}

ledgerContract('sqlite in memory', inMemory)
ledgerRecordsContract('sqlite in memory', inMemory)
isolationRecordsContract('sqlite in memory', inMemory)
logContract('sqlite in memory', inMemory)
ledgerContract('sqlite in a file', inFile)
ledgerRecordsContract('sqlite in a file', inFile)
isolationRecordsContract('sqlite in a file', inFile)
logContract('sqlite in a file', inFile)
logContract('sqlite with little memory', withLittleMemory)

const answer = (offset: number, text: string): Delta => ({ kind: 'ANSWER', offset, text })

async function append(store: Store, claim: Claim, ...deltas: readonly Delta[]): Promise<void> {
  await store.log.append(claim.session.id, claim.reply.id, claim.fence, deltas)
}

/** What a process leaves that is killed now: the files as they are. */
async function kill(file: string): Promise<string> {
  const copy = newFile()
  await mkdir(join(copy, '..'))
  for (const suffix of ['', '-wal']) await copyFile(file + suffix, copy + suffix)
  return copy
}

describe('sqlite: reading long texts', () => {
  /** A conversation with so many answers of a text. */
  async function conversationOf(store: Store, text: string, answers: number) {
    const session = await openSession(store.ledger)
    const first = await runReply(store, session)
    await finish(store.ledger, first, completed(text))
    const replies = [first.reply]
    for (let n = 1; n < answers; n += 1) {
      const claim = await runReply(store, session, first.reply.conversationId)
      await finish(store.ledger, claim, completed(text))
      replies.push(claim.reply)
    }
    return { reads: store.ledger.session(session), replies }
  }
  const forward = { direction: 'forward', limit: 8, after: undefined, before: undefined } as const

  it('T23: reads one row at a time, whatever is asked for, and says that there are more', async () => {
    await using store = await inMemory()
    const { reads, replies } = await conversationOf(store, 'x'.repeat(200_000), 3)
    const ids = replies.map(({ id }) => id)
    expect((await reads.replies(ids)).map((reply) => reply?.id)).toEqual(ids.slice(0, 1))
    const answers = (await reads.replies(ids.slice(1))).flatMap((reply) => reply?.answerId ?? [])
    expect(await reads.messages([...answers, ...answers])).toHaveLength(1)
    const [{ conversationId } = { conversationId: newConversationId() }] = replies
    const page = await reads.messagePage(conversationId, forward)
    expect(page?.rows.map(({ role }) => role)).toEqual(['USER', 'ASSISTANT'])
    expect(page?.hasNextPage).toBe(true)
    const last = { ...forward, direction: 'backward' } as const
    const end = await reads.messagePage(conversationId, last)
    expect(end?.rows.map(({ role }) => role)).toEqual(['ASSISTANT'])
    expect(end?.hasPreviousPage).toBe(true)
  })

  it('T17: reads few of them in one turn of the event loop, however many ask at once, and those of each session in its turn', async () => {
    await using store = await inMemory()
    const hostile = await conversationOf(store, 'x'.repeat(200_000), 1)
    const honest = await conversationOf(store, 'x', 1)
    const read: string[] = []
    const ask = async (name: string, { reads, replies }: typeof hostile) => {
      await reads.replies(replies.map(({ id }) => id))
      read.push(name)
    }
    await turn()
    await turn()
    const all = [...Array.from({ length: 6 }, () => ask('hostile', hostile)), ask('honest', honest)]
    await turn()
    expect(read.length).toBeLessThan(4)
    await Promise.all(all)
    expect(read.indexOf('honest')).toBeLessThan(4)
  })

  it('reads short ones all at once', async () => {
    await using store = await inMemory()
    const { reads, replies } = await conversationOf(store, 'short', 4)
    const ids = replies.map(({ id }) => id)
    expect((await reads.replies(ids)).map((reply) => reply?.id)).toEqual(ids)
    const [{ conversationId } = { conversationId: newConversationId() }] = replies
    const page = await reads.messagePage(conversationId, forward)
    expect(page?.rows).toHaveLength(8)
    expect(page?.hasNextPage).toBe(false)
  })
})

describe('sqlite: opening', () => {
  it('F32: refuses a file that another gateway has open, and opens it when that is closed', async () => {
    const file = newFile()
    const first = await openFile(file)
    const refused = openFile(file)
    await expect(refused).rejects.toBeInstanceOf(StoreOpenError)
    await expect(refused).rejects.toThrow('in use by another gateway')
    await first.ping()
    await first[Symbol.asyncDispose]()
    await using again = await openFile(file)
    await again.ping()
  })

  it('T19: lets nobody else read what it makes: the folder, the file and what is beside it', async () => {
    const file = newFile()
    await using store = await openFile(file)
    await openSession(store.ledger)
    for (const path of [join(file, '..'), file, `${file}-wal`]) {
      expect((await stat(path)).mode & 0o077).toBe(0)
    }
  })

  it('F32: waits for another process that has the file for a moment', async () => {
    const file = newFile()
    await (await openFile(file))[Symbol.asyncDispose]()
    const script = `
      const db = new (require('node:sqlite').DatabaseSync)(process.argv[1])
      db.exec('BEGIN EXCLUSIVE')
      console.log('locked')
      setTimeout(() => db.close(), 500)`
    const other = spawn(process.execPath, ['-e', script, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(other.stdout, 'data')
    // As long as the other process may take to come to its turn.
    await using store = await openSqliteStore({ ...common, file, busyTimeoutMs: 25_000 })
    await store.ping()
  })

  it('refuses a file of another session key, and leaves it as it was', async () => {
    const file = newFile()
    await (await openFile(file))[Symbol.asyncDispose]()
    const refused = openSqliteStore({ ...common, file, sessionKeyCheck: 'other' })
    await expect(refused).rejects.toThrow('another session key')
    await using again = await openFile(file)
    expect((await again.log.end((await openSession(again.ledger)).id)).epoch).toBe(2)
  })

  it('refuses a database that is not its own', async () => {
    const file = join(folder, randomId())
    const db = new DatabaseSync(file)
    db.exec('CREATE TABLE mine (x)')
    db.close()
    await expect(openFile(file)).rejects.toThrow('not a database of this gateway')
  })

  it('refuses a database of a newer gateway', async () => {
    const file = newFile()
    await (await openFile(file))[Symbol.asyncDispose]()
    const db = new DatabaseSync(file)
    db.exec('PRAGMA user_version = 99')
    db.close()
    await expect(openFile(file)).rejects.toThrow('newer gateway')
  })

  /** Makes a file by hand, as a migration that was broken off or a repair would leave it. */
  const byHand = (sql: string) => {
    const file = join(folder, randomId())
    const db = new DatabaseSync(file)
    db.exec(`PRAGMA application_id = 0x436f7a47; ${sql}`)
    db.close()
    return file
  }

  it.each([
    [
      'has the tables of a later version',
      `${migrations[0]} ${migrations[1]} PRAGMA user_version = 1`,
    ],
    ['has tables, and says that it is new', `${migrations[0]} PRAGMA user_version = 0`],
    ['says a version whose tables it does not have', `${migrations[0]} PRAGMA user_version = 3`],
    ['has lost a table', `${migrations[0]} DROP TABLE bindings; PRAGMA user_version = 1`],
    ['has lost an index', `${migrations[0]} DROP INDEX replies_kept; PRAGMA user_version = 1`],
    [
      'has lost a column',
      `${migrations[0]} ALTER TABLE events DROP COLUMN payload; PRAGMA user_version = 1`,
    ],
    [
      'is current by its own word, and has only half of the last version',
      `${migrations.join('')} DROP INDEX conversations_used; PRAGMA user_version = ${migrations.length}`,
    ],
  ])('refuses a half-migrated file in words, without a stack: it %s', async (_name, sql) => {
    const file = byHand(sql)
    const error: unknown = await openFile(file).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreOpenError)
    expect(String(error)).toContain(file)
    expect(String(error)).toContain('restore it from a backup, or choose another file')
  })

  it('takes a file to which an operator has added a table and an index', async () => {
    const file = byHand(`${migrations[0]} PRAGMA user_version = 1; CREATE TABLE notes (x);
      CREATE INDEX by_hand ON messages (created_at)`)
    await using store = await openFile(file)
    await store.ping()
  })

  it('takes over a file of the first version, with all that it holds', async () => {
    const file = join(folder, randomId())
    const db = new DatabaseSync(file)
    db.exec(`${migrations[0]}
      PRAGMA user_version = 1; PRAGMA application_id = 0x436f7a47;
      INSERT INTO meta VALUES ('session-key', 'check'), ('epoch', 4);
      INSERT INTO sessions VALUES (1, 'alice', 'alice-name', 0, 0, 1000);
      INSERT INTO conversations (id, key, session, assistant, used, origin, account, strategy,
        upstream, created_at, last_used_at)
        VALUES (1, 'c1', 1, 'flow', 1, 'https://coze.test', 'a', 'workflow', 'up-1', 1000, 2000);
      INSERT INTO messages VALUES (1, 'm1', 1, 1, NULL, 'USER', 'hello', 1000),
        (2, 'm2', 1, 1, 1, 'ASSISTANT', NULL, 2000);
      INSERT INTO replies (id, key, session, conversation, answer, status, rank, run, text,
        first_event, last_event, created_at, started_at, ended_at)
        VALUES (1, 'r1', 1, 1, 2, 'COMPLETED', 1, 1, 'hi', 1, 2, 1000, 1001, 2000);
      INSERT INTO bindings VALUES ('https://coze.test', 'a', 'up-1', 1, 1, 2000);`)
    db.close()
    await using store = await openFile(file)
    const { session, isNew } = await store.ledger.openSession(
      'alice' as SessionId,
      () => 'unused' as SessionName,
      3000,
    )
    expect({ session, isNew }).toEqual({
      session: { id: 'alice', name: 'alice-name' },
      isNew: false,
    })
    const own = store.ledger.session(session)
    expect(await own.replies(['r1' as ReplyId])).toMatchObject([
      { status: 'COMPLETED', text: 'hi', question: null, omitted: [], toolCalls: [] },
    ])
    expect(await own.conversations(['c1' as ConversationId])).toMatchObject([
      { assistantId: 'flow', title: null },
    ])
    const page = { direction: 'forward', limit: 10, after: undefined, before: undefined } as const
    expect((await own.messagePage('c1' as ConversationId, page))?.rows).toMatchObject([
      { role: 'USER', text: 'hello', attachmentIds: [], rating: null },
      { role: 'ASSISTANT', text: 'hi' },
    ])
    expect(await own.upstreamConversations('c1' as ConversationId)).toMatchObject([
      { conversationId: 'up-1' },
    ])
  })

  it('F34: refuses a file with a page that is damaged where nobody looks at first', async () => {
    const file = newFile()
    const store = await openFile(file)
    const session = await openSession(store.ledger)
    for (let n = 0; n < 200; n += 1) {
      const id = `conversation-${n}` as ConversationId
      const assistantId = 'flow' as AssistantId
      const about = { id, assistantId, title: undefined, at: n, max: 1_000 }
      await store.ledger.startConversation(session, about)
    }
    await store[Symbol.asyncDispose]()
    const db = new DatabaseSync(file)
    const page = db.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'conversations'`).get()
    db.close()
    const bytes = await readFile(file)
    const at = (Number(page?.['rootpage']) - 1) * 4096
    bytes.fill(0xff, at + 8, at + 64)
    await writeFile(file, bytes)
    await expect(openFile(file)).rejects.toThrow('restore it from a backup')
  })

  it('F34: refuses a damaged file with a message that says what to do', async () => {
    const text = join(folder, randomId())
    await writeFile(
      text,
      'no database, but a text that is long enough to be taken for one'.repeat(20),
    )
    await expect(openFile(text)).rejects.toThrow('restore it from a backup')
    const file = newFile()
    await (await openFile(file))[Symbol.asyncDispose]()
    await truncate(file, 3 * 4096)
    await expect(openFile(file)).rejects.toThrow('restore it from a backup')
  })

  it('says so when the file cannot be created', async () => {
    await expect(openFile('/dev/null/store.db')).rejects.toBeInstanceOf(StoreOpenError)
  })
})

describe('sqlite: opening again', () => {
  it('goes on under a higher epoch, with every cursor still good', async () => {
    const file = newFile()
    const first = await openFile(file)
    const session = await openSession(first.ledger)
    const claim = await runReply(first, session)
    await append(first, claim, answer(0, 'text'))
    const middle = await first.log.end(session.id)
    await finish(first.ledger, claim, completed('text'))
    const events = await readAll(first.log, session)
    await first[Symbol.asyncDispose]()

    await using second = await openFile(file)
    expect(await readAll(second.log, session)).toEqual(events)
    expect(await second.log.check(session.id, middle)).toBe('ok')
    expect(await readAll(second.log, session, middle)).toMatchObject([{ type: 'completed' }])
    const later = await runReply(second, session, claim.reply.conversationId)
    const [started] = await readAll(second.log, session, events.at(-1))
    expect(started).toMatchObject({ replyId: later.reply.id, epoch: middle.epoch + 1 })
  })

  it('F21: hands a reply whose runner was killed to the next, with the text that is on disk', async () => {
    const file = newFile()
    // No time passes: what nobody waits for stays off the disk.
    await using first = await openSqliteStore({ ...common, file, clock: createFakeClock() })
    const session = await openSession(first.ledger)
    const claim = await runReply(first, session)
    const scope = { origin: 'https://upstream.test', account: 'a' }
    const binding = { scope, strategy: 'bot', conversationId: 'c' } as const
    await first.ledger.bind(session, claim.reply.id, claim.fence, binding, 1)
    await first.ledger.recordChat(session, claim.reply.id, claim.fence, 'chat-1')
    await append(first, claim, answer(0, 'Hello'), answer(5, ' world'), answer(6, 'you'))
    await first.ping()
    void append(first, claim, answer(9, ', lost'))
    const shown = await first.log.end(session.id)
    const copy = await kill(file)

    await using second = await openFile(copy)
    const [orphan] = await second.ledger.orphans()
    expect(orphan).toMatchObject({
      session,
      reply: { id: claim.reply.id, status: 'RUNNING', text: 'Hello you' },
      upstream: binding,
      progress: { step: 'chat', chatId: 'chat-1' },
    })
    expect(await second.ledger.orphans()).toEqual([])
    if (orphan === undefined) throw new Error('expected an orphan')
    await expect(append(second, claim, answer(9, 'x'))).rejects.toThrow('fence')
    expect(answerOf(await readAll(second.log, session), orphan)).toBe('Hello you')

    // Whoever saw more than the disk is taken back to it, from the cursor it holds.
    await append(second, orphan, answer(9, ''))
    expect(await second.log.check(session.id, shown)).toBe('ok')
    expect(await readAll(second.log, session, shown)).toMatchObject([
      { type: 'delta', offset: 9, text: '' },
    ])
    await append(second, orphan, answer(9, '!'))
    await finish(second.ledger, orphan, completed('Hello you!'))
    for (const from of [beginning, shown]) {
      const events = await readAll(second.log, session, from)
      expect(events.filter(({ type }) => type === 'completed')).toHaveLength(1)
    }
    expect(answerOf(await readAll(second.log, session), orphan)).toBe('Hello you!')
  })

  it('F21: survives one kill after another in the same reply, beside replies that ended', async () => {
    let file = newFile()
    let store = await openFile(file)
    const session = await openSession(store.ledger)
    let claim = await runReply(store, session)
    let text = ''
    for (let life = 0; life < 4; life += 1) {
      const other = await runReply(store, session)
      for (let index = 0; index < 20; index += 1) {
        await append(store, claim, answer(text.length, `${life}.${index} `))
        text += `${life}.${index} `
        await append(store, other, answer(index, 'x'))
      }
      await finish(store.ledger, other, completed('x'.repeat(20)))
      const copy = await kill(file)
      await store[Symbol.asyncDispose]()
      file = copy
      store = await openFile(file)
      const orphans = await store.ledger.orphans()
      expect(orphans).toHaveLength(1)
      const [orphan] = orphans
      if (orphan === undefined) throw new Error('expected an orphan')
      claim = orphan
      expect(orphan.reply.text).toBe(text)
      const events = await readAll(store.log, session)
      expect(answerOf(events, claim)).toBe(text)
      expect(answerOf(events, other)).toBe('x'.repeat(20))
    }
    await finish(store.ledger, claim, completed(text))
    expect(answerOf(await readAll(store.log, session), claim)).toBe(text)
    await store[Symbol.asyncDispose]()
  })

  it('has on disk what it has acknowledged, and nothing that it has refused', async () => {
    const file = newFile()
    await using store = await openFile(file)
    const session = await openSession(store.ledger)
    const replies = await Promise.all(
      Array.from({ length: 9 }, () => acceptReply(store.ledger, session)),
    )
    const refused = await accept(store.ledger, session, { onBusy: 'REJECT' })
    expect(refused.type).toBe('busy')
    await using copy = await openFile(await kill(file))
    const found = await copy.ledger.session(session).replies(replies.map(({ id }) => id))
    expect(found.map((reply) => reply?.id)).toEqual(replies.map(({ id }) => id))
    expect(await copy.ledger.waiting()).toHaveLength(1)
  })
})

/** A disk whose syncs wait to be let through, or fail. */
function createDisk() {
  let gate: PromiseWithResolvers<void> | undefined
  let failure: Error | undefined
  const disk: Disk = {
    async sync() {
      await gate?.promise
      if (failure !== undefined) throw failure
    },
    async [Symbol.asyncDispose]() {},
  }
  return {
    disk,
    close: () => (gate = Promise.withResolvers()),
    open: () => {
      gate?.resolve()
      gate = undefined
    },
    fail: (error: Error | undefined) => (failure = error),
  }
}

async function openOn(disk: Disk, file = newFile()) {
  const opened = await openDatabase({ ...common, file })
  return { store: createSqliteStore(opened, { ...common, disk }), db: opened.db }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('sqlite: durability', () => {
  it('tells nobody of a write before it is on disk', async () => {
    const { disk, close, open } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const claim = await runReply(store, session)
    const other = await runReply(store, session)
    const before = await store.log.end(session.id)
    close()
    const told: string[] = []
    const ending = finish(store.ledger, claim, completed('')).then(() => told.push('finish'))
    await nextTurn()
    const reading = store.ledger
      .session(session)
      .replies([claim.reply.id])
      .then(() => told.push('read'))
    await append(store, other, answer(0, 'later'))
    await nextTurn()
    expect(told).toEqual([])
    expect(await readAll(store.log, session, before)).toEqual([])
    open()
    await Promise.all([ending, reading])
    const events = await readAll(store.log, session, before)
    expect(events.map(({ type }) => type)).toEqual(['completed', 'delta'])
  })

  it('claims, and gives back, without waiting for the disk', async () => {
    const { disk, close, open } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const { id, conversationId } = await acceptReply(store.ledger, session)
    close()
    const first = await claimReply(store.ledger, session, conversationId)
    expect(await store.ledger.requeue(session, id, first.fence)).toBe(true)
    expect((await claimReply(store.ledger, session, conversationId)).reply.id).toBe(id)
    open()
  })

  it('finds that nothing waits while the disk is busy', async () => {
    const { disk, close, open } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const other = await openSession(store.ledger)
    const claim = await runReply(store, session)
    await finish(store.ledger, claim, completed(''))
    close()
    const accepting = acceptReply(store.ledger, other)
    await nextTurn()
    const { conversationId } = claim.reply
    expect(await store.ledger.claim(session, conversationId, 5)).toBeUndefined()
    open()
    await accepting
  })

  it('F33: rejects what a failed sync held, takes it back, and goes on when the disk does', async () => {
    const { disk, fail } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const running = await runReply(store, session)
    await append(store, running, answer(0, 'kept'))
    const { id, conversationId } = await acceptReply(store.ledger, session)
    await finish(store.ledger, running, completed('kept'))

    fail(new Error('EIO'))
    const idempotency = { key: 'key', digest: 'digest' }
    const writes = [
      accept(store.ledger, session, { idempotency }),
      store.ledger.claim(session, conversationId, 5),
    ]
    for (const { status, ...rest } of await Promise.allSettled(writes)) {
      expect(status).toBe('rejected')
      expect('reason' in rest && rest.reason).toBeInstanceOf(StoreError)
    }
    await expect(store.ping()).rejects.toMatchObject({ kind: 'unavailable' })

    fail(undefined)
    await store.ping()
    expect((await accept(store.ledger, session, { idempotency })).type).toBe('accepted')
    expect((await claimReply(store.ledger, session, conversationId)).reply.id).toBe(id)
    expect(answerOf(await readAll(store.log, session), running)).toBe('kept')
  })

  it('F33: shows an end whose sync failed when the disk goes on, once', async () => {
    const { disk, fail } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const claim = await runReply(store, session)
    fail(new Error('EIO'))
    await expect(finish(store.ledger, claim, cancelled)).rejects.toBeInstanceOf(StoreError)
    fail(undefined)
    expect(await finish(store.ledger, claim, cancelled)).toMatchObject({ type: 'already' })
    const events = await readAll(store.log, session)
    expect(events.map(({ type }) => type)).toEqual(['started', 'cancelled'])
  })

  it('F33: takes back what an interrupting message had cancelled when its sync failed', async () => {
    const { disk, fail } = createDisk()
    const { store } = await openOn(disk)
    await using _ = store
    const session = await openSession(store.ledger)
    const running = await runReply(store, session)
    const { conversationId } = running.reply
    const waiting = await acceptReply(store.ledger, session, { conversationId })
    fail(new Error('EIO'))
    const interrupt = { conversationId, onBusy: 'INTERRUPT' } as const
    await expect(accept(store.ledger, session, interrupt)).rejects.toBeInstanceOf(StoreError)
    fail(undefined)
    await store.ping()
    const own = store.ledger.session(session)
    expect(await own.replies([waiting.id])).toMatchObject([
      { status: 'QUEUED', queuePosition: 0, endedAt: null },
    ])
    expect(await own.openReplies(undefined)).toHaveLength(2)
    // What follows in the log is shown, and nothing of what was taken back.
    await finish(store.ledger, running, completed('one'))
    const next = await claimReply(store.ledger, session, conversationId)
    expect(next.reply.id).toBe(waiting.id)
    const events = await readAll(store.log, session)
    expect(events.map(({ type }) => type)).toEqual(['started', 'completed'])
  })

  it('F33: rejects every write while the disk is full, loses nothing else, and recovers', async () => {
    const { disk } = createDisk()
    const file = newFile()
    const { store, db } = await openOn(disk, file)
    const session = await openSession(store.ledger)
    const claim = await runReply(store, session)
    await append(store, claim, answer(0, 'before '))
    await store.ping()

    const pages = db.prepare('PRAGMA page_count').get()?.['page_count']
    db.exec(`PRAGMA max_page_count = ${String(pages)}`)
    const big = 'x'.repeat(100_000)
    await expect(accept(store.ledger, session, { text: big })).rejects.toMatchObject({
      kind: 'full',
    })
    // The runner learns of it by the promise that append gives it to wait for.
    await expect(append(store, claim, answer(7, big))).rejects.toMatchObject({ kind: 'full' })
    await expect(append(store, claim, answer(7, 'after'))).rejects.toMatchObject({ kind: 'full' })
    await expect(finish(store.ledger, claim, completed('before after'))).rejects.toMatchObject({
      kind: 'full',
    })

    db.exec('PRAGMA max_page_count = 1000000')
    expect(await finish(store.ledger, claim, completed('before after'))).toMatchObject({
      type: 'finished',
    })
    const events = await readAll(store.log, session)
    expect(answerOf(events, claim)).toBe('before after')
    expect(events.filter(({ type }) => type === 'completed')).toHaveLength(1)
    await store[Symbol.asyncDispose]()
    await using again = await openFile(file)
    expect(answerOf(await readAll(again.log, session), claim)).toBe('before after')
  })

  it('F21: keeps on disk the deltas of a reply that runs, however long, and not for ever those of the ended', async () => {
    const { disk } = createDisk()
    const file = newFile()
    const { store, db } = await openOn(disk, file)
    await using _ = store
    const session = await openSession(store.ledger)
    const long = await runReply(store, session)
    await append(store, long, answer(0, 'long ago'))
    const rows = () => db.prepare('SELECT count(*) AS count FROM journal').get()?.['count']
    const talk = async (count: number) => {
      const claim = await runReply(store, session)
      for (let index = 0; index < count; index += 1) {
        await append(store, claim, answer(index, 'x'))
        await store.ping()
      }
      await finish(store.ledger, claim, completed('x'.repeat(count)))
    }
    await talk(600)
    expect(rows()).toBeGreaterThan(600)
    const copy = await openFile(await kill(file))
    const [orphan] = await copy.ledger.orphans()
    expect(orphan?.reply.text).toBe('long ago')
    await copy[Symbol.asyncDispose]()
    await finish(store.ledger, long, completed('long ago'))
    await talk(300)
    expect(rows()).toBeLessThan(600)
  })

  it('refuses what comes after it was closed', async () => {
    const store = await inFile()
    const session = await openSession(store.ledger)
    await store[Symbol.asyncDispose]()
    await expect(accept(store.ledger, session)).rejects.toBeInstanceOf(StoreError)
    await store[Symbol.asyncDispose]()
  })
})
