import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session, SessionId, SessionName } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { StoreOpenError, type Store } from '../../src/store/store.ts'
import { randomId } from '../kit/ids.ts'
import { silentLogger } from '../kit/logger.ts'
import { completed, finish, readAll, runReply } from '../kit/stored-replies.ts'
import { uncounted } from '../kit/uncounted.ts'

const pageBytes = 4096
const page = { direction: 'forward', limit: 100, after: undefined, before: undefined } as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-damage-'))
})
afterAll(() => rm(folder, { recursive: true }))

const openFile = (file: string) =>
  openSqliteStore({
    file,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    busyTimeoutMs: 100,
  })

async function openSession(store: Store, name: string): Promise<Session> {
  const id = name as SessionId
  return (await store.ledger.openSession(id, () => `${name}-name` as SessionName, 1)).session
}

/** A file with what Alice and Bob were told, each of them something of their own. */
async function fill() {
  const file = join(folder, randomId(), 'store.db')
  const store = await openFile(file)
  // Row ids of one byte each, none of which SQLite has a shorter form for, and that differ in one bit.
  await openSession(store, 'nobody')
  const [alice, bob] = [await openSession(store, 'alice'), await openSession(store, 'bob')]
  for (const session of [alice, alice, bob]) {
    const claim = await runReply(store, session)
    const text = `for ${session.id} alone`
    const delta = { kind: 'ANSWER', offset: 0, text } as const
    await store.log.append(session.id, claim.reply.id, claim.fence, [delta])
    await finish(store.ledger, claim, completed(text))
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

describe('sqlite: a damaged file', () => {
  it.each(['messages', 'replies', 'events', 'sessions', 'meta'])(
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

  it('F34: is refused where one bit of an index gives a session what is of another', async () => {
    const { file } = await fill()
    const at = rootOf(file, 'conversations_used')
    await damage(file, (bytes) => {
      // Header (four bytes: itself and three integers of one byte each), session 2, use 2, conversation 2.
      const entry = bytes.indexOf(Buffer.from([4, 1, 1, 1, 2, 2, 2]), at)
      expect(entry - at).toBeLessThan(pageBytes)
      bytes[entry + 4] = 3
    })
    await expect(openFile(file)).rejects.toThrow('restore it from a backup')
  })

  it('F34: is refused with what to do, and with none of its texts, where the journal is none', async () => {
    const { file } = await fill()
    inFile(file, (db) => db.exec(`UPDATE journal SET deltas = replace(deltas, '[', 'x')`))
    const refused = openFile(file)
    await expect(refused).rejects.toBeInstanceOf(StoreOpenError)
    await expect(refused).rejects.toThrow('restore it from a backup')
    await expect(refused).rejects.not.toThrow('for alice alone')
  })

  it('T18 F34: quotes nothing of what was said, where a row of it is no JSON', async () => {
    const { file, alice } = await fill()
    const confuse = `UPDATE events SET payload = 'for alice alone' WHERE type = 'completed'`
    inFile(file, (db) => db.exec(confuse))
    await using store = await openFile(file)
    const reading = readAll(store.log, alice)
    await expect(reading).rejects.toThrow('a column of JSON')
    await expect(reading).rejects.not.toThrow('alice')
  })

  it.each([
    ['events', 'UPDATE events SET session = 3, place = place + 1000 WHERE session = 2'],
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

  it('F34: with a write-ahead log that was cut off holds what was written before the cut', async () => {
    const file = join(folder, randomId(), 'store.db')
    const store = await openFile(file)
    const session = await openSession(store, 'alice')
    const claim = await runReply(store, session)
    await finish(store.ledger, claim, completed('before'))
    const kept = (await readFile(`${file}-wal`)).length
    const later = await runReply(store, session)
    await finish(store.ledger, later, completed('after'))
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
  })
})
