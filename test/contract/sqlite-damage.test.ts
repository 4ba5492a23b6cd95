import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  ConversationId,
  MessageId,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { walkSession } from '../../src/graphql/export/walk.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { StoreOpenError, type Store } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { completed, finish, readAll, runReply } from '../kit/fakes/stored-replies.ts'
import { openStoreWorker } from '../kit/fakes/store-worker.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

const pageBytes = 4096
const page = { direction: 'forward', limit: 100, after: undefined, before: undefined } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-damage-'))
})
afterAll(() => rm(folder, { recursive: true }))

const openFile = (file: string, logger = silentLogger) =>
  openSqliteStore({
    file,
    clock: systemClock,
    logger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    busyTimeoutMs: 100,
  })

async function openSession(store: Store, name: string): Promise<Session> {
  const id = name as SessionId
  return (await store.ledger.openSession(id, () => `${name}-name` as SessionName, 1)).session
}

/** A file with what Alice and Bob were told, each of them something of their own. */
async function fill(filler = '') {
  const file = join(folder, randomId(), 'store.db')
  const store = await openFile(file)
  // Row ids of one byte each, none of which SQLite has a shorter form for, and that differ in one bit.
  await openSession(store, 'nobody')
  const [alice, bob] = [await openSession(store, 'alice'), await openSession(store, 'bob')]
  for (const session of [alice, alice, bob]) {
    const claim = await runReply(store, session)
    const text = `for ${session.id} alone${filler}`
    await claim.append([{ kind: 'ANSWER', offset: 0, text }])
    await finish(claim, completed(text))
  }
  await store[Symbol.asyncDispose]()
  return { file, alice, bob }
}

function inFile<T>(file: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(file)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

/** Where the root page of a table or an index is. */
const rootOf = (file: string, name: string) =>
  inFile(file, (db) => {
    const row = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)
    return (Number(row?.['rootpage']) - 1) * pageBytes
  })

async function damage(file: string, work: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readFile(file)
  work(bytes)
  await writeFile(file, bytes)
}

/** All that a session is shown. */
async function read(store: Store, session: Session): Promise<string> {
  const own = store.ledger.session(session)
  const conversations = await own.conversationPage(page)
  const messages = await Promise.all(
    (conversations?.rows ?? []).map(({ id }) => own.messagePage(id, page)),
  )
  return JSON.stringify([conversations, messages, await readAll(store.log, session)])
}

/** What an opened store is told by the check of the whole file. */
async function checked(file: string) {
  await using worker = await openStoreWorker(file)
  return await worker.call('checkFile', {})
}

describe('sqlite: a damaged file', () => {
  it.each(['messages', 'replies', 'events', 'sessions', 'texts', 'meta'])(
    'F34: is refused with what to do, where a page of "%s" is all zeros',
    async (table) => {
      const { file } = await fill()
      const at = rootOf(file, table)
      await damage(file, (bytes) => bytes.fill(0, at, at + pageBytes))
      const refused = openFile(file)
      await expect(refused).rejects.toBeInstanceOf(StoreOpenError)
      await expect(refused).rejects.toThrow('restore it from a backup')
    },
  )

  it.each([
    // Header (four bytes: itself and three integers of one byte each), session 2, use 2, conversation 2.
    ['conversations_used', [4, 1, 1, 1, 2, 2, 2], 4],
    // Header (three bytes), conversation 2, message 3.
    ['messages_of_conversation', [3, 1, 1, 2, 3], 3],
  ])(
    'F34: shows a session nothing of another where one bit of %s says so, and is found by the check of the whole file',
    async (index, entry, at) => {
      const { file, alice, bob } = await fill()
      expect(await checked(file)).toBe('ok')
      const root = rootOf(file, index)
      await damage(file, (bytes) => {
        const found = bytes.indexOf(Buffer.from(entry), root)
        expect(found - root).toBeLessThan(pageBytes)
        bytes[found + at] = 3
      })
      await using store = await openFile(file)
      expect(await read(store, bob)).not.toContain('for alice alone')
      expect(await read(store, alice)).not.toContain('for bob alone')
      await store[Symbol.asyncDispose]()
      expect(await checked(file)).toBe('damaged')
    },
  )

  it.each(['messages', 'conversations', 'replies'])(
    'F34: gives nobody what is of another, where the keys of "%s" lead to the wrong rows',
    async (table) => {
      const { file, alice, bob } = await fill()
      const keysOf = (session: number) =>
        inFile(file, (db) =>
          db.prepare(`SELECT key FROM ${table} WHERE session = ?`).all(session),
        ).map(({ key }) => String(key))
      const [ofAlice, ofBob] = [keysOf(2), keysOf(3)]
      const root = rootOf(file, `sqlite_autoindex_${table}_1`)
      // The keys of the index alone change places: each leads to the row of the other.
      const [first = '', second = ''] = [ofAlice[0], ofBob[0]]
      await damage(file, (bytes) => {
        const page = bytes.subarray(root, root + pageBytes)
        const [a, b] = [page.indexOf(first), page.indexOf(second)]
        expect(Math.min(a, b)).toBeGreaterThan(0)
        page.write(second, a)
        page.write(first, b)
      })
      await using store = await openFile(file)
      for (const [session, other] of [
        [alice, bob],
        [bob, alice],
      ] as const) {
        const own = store.ledger.session(session)
        const ids = [...ofAlice, ...ofBob]
        const shown = JSON.stringify([
          await own.messages(ids as MessageId[]),
          await own.replies(ids as ReplyId[]),
          await own.conversations(ids as ConversationId[]),
        ])
        expect(shown).not.toContain(`for ${other.id} alone`)
      }
      await store[Symbol.asyncDispose]()
      expect(await checked(file)).toBe('damaged')
    },
  )

  it('T18 F34: quotes nothing of what was said, where a row of it is no JSON', async () => {
    const { file, alice } = await fill()
    const confuse = `UPDATE replies SET usage = 'for alice alone' WHERE status = 'COMPLETED'`
    inFile(file, (db) => db.exec(confuse))
    await using store = await openFile(file)
    const reading = readAll(store.log, alice)
    await expect(reading).rejects.toThrow('a column of JSON')
    await expect(reading).rejects.not.toThrow('alice')
  })

  it.each([
    ['one letter of it is another', `UPDATE texts SET text = replace(text, 'alone', 'along')`],
    ['it ends too early', `UPDATE texts SET text = substr(text, 1, 5) WHERE text LIKE 'for %'`],
    ['it is empty', `UPDATE texts SET text = '' WHERE text LIKE 'for %'`],
    [
      'it is that of another reply',
      `UPDATE texts SET (text, digest) = (
         SELECT t.text, t.digest FROM texts t WHERE t.text = 'for bob alone')
       WHERE text = 'for alice alone'`,
    ],
  ])('F34: fails what asks for a text, and tells none of it, where %s', async (_what, confuse) => {
    const { file, alice, bob } = await fill()
    inFile(file, (db) => db.exec(confuse))
    const warnings: string[] = []
    const error = (_fields: object, text: string) => void warnings.push(text)
    await using store = await openFile(file, { ...silentLogger, error })
    const own = store.ledger.session(alice)
    const [conversation] = (await own.conversationPage(page))?.rows ?? []
    if (conversation === undefined) throw new Error('there is no conversation')
    const asking = own.messagePage(conversation.id, page)
    await expect(asking).rejects.toThrow('a stored text is damaged')
    await expect(asking).rejects.not.toThrow('alone')
    await expect(readAll(store.log, alice)).rejects.toThrow('a stored text is damaged')
    // What is whole is served.
    expect(await own.conversations([conversation.id])).toEqual([conversation])
    const next = await runReply(store, bob)
    await finish(next, completed('as before'))
    expect((await store.ledger.session(bob).replies([next.reply.id]))[0]?.text).toBe('as before')
    await until(
      () => warnings.some((text) => text.includes('restore it from a backup')),
      'the damage is told',
    )
  })

  it('F34: is refused in words where it holds a damaged text of a reply that ran', async () => {
    const { file, alice } = await fill()
    {
      await using store = await openFile(file)
      const lease = await runReply(store, alice)
      await lease.append([{ kind: 'ANSWER', offset: 0, text: 'half an answer' }])
    }
    const confuse = `UPDATE texts SET digest = digest + 1 WHERE text = 'half an answer'`
    expect(inFile(file, (db) => db.prepare(confuse).run().changes)).toBe(1)
    const refusal = await openFile(file).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StoreOpenError)
    expect(String(refusal)).toMatch(/a stored text is damaged.*restore it from a backup/)
  })

  it('F34: tells no part of a long text of which a row is missing', async () => {
    const { file, alice } = await fill('a long text '.repeat(2_000))
    inFile(file, (db) => {
      const rows = db.prepare(`SELECT id FROM texts WHERE text LIKE '%a long text%'`).all()
      db.prepare('DELETE FROM texts WHERE id = ?').run(rows[2]?.['id'] ?? 0)
    })
    await using store = await openFile(file)
    await expect(readAll(store.log, alice)).rejects.toThrow('a stored text is damaged')
  })

  it.each([
    ['events', 'UPDATE events SET id = id + (1 << 27) + 1000 WHERE id >> 27 = 2'],
    ['messages', 'UPDATE messages SET conversation = 3 WHERE conversation = 2'],
    [
      'answers',
      `UPDATE messages SET reply = (SELECT reply FROM messages WHERE session = 2 AND reply IS NOT NULL)
       WHERE session = 3 AND reply IS NOT NULL`,
    ],
  ])('F34: shows a session nothing of another, whatever the %s name', async (_what, confuse) => {
    const { file, alice, bob } = await fill()
    inFile(file, (db) => db.exec(confuse))
    await using store = await openFile(file)
    expect(await read(store, bob)).not.toContain('for alice alone')
    expect(await read(store, alice)).toContain('for alice alone')
  })

  it.each([
    ['its file is a folder', () => folder, /cannot be read or written: EISDIR: illegal operation/],
    ['its file is a device', () => '/dev/full', /cannot be read or written: \w/],
  ])('is refused with the reason of the system where %s', async (_what, file, reason) => {
    const refusal = await openFile(file()).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StoreOpenError)
    expect(String(refusal)).toMatch(reason)
  })

  it('F34 F44: with a write-ahead log that was cut off holds what was written before the cut, and takes no cursor from behind it', async () => {
    const file = join(folder, randomId(), 'store.db')
    const store = await openFile(file)
    const session = await openSession(store, 'alice')
    const claim = await runReply(store, session)
    await finish(claim, completed('before'))
    const before = await store.log.end(session.id)
    const kept = (await readFile(`${file}-wal`)).length
    const later = await runReply(store, session)
    await finish(later, completed('after'))
    const lost = await store.log.end(session.id)
    const copy = join(folder, randomId())
    await writeFile(copy, await readFile(file))
    await writeFile(`${copy}-wal`, await readFile(`${file}-wal`))
    await store[Symbol.asyncDispose]()
    await truncate(`${copy}-wal`, kept + 100)

    await using cut = await openFile(copy)
    const texts = await read(cut, session)
    expect(texts).toContain('before')
    expect(texts).not.toContain('after')
    expect(await cut.ledger.session(session).replies([claim.reply.id, later.reply.id])).toEqual([
      expect.objectContaining({ status: 'COMPLETED' }),
      undefined,
    ])
    expect(await cut.log.check(session.id, before)).toBe('ok')
    expect(await cut.log.check(session.id, lost)).toBe('expired')
    // Other events come to the numbers of those that were lost.
    const other = await runReply(cut, session)
    await finish(other, completed('other'))
    expect((await cut.log.end(session.id)).seq).toBe(lost.seq)
    expect(await cut.log.check(session.id, lost)).toBe('expired')
    expect(await cut.log.read(session.id, lost, {}, 1_000)).toBe('expired')
  })

  it('F34: is walked over to its end where many rows in a row are damaged, with all that is whole', async () => {
    const file = join(folder, randomId(), 'store.db')
    const many = 20
    {
      await using store = await openFile(file)
      const alice = await openSession(store, 'alice')
      const first = await runReply(store, alice)
      await finish(first, completed('whole'))
      for (let n = 0; n < many; n += 1) {
        const { conversationId } = first.reply
        await finish(await runReply(store, alice, conversationId), completed('damaged'))
      }
      await finish(await runReply(store, alice, first.reply.conversationId), completed('whole'))
      for (let n = 0; n < 120; n += 1)
        await finish(await runReply(store, alice), completed('damaged'))
      await finish(await runReply(store, alice), completed('whole'))
    }
    // Their session is another, as a bit that was turned over may have it; the index of conversations still leads to them.
    inFile(file, (db) => {
      db.enableDefensive(false)
      const index = 'CREATE INDEX conversations_used ON conversations (session, used)'
      db.exec(`
        UPDATE replies SET session = 99 WHERE conversation = 1 AND id NOT IN (
          SELECT min(id) FROM replies WHERE conversation = 1 UNION SELECT max(id) FROM replies WHERE conversation = 1);
        UPDATE conversations SET session = 99 WHERE id BETWEEN 2 AND 121;
        DROP INDEX conversations_used;
        ${index.replace('session,', 'CASE session WHEN 99 THEN 1 ELSE session END,')};
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = '${index}' WHERE name = 'conversations_used'`)
    })
    await using store = await openFile(file)
    const steps: string[] = []
    for await (const { message } of walkSession(
      store.ledger.session(await openSession(store, 'alice')),
      undefined,
    )) {
      if (message !== undefined) steps.push(message.message.text)
    }
    expect(steps.filter((text) => text === 'whole')).toHaveLength(3)
  })

  it('F34: is checked as a whole while calls go on, and another gateway is kept out all the time', async () => {
    const { file, alice } = await fill()
    await using worker = await openStoreWorker(file)
    const checking = worker.call('checkFile', {})
    const of = { sessionId: alice.id }
    for (let n = 0; n < 20; n += 1) await worker.call('ping', { at: n })
    expect(await worker.call('logEnd', of)).toMatchObject({ seq: 4 })
    expect(await checking).toBe('ok')
    await expect(openFile(file)).rejects.toThrow('in use by another gateway')
    await worker.call('ping', { at: 1 })
  })
})
