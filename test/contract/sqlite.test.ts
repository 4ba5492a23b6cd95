import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AssistantId, ConversationId } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { firstEdition } from '../../src/store/sqlite/worker/first-edition.ts'
import { secondEdition } from '../../src/store/sqlite/worker/schema.ts'
import { StoreError, StoreOpenError, type Store } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import {
  accept,
  acceptReply,
  answerOf,
  completed,
  finish,
  newConversationId,
  openSession,
  readAll,
  runReply,
} from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

const common = {
  clock: systemClock,
  logger: silentLogger,
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
    await finish(first, completed(text))
    const replies = [first.reply]
    for (let n = 1; n < answers; n += 1) {
      const claim = await runReply(store, session, first.reply.conversationId)
      await finish(claim, completed(text))
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

  it('T23: seeds a new upstream conversation with as many of the last messages as are read at once', async () => {
    await using store = await inMemory()
    const { reads, replies } = await conversationOf(store, 'x'.repeat(100_000), 4)
    const [{ conversationId } = { conversationId: newConversationId() }] = replies
    const { reply } = await runReply(store, reads.session, conversationId)
    const history = await store.ledger.history(reads.session, reply.id, 8)
    expect(history.map(({ role }) => role)).toEqual(['ASSISTANT', 'USER', 'ASSISTANT'])
    expect(history.at(-1)?.replyId).toBe(replies.at(-1)?.id)
  })

  it('T23: tells how open replies stand without their texts, however long those are', async () => {
    await using store = await inMemory()
    const session = await openSession(store.ledger)
    const { reply } = await runReply(store, session)
    const { id, conversationId, assistantId, status } = reply
    expect(await store.ledger.session(session).openReplies(undefined)).toEqual([
      { id, conversationId, assistantId, status },
    ])
  })

  it('T17: reads those of each session in its turn, however many another asks for at once', async () => {
    await using store = await inMemory()
    const hostile = await conversationOf(store, 'x'.repeat(200_000), 1)
    const honest = await conversationOf(store, 'x', 1)
    const read: string[] = []
    const ask = async (name: string, { reads, replies }: typeof hostile) => {
      await reads.replies(replies.map(({ id }) => id))
      read.push(name)
    }
    await Promise.all([
      ...Array.from({ length: 20 }, () => ask('hostile', hostile)),
      ask('honest', honest),
    ])
    expect(read.indexOf('honest')).toBeLessThan(3)
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
    await again.ping()
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

  const current = firstEdition.length + secondEdition.length
  it.each([
    [
      'has the tables of a later version',
      `${firstEdition[0]} ${firstEdition[1]} PRAGMA user_version = 1`,
    ],
    ['has tables, and says that it is new', `${firstEdition[0]} PRAGMA user_version = 0`],
    ['says a version whose tables it does not have', `${firstEdition[0]} PRAGMA user_version = 3`],
    ['has lost a table', `${firstEdition[0]} DROP TABLE bindings; PRAGMA user_version = 1`],
    ['has lost an index', `${firstEdition[0]} DROP INDEX replies_kept; PRAGMA user_version = 1`],
    [
      'has lost a column',
      `${firstEdition[0]} ALTER TABLE events DROP COLUMN payload; PRAGMA user_version = 1`,
    ],
    [
      'is of the first edition by its tables and of this one by its word',
      `${firstEdition.join('')} PRAGMA user_version = ${current}`,
    ],
    [
      'is current by its own word, and has lost an index',
      `${secondEdition.join('')} DROP INDEX conversations_used; PRAGMA user_version = ${current}`,
    ],
    [
      'is current by its own word, and lets two replies run in one conversation',
      `${secondEdition.join('')} DROP INDEX replies_running; PRAGMA user_version = ${current}`,
    ],
  ])('refuses a half-migrated file in words, without a stack: it %s', async (_name, sql) => {
    const file = byHand(sql)
    const error: unknown = await openFile(file).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreOpenError)
    expect(String(error)).toContain(file)
    expect(String(error)).toContain('restore it from a backup, or choose another file')
  })

  it('takes a file to which an operator has added a table and an index', async () => {
    const file = byHand(`${firstEdition[0]} PRAGMA user_version = 1; CREATE TABLE notes (x);
      CREATE INDEX by_hand ON messages (created_at)`)
    await using store = await openFile(file)
    await store.ping()
  })

  /** A file with many conversations, one page of which is damaged. */
  async function damagedFile(pick: (pages: readonly number[]) => number | undefined) {
    const file = newFile()
    const store = await openFile(file)
    const session = await openSession(store.ledger)
    for (let n = 0; n < 200; n += 1) {
      const id = `conversation-${n}` as ConversationId
      const assistantId = 'flow' as AssistantId
      const about = { id, assistantId, title: undefined, idempotency: undefined, at: n, max: 1_000 }
      await store.ledger.startConversation(session, about)
    }
    await store[Symbol.asyncDispose]()
    const db = new DatabaseSync(file)
    const pages = db
      .prepare(`SELECT pageno FROM dbstat WHERE name = 'conversations' ORDER BY path`)
      .all()
    db.close()
    const at = ((pick(pages.map(({ pageno }) => Number(pageno))) ?? 0) - 1) * 4096
    const bytes = await readFile(file)
    bytes.fill(0xff, at + 8, at + 64)
    await writeFile(file, bytes)
    return { file, session }
  }

  it('F34: refuses a file with a page that is damaged at the root of a table', async () => {
    const { file } = await damagedFile((pages) => pages[0])
    await expect(openFile(file)).rejects.toThrow('restore it from a backup')
  })

  it('F34: serves a file with a page that is damaged where nobody looks at first, fails what asks for it, and says soon what to do', async () => {
    const { file, session } = await damagedFile((pages) => pages[Math.floor(pages.length / 2)])
    const told: string[] = []
    const error = (_fields: object, text: string) => void told.push(text)
    await using store = await openSqliteStore({
      ...common,
      file,
      logger: { ...silentLogger, error },
    })
    const own = store.ledger.session(session)
    const first = 'conversation-0' as ConversationId
    expect(await own.conversations([first])).toMatchObject([{ id: first }])
    const all = Array.from({ length: 200 }, (_, n) => `conversation-${n}` as ConversationId)
    // Each time, and not only the first.
    for (let n = 0; n < 3; n += 1) await expect(own.conversations(all)).rejects.toThrow()
    const isTold = () => told.some((text) => text.includes('restore it from a backup'))
    await until(async () => isTold(), 'the damage is told')
    // It is served on, as far as it goes.
    await store.ping()
    expect(await own.conversations([first])).toMatchObject([{ id: first }])
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
  it('goes on with every cursor still good', async () => {
    const file = newFile()
    const first = await openFile(file)
    const session = await openSession(first.ledger)
    const claim = await runReply(first, session)
    await claim.append([{ kind: 'ANSWER', offset: 0, text: 'text' }])
    const middle = await first.log.end(session.id)
    await finish(claim, completed('text'))
    const events = await readAll(first.log, session)
    const end = await first.log.end(session.id)
    await first[Symbol.asyncDispose]()

    await using second = await openFile(file)
    expect(await readAll(second.log, session)).toEqual(events)
    expect(await second.log.check(session.id, middle)).toBe('ok')
    expect(await readAll(second.log, session, middle)).toMatchObject([{ type: 'completed' }])
    const later = await runReply(second, session, claim.reply.conversationId)
    const [started] = await readAll(second.log, session, end)
    expect(started).toMatchObject({ type: 'started', replyId: later.reply.id })
  })

  it('F21: hands a reply whose runner was killed to the next, with the text that is on disk', async () => {
    const file = newFile()
    // No time passes: what nobody waits for stays off the disk.
    await using first = await openSqliteStore({ ...common, file, clock: createFakeClock() })
    const session = await openSession(first.ledger)
    const claim = await runReply(first, session)
    const scope = { origin: 'https://upstream.test', account: 'a' }
    const binding = { scope, strategy: 'bot', conversationId: 'c' } as const
    await claim.bind(binding, { contextReset: false, at: 1 })
    claim.recordChat('chat-1')
    await claim.append([
      { kind: 'ANSWER', offset: 0, text: 'Hello' },
      { kind: 'ANSWER', offset: 5, text: ' world' },
    ])
    // Outputs of tools are taken with the text so far.
    await claim.requireAction({ toolCalls: [], expiresAt: 9 })
    await first.ledger.takeToolOutputs(session, claim.reply.id, { toolCallIds: [], digest: 'd' })
    void claim.append([{ kind: 'ANSWER', offset: 11, text: ', lost' }])
    const copy = await kill(file)

    await using second = await openFile(copy)
    const [orphan] = await second.ledger.orphans()
    expect(orphan).toMatchObject({
      lease: {
        session,
        reply: { id: claim.reply.id, status: 'RUNNING', text: 'Hello world' },
        answer: 'Hello world',
        upstream: binding,
      },
      progress: { step: 'answered', chatId: 'chat-1' },
    })
    expect(await second.ledger.orphans()).toEqual([])
    if (orphan === undefined) throw new Error('expected an orphan')
    expect(answerOf(await readAll(second.log, session), claim)).toBe('Hello world')
    await orphan.lease.append([{ kind: 'ANSWER', offset: 11, text: '!' }])
    await finish(orphan.lease, completed('Hello world!'))
    expect(answerOf(await readAll(second.log, session), claim)).toBe('Hello world!')
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
        await claim.append([{ kind: 'ANSWER', offset: text.length, text: `${life}.${index} ` }])
        text += `${life}.${index} `
        await other.append([{ kind: 'ANSWER', offset: index, text: 'x' }])
      }
      await finish(other, completed('x'.repeat(20)))
      // Its text is written before what was asked for after it.
      claim.recordChat('chat')
      await claim.requireAction({ toolCalls: [], expiresAt: 9 })
      const outputs = { toolCallIds: [], digest: `${life}` }
      await store.ledger.takeToolOutputs(session, claim.reply.id, outputs)
      const copy = await kill(file)
      await store[Symbol.asyncDispose]()
      file = copy
      store = await openFile(file)
      const orphans = await store.ledger.orphans()
      expect(orphans).toHaveLength(1)
      const [orphan] = orphans
      if (orphan === undefined) throw new Error('expected an orphan')
      claim = orphan.lease
      expect(claim.answer).toBe(text)
      const events = await readAll(store.log, session)
      expect(answerOf(events, claim)).toBe(text)
      expect(answerOf(events, other)).toBe('x'.repeat(20))
    }
    await finish(claim, completed(text))
    expect(answerOf(await readAll(store.log, session), claim)).toBe(text)
    await store[Symbol.asyncDispose]()
  })

  it('F21: tells whoever takes a reply over how far its run had come', async () => {
    const file = newFile()
    await using store = await openFile(file)
    const session = await openSession(store.ledger)
    const scope = { origin: 'https://upstream.test', account: 'a' }
    const binding = (conversationId: string) =>
      ({ scope, strategy: 'bot', conversationId }) as const
    const at = { contextReset: false, at: 1 }
    const { conversationId } = await acceptReply(store.ledger, session)
    await store.ledger.claim(session, conversationId, 1)
    await runReply(store, session)
    const revealed = await runReply(store, session)
    await revealed.bind(binding('revealed'), at)
    const streaming = await runReply(store, session)
    await streaming.bind(binding('streaming'), at)
    streaming.recordChat('chat')
    const waiting = await runReply(store, session)
    waiting.recordChat('chat')
    await waiting.requireAction({ toolCalls: [], expiresAt: 9 })
    const interrupted = await runReply(store, session)
    await accept(store.ledger, session, {
      conversationId: interrupted.reply.conversationId,
      onBusy: 'INTERRUPT',
    })
    // What is written without being waited for is on disk before this one.
    await streaming.requireAction({ toolCalls: [], expiresAt: 9 })
    const taking = { toolCallIds: [], digest: 'd' }
    await store.ledger.takeToolOutputs(session, streaming.reply.id, taking)

    await using again = await openFile(await kill(file))
    const orphans = await again.ledger.orphans()
    const steps = orphans.map(({ progress, isInterrupted }) => `${progress.step} ${isInterrupted}`)
    expect(steps.toSorted()).toEqual([
      'answered false',
      'claimed false',
      'intended false',
      'intended true',
      'revealed false',
      'waiting false',
    ])
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

describe('sqlite: closing', () => {
  it('refuses what comes after it was closed', async () => {
    const store = await inFile()
    const session = await openSession(store.ledger)
    await store[Symbol.asyncDispose]()
    await expect(accept(store.ledger, session)).rejects.toBeInstanceOf(StoreError)
    await store[Symbol.asyncDispose]()
  })

  it('does first what was asked for before it', async () => {
    const file = newFile()
    const store = await openFile(file)
    const session = await openSession(store.ledger)
    const accepting = acceptReply(store.ledger, session)
    await store[Symbol.asyncDispose]()
    const { id } = await accepting
    await using again = await openFile(file)
    expect(await again.ledger.session(session).replies([id])).toMatchObject([{ id }])
  })
})
