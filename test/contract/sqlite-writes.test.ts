import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StatementSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ReplyId, SessionId, SessionName } from '../../src/domain.ts'
import type { TextWrite } from '../../src/store/main-half/stored.ts'
import { StoreError } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { openStoreWorker, type StoreWorker } from '../kit/fakes/store-worker.ts'
import {
  assistant,
  newConversationId,
  newMessageId,
  requestOf,
} from '../kit/fakes/stored-replies.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-writes-'))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const newFile = () => join(folder, randomId(), 'store.db')
const scope = { origin: 'https://upstream.test', account: 'account' }
const beginning = { seq: 0, check: '' }

async function openSession(worker: StoreWorker): Promise<{ readonly sessionId: SessionId }> {
  const id = randomId() as SessionId
  await worker.call('openSession', { id, name: `${id}-name` as SessionName, at: 1 })
  return { sessionId: id }
}

/** A reply that runs, in a conversation that is bound. */
async function runReply(worker: StoreWorker, of: { readonly sessionId: SessionId }) {
  const conversationId = newConversationId()
  const begun = {
    id: conversationId,
    assistantId: assistant,
    title: undefined,
    idempotency: undefined,
    at: 1,
    max: 99,
  }
  await worker.call('startConversation', { ...of, ...begun })
  const request = requestOf({ conversationId })
  await worker.call('accept', { ...of, request })
  const run = await worker.call('claim', { ...of, conversationId, at: 2 })
  if (run === undefined) throw new Error('expected a claim')
  const { replyId } = request
  const binding = { scope, strategy: 'bot', conversationId: randomId() } as const
  const lease = { ...of, replyId, fence: run.fence }
  await worker.call('intend', { ...lease, binding, contextReset: false, at: 3 })
  const textOf = (offset: number, text: string): TextWrite => ({
    ...of,
    replyId,
    fence: run.fence,
    answer: { offset, text },
    reasoning: undefined,
    revisions: undefined,
    chatId: undefined,
  })
  return { ...lease, conversationId, binding, textOf }
}

const endOf = (run: { readonly sessionId: SessionId; readonly replyId: ReplyId }) => ({
  sessionId: run.sessionId,
  replyId: run.replyId,
  event: { type: 'cancelled', upstreamCancelled: false } as const,
  answerId: newMessageId(),
  resetUpstream: false,
  upstreamMessageId: undefined,
  explanation: undefined,
  owesCancel: undefined,
  at: 9,
})

/** As a disk that fails in the sync of a COMMIT: SQLite takes the transaction back, and says so. */
function failCommits(worker: StoreWorker): Disposable {
  // oxlint-disable-next-line typescript/unbound-method
  const run = StatementSync.prototype.run
  const spy = vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (
    this: StatementSync,
    ...values
  ) {
    if (this.sourceSQL !== 'COMMIT') return run.apply(this, values)
    worker.opened.db.exec('ROLLBACK')
    // IOERR_FSYNC
    throw Object.assign(new Error('disk I/O error'), { errcode: 10 | (4 << 8) })
  })
  return { [Symbol.dispose]: () => spy.mockRestore() }
}

const settled = async (calls: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(calls)).map((each) =>
    each.status === 'fulfilled' ? each.value : each.reason,
  )

describe('sqlite: writing', () => {
  it('P11 F33: leaves nothing behind of calls whose commit failed, and rejects all of them', async () => {
    await using worker = await openStoreWorker(newFile())
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    const queued = requestOf({ conversationId: run.conversationId })
    await worker.call('accept', { ...of, request: queued })
    const before = worker.events.length
    const end = await worker.call('logEnd', of)
    const lost = requestOf({
      conversationId: run.conversationId,
      onBusy: 'INTERRUPT',
      idempotency: { key: 'key', digest: 'digest' },
    })
    {
      using _ = failCommits(worker)
      const outcomes = await settled([
        worker.call('accept', { ...of, request: lost }),
        worker.call('writeTexts', { texts: [run.textOf(0, 'lost')] }),
        worker.call('requireAction', {
          ...of,
          text: run.textOf(0, 'x'),
          toolCalls: [],
          expiresAt: 1,
        }),
        worker.call('finish', { ...endOf(run), text: run.textOf(0, 'lost') }),
        worker.call('deleteConversation', { ...of, id: lost.newConversationId, at: 5 }),
        worker.call('ping', { at: 9 }),
      ])
      const rejected = outcomes.filter((each) => each instanceof StoreError)
      // Of a conversation that is not there nothing would have been written.
      expect(rejected).toHaveLength(5)
      expect(outcomes[4]).toEqual({ type: 'not-found' })
      expect(rejected).toMatchObject(rejected.map(() => ({ kind: 'unavailable' })))
    }
    expect(worker.events).toHaveLength(before)
    expect(await worker.call('logEnd', of)).toEqual(end)
    const ids = [run.replyId, queued.replyId, lost.replyId]
    expect(await worker.call('replies', { ...of, ids })).toMatchObject([
      { status: 'RUNNING', text: '' },
      { status: 'QUEUED', queuePosition: 0, endedAt: null },
      undefined,
    ])
    // It is as if the message had never come: the same one can be sent again.
    expect(await worker.call('accept', { ...of, request: lost })).toMatchObject({
      type: 'accepted',
      interrupts: run.replyId,
      overtaken: [{ id: queued.replyId }],
    })
    expect(
      await worker.call('finish', { ...endOf(run), text: run.textOf(0, 'kept') }),
    ).toMatchObject({ type: 'finished' })
  })

  it('F33: answers reads, and what turns out to write nothing, while nothing can be written', async () => {
    await using worker = await openStoreWorker(newFile())
    const of = await openSession(worker)
    const request = requestOf({ idempotency: { key: 'key', digest: 'digest' } })
    await worker.call('accept', { ...of, request })
    using _ = failCommits(worker)
    const [ping, replies, again, session, end] = await settled([
      worker.call('ping', { at: 9 }),
      worker.call('replies', { ...of, ids: [request.replyId] }),
      worker.call('accept', { ...of, request }),
      worker.call('openSession', { id: of.sessionId, name: 'new' as SessionName, at: 9 }),
      worker.call('logEnd', of),
    ])
    expect(ping).toBeInstanceOf(StoreError)
    expect(replies).toMatchObject([{ id: request.replyId }])
    expect(again).toMatchObject({ type: 'repeated' })
    expect(session).toMatchObject({ isNew: false })
    expect(end).toEqual(beginning)
  })

  it('F33: takes a transaction whose sync failed out of the write-ahead log before it adds another', async () => {
    const file = newFile()
    await using worker = await openStoreWorker(file)
    const of = await openSession(worker)
    for (let n = 0; n < 8; n += 1) await worker.call('accept', { ...of, request: requestOf() })
    const sizeOf = async () => (await stat(`${file}-wal`)).size
    const before = await sizeOf()
    {
      using _ = failCommits(worker)
      await expect(worker.call('ping', { at: 1 })).rejects.toBeInstanceOf(StoreError)
    }
    await worker.call('ping', { at: 2 })
    expect(await sizeOf()).toBeLessThan(before)
    const told = worker.notes.map(({ level, message }) => `${level} ${message}`)
    expect(told).toEqual(['error store commit failed', 'info store writes again'])
  })

  it('F33: rejects every write while the disk is full, loses nothing else, and recovers', async () => {
    await using worker = await openStoreWorker(newFile())
    const { db } = worker.opened
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    await worker.call('writeTexts', { texts: [run.textOf(0, 'before ')] })
    const pages = db.prepare('PRAGMA page_count').get()?.['page_count']
    db.exec(`PRAGMA max_page_count = ${String(pages)}`)
    const big = 'x'.repeat(100_000)
    for (const call of [
      () => worker.call('accept', { ...of, request: requestOf({ text: big }) }),
      () => worker.call('writeTexts', { texts: [run.textOf(7, big)] }),
      () => worker.call('finish', { ...endOf(run), text: run.textOf(7, big) }),
    ]) {
      await expect(call()).rejects.toMatchObject({ kind: 'full' })
    }
    db.exec('PRAGMA max_page_count = 1000000')
    await worker.call('finish', { ...endOf(run), text: run.textOf(7, 'after') })
    const [reply] = await worker.call('replies', { ...of, ids: [run.replyId] })
    expect(reply).toMatchObject({ status: 'CANCELLED', text: 'before after' })
  })

  it('does the other calls of a transaction when one of them is a bug', async () => {
    await using worker = await openStoreWorker(newFile())
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    const [first, second] = [requestOf(), requestOf()]
    const outcomes = await settled([
      worker.call('accept', { ...of, request: first }),
      worker.call('writeTexts', { texts: [run.textOf(0, 'kept'), run.textOf(99, 'too far')] }),
      worker.call('accept', { ...of, request: { ...second, replyId: first.replyId } }),
      worker.call('accept', { ...of, request: second }),
    ])
    expect(outcomes[0]).toMatchObject({ type: 'accepted' })
    expect(String(outcomes[1])).toContain('beyond the end')
    expect(String(outcomes[2])).toContain('UNIQUE')
    expect(outcomes[3]).toMatchObject({ type: 'accepted' })
    // Of the one that failed nothing remains, not even what it had done before.
    const [reply] = await worker.call('replies', { ...of, ids: [run.replyId] })
    expect(reply?.text).toBe('')
  })

  it('P4 F17: is refused a second running reply of a conversation by the table itself', async () => {
    await using worker = await openStoreWorker()
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    const waits = requestOf({ conversationId: run.conversationId })
    await worker.call('accept', { ...of, request: waits })
    for (const status of ['RUNNING', 'ACTION_REQUIRED']) {
      const steal = worker.opened.db.prepare('UPDATE replies SET status = ? WHERE key = ?')
      expect(() => steal.run(status, waits.replyId)).toThrow('UNIQUE constraint failed')
    }
    // The same for one that waits for tool outputs.
    await worker.call('requireAction', {
      ...of,
      text: run.textOf(0, 'x'),
      toolCalls: [],
      expiresAt: 9,
    })
    const steal = worker.opened.db.prepare(`UPDATE replies SET status = 'RUNNING' WHERE key = ?`)
    expect(() => steal.run(waits.replyId)).toThrow('UNIQUE constraint failed')
  })

  it('writes what is owed in the transaction of what it is owed for, and with it not at all', async () => {
    await using worker = await openStoreWorker(newFile())
    const of = await openSession(worker)
    const [ended, running] = [await runReply(worker, of), await runReply(worker, of)]
    await worker.call('finish', { ...endOf(ended), text: undefined })
    const owesCancel = { upstream: running.binding, chatId: 'chat' }
    {
      using _ = failCommits(worker)
      const outcomes = await settled([
        worker.call('deleteConversation', { ...of, id: ended.conversationId, at: 5 }),
        worker.call('finish', { ...endOf(running), text: undefined, owesCancel }),
      ])
      expect(outcomes.every((each) => each instanceof StoreError)).toBe(true)
    }
    expect(await worker.call('nextOwed', {})).toBeUndefined()
    const deleted = await worker.call('deleteConversation', {
      ...of,
      id: ended.conversationId,
      at: 5,
    })
    const finished = worker.call('finish', { ...endOf(running), text: undefined, owesCancel })
    await finished
    expect(deleted).toMatchObject({ type: 'deleted', owed: [{ type: 'delete-conversation' }] })
    const owed = await worker.call('takeOwed', { now: 99, leaseMs: 1, limit: 9 })
    expect(owed.map(({ type }) => type)).toEqual(['delete-conversation', 'cancel-chat'])
    // A savepoint that is taken back takes what was owed in it along.
    const again = { ...endOf(await runReply(worker, of)), text: undefined, owesCancel }
    const clash = {
      ...again,
      event: completedEvent,
      answerId: (await clashingId(worker, of)).answerId,
    }
    await expect(worker.call('finish', clash)).rejects.toThrow('UNIQUE')
    expect(await worker.call('takeOwed', { now: 99, leaseMs: 1, limit: 9 })).toEqual([])
  })

  it('P10: has on disk what it has answered, and shows no event before', async () => {
    const file = newFile()
    await using worker = await openStoreWorker(file)
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    await worker.call('finish', { ...endOf(run), text: run.textOf(0, 'said') })
    expect(worker.events.map(({ event }) => event.type)).toEqual(['started', 'cancelled'])
    const copy = join(folder, randomId())
    await writeFile(copy, await readFile(file))
    await writeFile(`${copy}-wal`, await readFile(`${file}-wal`))
    await using other = await openStoreWorker(copy)
    const page = await other.call('readLog', {
      ...of,
      after: beginning,
      isKnown: false,
      filter: {},
      limit: 9,
    })
    expect(page).toMatchObject({ events: worker.events.map(({ event }) => event) })
  })

  it('goes on where very many sessions and replies were before', async () => {
    await using worker = await openStoreWorker()
    await openSession(worker)
    const { db } = worker.opened
    db.exec(`INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('messages', ${2 ** 32 - 9});
      UPDATE sqlite_sequence SET seq = ${2 ** 26 - 3} WHERE name = 'sessions'`)
    const of = await openSession(worker)
    const run = await runReply(worker, of)
    await worker.call('finish', { ...endOf(run), text: run.textOf(0, 'said') })
    const [reply] = await worker.call('replies', { ...of, ids: [run.replyId] })
    expect(reply).toMatchObject({ status: 'CANCELLED', text: 'said' })
    const page = { after: beginning, isKnown: false, filter: {}, limit: 9 }
    const read = await worker.call('readLog', { ...of, ...page })
    expect(read).toMatchObject({ events: [{ type: 'started' }, { type: 'cancelled' }] })
    expect(await worker.call('trimLog', { endedBefore: 99 })).toMatchObject({ count: 1 })
    expect(await worker.call('checkFile', {})).toBe('ok')
  })

  it('keeps the write-ahead log short, however much is written', async () => {
    const file = newFile()
    await using worker = await openStoreWorker(file)
    const of = await openSession(worker)
    const request = () => requestOf({ text: 'x'.repeat(100_000), maxQueued: 999, maxOpen: 999 })
    for (let n = 0; n < 100; n += 1) await worker.call('accept', { ...of, request: request() })
    expect((await stat(file)).size).toBeGreaterThan(5_000_000)
    expect((await stat(`${file}-wal`)).size).toBeLessThan(6_000_000)
  })
})

const completedEvent = {
  type: 'completed',
  usage: null,
  followUps: [],
  question: null,
  omitted: [],
  contextReset: false,
} as const

/** The id of an answer that is there already. */
async function clashingId(worker: StoreWorker, of: { readonly sessionId: SessionId }) {
  const run = await runReply(worker, of)
  const end = { ...endOf(run), event: completedEvent, text: undefined }
  await worker.call('finish', end)
  return end
}
