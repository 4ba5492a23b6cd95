import { copyFileSync, mkdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  AttachmentId,
  ConversationId,
  Session,
  SessionId,
  SessionName,
} from '../../src/domain.ts'
import { systemClock, type Clock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { firstEdition } from '../../src/store/sqlite/worker/first-edition.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { openStoreHalves } from '../kit/fakes/store-halves.ts'
import { openStoreWorker } from '../kit/fakes/store-worker.ts'
import { randomId } from '../kit/fakes/ids.ts'
import {
  accept,
  acceptReply,
  assistant,
  claimReply,
  completed,
  endByOther,
  finish,
  newConversationId,
  openSession,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }
const common = { logger, metrics: uncounted, sessionKeyCheck: 'check' }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-deleted-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const newFile = () => join(folder, randomId())
const openFile = (file: string, clock: Clock = systemClock) =>
  openSqliteStore({ ...common, clock, file })

/** What stands in the bytes of a database and its write-ahead log after a word, each once; the parts of some as well. */
async function found(file: string, word: string): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (const path of [file, `${file}-wal`]) {
    const bytes = await readFile(path, 'latin1').catch(() => '')
    for (const [, after] of bytes.matchAll(new RegExp(`${word}([a-z]+!)?`, 'g'))) {
      seen.add(after?.slice(0, -1) ?? '(a part)')
    }
  }
  return [...seen].sort()
}

async function gone(file: string): Promise<void> {
  await until(async () => (await found(file, 'gone')).length === 0, 'the deleted words are gone')
}

/** As a kill at this moment would leave the file. */
function copyTo(file: string, copy: string): void {
  mkdirSync(join(copy, '..'))
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix)
}

/** A conversation in which the word stands wherever somebody's words can. Answers its id. */
async function speak(
  store: Store,
  session: Session,
  word: string,
  at = 1,
): Promise<ConversationId> {
  const { ledger } = store
  const id = newConversationId()
  const title = `${word}title!`
  const idempotency = { key: `${word}startkey!${randomId()}`, digest: `${word}startdigest!` }
  await startConversation(ledger, session, { id, title, idempotency, at })
  const attachmentId = randomId() as AttachmentId
  await ledger.addAttachment(session, {
    id: attachmentId,
    assistantId: assistant,
    name: `${word}file!`,
    mediaType: `image/${word}type!`,
    bytes: 1,
    createdAt: at,
    scope: { origin: 'https://a', account: 'b' },
    upstreamId: '1',
  })
  // Short ones lie beside others in a page, long ones have pages of their own.
  for (const length of [1, 300, 3_000, 20_000]) {
    const text = `${word}text! `.repeat(length / 10 + 1)
    await acceptReply(ledger, session, {
      conversationId: id,
      text,
      attachmentIds: [attachmentId],
      imageUrls: [`https://images.example.com/${word}image!`],
      extras: { parameters: { p: `${word}parameter!` }, metadata: { m: `${word}metadata!` } },
      idempotency: { key: `${word}key!${randomId()}`, digest: `${word}digest!` },
      at,
    })
    const claim = await claimReply(ledger, session, id)
    const { reply } = claim
    await claim.intend({ binding: undefined, contextReset: false, at })
    claim.recordChat(`${word}chat!`)
    await claim.append([
      { kind: 'ANSWER', offset: 0, text: `${word}delta! `.repeat(length / 10 + 1) },
      { kind: 'REASONING', offset: 0, text: `${word}reasoning!` },
    ])
    const call = {
      id: '1',
      name: `${word}call!`,
      arguments: `${word}argument!`,
      kind: 'FUNCTION',
    } as const
    await claim.requireAction({ toolCalls: [call], expiresAt: 9 })
    await ledger.takeToolOutputs(session, reply.id, {
      toolCallIds: ['1'],
      digest: `${word}output!`,
    })
    const end = completed(`${word}answer! `.repeat(length / 10 + 1))
    if (end.type !== 'completed') throw new Error('it is completed')
    const question = { text: `${word}question!`, options: [], fields: [] }
    const event = { ...end, followUps: [`${word}suggestion!`], question }
    await finish(claim, event, { at })
  }
  return id
}

describe('P12: what was deleted', () => {
  it('is in no byte of the files after an erasure: while the store runs, when it was stopped, when it was started again', async () => {
    const file = newFile()
    const store = await openFile(file)
    const leaver = await openSession(store.ledger)
    const kept = await openSession(store.ledger)
    // It runs all the time, and what it said is kept.
    const running = await runReply(store, kept)
    for (let round = 0; round < 20; round += 1) {
      const text = 'keptdelta! '
      await running.append([{ kind: 'ANSWER', offset: round * text.length, text }])
      await speak(store, leaver, 'gone')
      await speak(store, kept, 'kept')
    }
    const before = await found(file, 'gone')
    expect(before).toEqual(expect.arrayContaining(['text', 'delta', 'file', 'title']))
    const erased = await store.ledger.eraseSession(leaver, () => 'new' as SessionName, 5)
    expect(erased).toMatchObject({ erased: { conversations: 20, messages: 160 } })
    await gone(file)
    expect(await found(file, 'kept')).toEqual(expect.arrayContaining(['text', 'delta']))
    await store[Symbol.asyncDispose]()
    expect(await found(file, 'gone')).toEqual([])
    await using again = await openFile(file)
    expect(await found(file, 'gone')).toEqual([])
    const [reply] = await again.ledger.session(kept).replies([running.reply.id])
    expect(reply?.text).toBe('keptdelta! '.repeat(20))
  })

  it('leaves room that what comes next takes, so that the file does not grow with what was said ever', async () => {
    const file = newFile()
    const store = await openFile(file)
    const sizes: number[] = []
    for (let round = 0; round < 3; round += 1) {
      const session = await openSession(store.ledger)
      for (let said = 0; said < 10; said += 1) await speak(store, session, 'gone')
      await store.ledger.eraseSession(session, () => 'new' as SessionName, 5)
      await gone(file)
      sizes.push((await stat(file)).size)
    }
    const [first = 0] = sizes
    expect(first).toBeGreaterThan(500_000)
    for (const size of sizes) expect(size).toBeLessThan(first * 1.2)
    await store[Symbol.asyncDispose]()
    const db = new DatabaseSync(file)
    db.exec('VACUUM')
    db.close()
    expect((await stat(file)).size).toBeLessThan(first / 2)
    await using again = await openFile(file)
    await openSession(again.ledger)
  })

  it('is in no byte of the files after a stop that follows the deletion at once', async () => {
    const file = newFile()
    const store = await openFile(file)
    const session = await openSession(store.ledger)
    const id = await speak(store, session, 'gone')
    await store.ledger.deleteConversation(session, id, 5)
    await store[Symbol.asyncDispose]()
    // Its files were not of the conversation.
    expect(await found(file, 'gone')).toEqual(['file', 'type'])
  })

  it('is met by nobody after a kill, and goes from the files after the next start', async () => {
    const file = newFile()
    const copy = join(newFile(), 'store.db')
    let isErasing = false
    await using halves = await openStoreHalves({
      file,
      onAnswered() {
        if (isErasing) copyTo(file, copy)
        isErasing = false
      },
    })
    const { store } = halves
    const session = await openSession(store.ledger)
    const id = await speak(store, session, 'gone')
    isErasing = true
    await store.ledger.eraseSession(session, () => 'new' as SessionName, 5)
    expect(await found(copy, 'gone')).toContain('text')
    await using again = await openFile(copy)
    const own = again.ledger.session(session)
    expect(await own.conversations([id])).toEqual([undefined])
    await gone(copy)
  })

  it('goes from the files once the disk has room again, and the log says once that it waits', async () => {
    const file = newFile()
    const clock = createFakeClock()
    await using worker = await openStoreWorker(file, { clock })
    const { db } = worker.opened
    const of = { sessionId: 'leaver' as SessionId }
    await worker.call('openSession', { id: of.sessionId, name: 'name' as SessionName, at: 1 })
    const id = newConversationId()
    const begun = {
      id,
      assistantId: assistant,
      title: 'gonetitle!',
      idempotency: undefined,
      at: 1,
      max: 9,
    }
    await worker.call('startConversation', { ...of, ...begun })
    const erasing = worker.call('eraseSession', {
      ...of,
      generation: 1,
      name: 'new' as SessionName,
      at: 5,
    })
    // As soon as it is committed, nothing can be written any more.
    await erasing.then(() => db.exec('PRAGMA query_only = ON'))
    for (let round = 0; round < 3; round += 1) await clock.pass(1_000)
    expect(worker.notes.filter(({ level }) => level === 'warn')).toHaveLength(1)
    expect(await found(file, 'gone')).toContain('title')
    db.exec('PRAGMA query_only = OFF')
    await until(async () => {
      await clock.pass(1_000)
      return (await found(file, 'gone')).length === 0
    }, 'the deleted words are gone')
  })

  it('frees its idempotency keys and its replies at once', async () => {
    await using store = await openFile(newFile())
    const { ledger, log } = store
    const session = await openSession(ledger)
    const first = await acceptReply(ledger, session, { idempotency: { key: 'k', digest: 'd' } })
    const claim = await claimReply(ledger, session, first.conversationId)
    await finish(claim, completed('Hi'))
    const erasure = ledger.eraseSession(session, () => 'new' as SessionName, 5)
    // In the transaction of the erasure, and so before any of the rows behind it are gone.
    const second = acceptReply(ledger, session, { idempotency: { key: 'k', digest: 'd' } })
    const late = endByOther(store, session, first.id)
    await erasure
    expect((await second).id).not.toBe(first.id)
    expect(await late).toEqual({ type: 'lost' })
    expect(await log.start(session.id, first.id)).toBeUndefined()
    expect(await ledger.session(session).replies([first.id])).toEqual([undefined])
  })

  it('is in no byte of a file of an earlier version, which left it in free places, once that is opened', async () => {
    const file = newFile()
    const db = new DatabaseSync(file)
    db.exec(`${firstEdition.slice(0, 7).join('')}
      PRAGMA user_version = 7; PRAGMA application_id = 0x436f7a47;
      INSERT INTO meta VALUES ('session-key', 'check'), ('epoch', 4);`)
    const insert = db.prepare('INSERT INTO journal (deltas) VALUES (?)')
    const word = (length: number) => 'gonedelta! '.repeat(length)
    for (let row = 0; row < 200; row += 1) insert.run(`["${word(row * 10)}"]`)
    db.exec('DELETE FROM journal')
    db.close()
    expect(await found(file, 'gone')).toContain('delta')
    await using store = await openFile(file)
    await store.ping()
    expect(await found(file, 'gone')).toEqual([])
  })
})

describe('what has outlived its time', () => {
  it('leaves no word of the user in the files: no title, file name, key or text', async () => {
    const file = newFile()
    await using store = await openFile(file)
    const { ledger, log } = store
    const session = await openSession(ledger)
    await speak(store, session, 'gone', 10)
    // Its title is made of its first message.
    const untitled = await acceptReply(ledger, session, {
      conversationId: undefined,
      assistantId: 'assistant-2' as typeof assistant,
      text: 'gonewords!',
      at: 10,
    })
    await finish(await claimReply(ledger, session, untitled.conversationId), completed('x'))
    await speak(store, session, 'kept', 60)
    while ((await log.trim(50)) > 0);
    while ((await ledger.trimMessages(50)) > 0);
    await gone(file)
    const kept = await found(file, 'kept')
    expect(kept).toEqual(expect.arrayContaining(['title', 'file', 'text', 'key', 'answer']))
    // What the platform may still keep is told when the session is erased.
    const outcome = await ledger.eraseSession(session, () => 'new' as SessionName, 70)
    expect(outcome.type === 'erased' && outcome.erased.attachments).toBe(2)
  })

  it('keeps the title of a conversation that is in use, and a file that was sent lately', async () => {
    await using store = await openFile(newFile())
    const { ledger } = store
    const session = await openSession(ledger)
    const id = await speak(store, session, 'kept', 10)
    const own = ledger.session(session)
    const page = { direction: 'forward', limit: 1, after: undefined, before: undefined } as const
    const attachmentIds = (await own.messagePage(id, page))?.rows[0]?.attachmentIds ?? []
    expect(attachmentIds).toHaveLength(1)
    await acceptReply(ledger, session, { conversationId: id, attachmentIds, at: 60 })
    while ((await store.log.trim(50)) > 0);
    while ((await ledger.trimMessages(50)) > 0);
    expect(await own.conversations([id])).toMatchObject([{ title: 'kepttitle!' }])
    expect(await own.attachments(attachmentIds)).toMatchObject([{ name: 'keptfile!' }])
    await ledger.renameConversation(session, id, 'named', 80)
    expect(await ledger.trimMessages(70)).toBe(1)
    expect(await own.conversations([id])).toMatchObject([{ title: 'named' }])
    expect(await own.attachments(attachmentIds)).toEqual([undefined])
    expect((await accept(ledger, session, { conversationId: id, attachmentIds })).type).toBe(
      'attachment-not-found',
    )
  })

  it('takes the title that a message made with that message, and the next one makes another', async () => {
    await using store = await openFile(newFile())
    const { ledger, log } = store
    const session = await openSession(ledger)
    const say = async (text: string, at: number) => {
      const { conversationId } = await acceptReply(ledger, session, { text, at })
      await finish(await claimReply(ledger, session, conversationId), completed('x'), {
        at,
      })
      const [conversation] = await ledger.session(session).conversations([conversationId])
      return conversation?.title
    }
    const trim = async (before: number) => {
      while ((await log.trim(before)) > 0);
      while ((await ledger.trimMessages(before)) > 0);
    }
    expect(await say('first', 10)).toBe('first')
    expect(await say('second', 20)).toBe('first')
    await trim(15)
    expect(await say('third', 30)).toBe('third')
    // The second one goes, which made no title.
    await trim(25)
    expect(await say('fourth', 40)).toBe('third')
  })
})
