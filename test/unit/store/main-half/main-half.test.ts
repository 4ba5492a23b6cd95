import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import type { Delta, Reply } from '../../../../src/domain.ts'
import { openSqliteStore } from '../../../../src/store/sqlite/store.ts'
import { StoreError } from '../../../../src/store/store.ts'
import { createFakeClock } from '../../../kit/fakes/clock.ts'
import { silentLogger } from '../../../kit/fakes/logger.ts'
import { openStoreHalves, type StoreHalves } from '../../../kit/fakes/store-halves.ts'
import {
  acceptReply,
  answerOf,
  beginning,
  completed,
  endByOther,
  finish,
  openSession,
  readAll,
  readItems,
  runReply,
} from '../../../kit/fakes/stored-replies.ts'
import { uncounted } from '../../../kit/fakes/metrics.ts'

const answer = (offset: number, text: string): Delta => ({ kind: 'ANSWER', offset, text })
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** Posted since a point, without what reading posts. */
function writesSince({ posted }: StoreHalves, from: number) {
  return posted
    .slice(from)
    .flat()
    .filter(({ method }) => /write|finish|require|ping/.test(method))
}

async function openRunning(clock = createFakeClock()) {
  const halves = await openStoreHalves({ clock })
  const session = await openSession(halves.store.ledger)
  const lease = await runReply(halves.store, session)
  return { halves, clock, session, lease, store: halves.store, log: halves.store.log }
}

describe('a store whose worker is busy with a long statement', () => {
  it('goes on showing deltas, and writes them when it is free', async () => {
    const { halves, clock, session, lease, store, log } = await openRunning()
    await using _ = halves
    let position = await log.end(session.id)
    const held = halves.hold()
    let isWritten = false
    const ping = store.ping().then(() => (isWritten = true))
    let shown = ''
    for (let count = 0; count < 100; count += 1) {
      void lease.append([answer(shown.length, `word${count} `)])
      const items = log.read(session.id, position, {}, 1_000)
      if (items instanceof Promise || items === 'expired') throw new Error('expected items at once')
      for (const { event } of items) if (event.type === 'delta') shown += event.text
      position = items.at(-1)?.position ?? position
      clock.advance(50)
      await nextTurn()
    }
    expect([shown, isWritten]).toEqual([lease.answer, false])
    held[Symbol.dispose]()
    await ping
    await finish(lease, completed(shown))
    const [reply] = await store.ledger.session(session).replies([lease.reply.id])
    expect(reply?.text).toBe(shown)
  })
})

describe('the message of a reply that runs', () => {
  it('is told at once to whoever sends it, however busy the worker is', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    using _held = halves.hold()
    const { messageId } = lease.reply
    expect(await store.ledger.session(session).messages([messageId])).toEqual([lease.message])
  })
})

describe('what running replies say', () => {
  it('is written for all of them together, a quarter of a second after the first of it', async () => {
    const { halves, clock, session, lease, store } = await openRunning()
    await using _ = halves
    const other = await runReply(store, session)
    const from = halves.posted.length
    for (const each of [lease, other]) void each.append([answer(0, 'Hello')])
    lease.recordChat('chat')
    clock.advance(200)
    void lease.append([answer(5, ' you')])
    await nextTurn()
    expect(writesSince(halves, from)).toEqual([])
    clock.advance(50)
    await store.ping()
    const [write, ...more] = writesSince(halves, from)
    expect(write).toMatchObject({
      method: 'writeTexts',
      args: {
        texts: [
          { replyId: lease.reply.id, answer: { offset: 0, text: 'Hello you' }, chatId: 'chat' },
          { replyId: other.reply.id, answer: { offset: 0, text: 'Hello' }, chatId: undefined },
        ],
      },
    })
    expect(more.map(({ method }) => method)).toEqual(['ping'])
  })

  it('F34: is written though what is stored of another reply is damaged', async () => {
    const { halves, clock, session, lease, store } = await openRunning()
    await using _ = halves
    const other = await runReply(store, session)
    const grow = async () => {
      for (const each of [lease, other]) void each.append([answer(each.answer.length, 'word ')])
      clock.advance(250)
      await store.ping()
      await store.ping()
      await nextTurn()
    }
    await grow()
    const row = '(SELECT id FROM replies WHERE key = ?)'
    const inText = `FROM texts WHERE id >> 21 = ${row} AND (id >> 19) & 3 = 0`
    halves.db
      .prepare(`UPDATE texts SET digest = digest + 1 WHERE id IN (SELECT id ${inText})`)
      .run(lease.reply.id)
    await grow()
    await grow()
    const stored = halves.db.prepare(`SELECT text ${inText}`).all(other.reply.id)
    expect(stored).toEqual([{ text: 'word word word ' }])
    await finish(other, completed(other.answer))
  })

  it('goes with its end, or with a required action, and is not written apart from them', async () => {
    const { halves, clock, lease, store } = await openRunning()
    await using _ = halves
    const from = halves.posted.length
    void lease.append([answer(0, 'Hello')])
    lease.recordChat('chat')
    expect(await lease.requireAction({ toolCalls: [], expiresAt: 1 })).toBe(true)
    clock.advance(1_000)
    await store.ping()
    void lease.append([answer(5, ' you')])
    await finish(lease, completed('Hello you'))
    clock.advance(1_000)
    await store.ping()
    expect(writesSince(halves, from)).toMatchObject([
      {
        method: 'requireAction',
        args: { text: { answer: { offset: 0, text: 'Hello' }, chatId: 'chat' } },
      },
      { method: 'ping' },
      {
        method: 'finish',
        args: { text: { answer: { offset: 5, text: ' you' }, chatId: undefined } },
      },
      { method: 'ping' },
    ])
  })

  it('makes its run wait while more than a megabyte of it is not on disk', async () => {
    const { halves, lease } = await openRunning()
    await using _ = halves
    const held = halves.hold()
    const half = 'x'.repeat(600_000)
    expect(lease.append([answer(0, half)])).toBeUndefined()
    const waiting = lease.append([answer(half.length, half)])
    let isThrough = false
    void waiting?.then(() => (isThrough = true))
    for (let turn = 0; turn < 5; turn += 1) await nextTurn()
    expect([waiting === undefined, isThrough]).toEqual([false, false])
    held[Symbol.dispose]()
    await waiting
    expect(lease.append([answer(2 * half.length, 'x')])).toBeUndefined()
  })

  it('F33: is kept when it cannot be written, tells its run and whoever waits for its end, and is written later', async () => {
    const { halves, clock, session, lease, store, log } = await openRunning()
    await using _ = halves
    const { db } = halves
    void lease.append([answer(0, 'before ')])
    let wakes = 0
    using _listener = log.listen(session.id, () => (wakes += 1))
    const pages = db.prepare('PRAGMA page_count').get()?.['page_count']
    db.exec(`PRAGMA max_page_count = ${String(pages)}`)
    const long = 'x'.repeat(200_000)
    void lease.append([answer(7, long)])
    const shown = await readAll(log, session)
    expect(answerOf(shown, lease)).toBe(`before ${long}`)
    const end = await log.end(session.id)
    const wakesBefore = wakes
    clock.advance(250)
    while (wakes === wakesBefore) await nextTurn()
    expect(() => log.read(session.id, end, {}, 100)).toThrow(StoreError)
    const waiting = lease.append([answer(7 + long.length, 'after')])
    clock.advance(250)
    await expect(waiting).rejects.toMatchObject({ kind: 'full' })
    await expect(finish(lease, completed(lease.answer))).rejects.toMatchObject({ kind: 'full' })

    db.exec('PRAGMA max_page_count = 1000000')
    clock.advance(250)
    await store.ping()
    expect(lease.append([answer(lease.answer.length, '!')])).toBeUndefined()
    await finish(lease, completed(lease.answer))
    const [reply] = await store.ledger.session(session).replies([lease.reply.id])
    expect(reply).toMatchObject({ status: 'COMPLETED', text: `before ${long}after!` })
  })

  it('is as its lease holds it where the reply is read, though the disk is behind', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    void lease.append([answer(0, 'Hello'), { kind: 'REASONING', offset: 0, text: 'hm' }])
    const own = store.ledger.session(session)
    const found = await own.replies([lease.reply.id])
    expect(found).toMatchObject([{ text: 'Hello', reasoning: 'hm' }])
  })

  it('F30: is on its way to the disk once, however often it is asked for while the disk hangs', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    const own = store.ledger.session(session)
    const held = halves.hold()
    const from = halves.posted.length
    const asked: Promise<readonly (Reply | undefined)[]>[] = []
    for (const word of ['Hello', ' you']) {
      void lease.append([answer(lease.answer.length, word)])
      for (let count = 0; count < 3; count += 1) asked.push(own.replies([lease.reply.id]))
    }
    await nextTurn()
    const texts = writesSince(halves, from).map(({ args }) => args)
    expect(texts).toMatchObject([
      { texts: [{ answer: { offset: 0, text: 'Hello' } }] },
      { texts: [{ answer: { offset: 0, text: 'Hello you' } }] },
    ])
    held[Symbol.dispose]()
    const found = await Promise.all(asked)
    expect(found.map(([reply]) => reply?.text)).toEqual([
      ...Array.from({ length: 3 }, () => 'Hello'),
      ...Array.from({ length: 3 }, () => 'Hello you'),
    ])
  })

  it('is kept when another ends the reply, as far as it was shown', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    void lease.append([answer(0, 'Hello')])
    const outcome = await endByOther(store, session, lease.reply.id)
    expect(outcome).toMatchObject({ type: 'finished', reply: { text: 'Hello' } })
    expect(answerOf(await readAll(store.log, session), lease)).toBe('Hello')
  })

  it('is on disk when the store was closed in good order', async () => {
    const { halves, lease, store } = await openRunning()
    void lease.append([answer(0, 'Hello')])
    await store[Symbol.asyncDispose]()
    expect(halves.posted.flat().slice(-2)).toMatchObject([
      { method: 'writeTexts', args: { texts: [{ answer: { offset: 0, text: 'Hello' } }] } },
      { method: 'close' },
    ])
  })
})

describe('what needs no call', () => {
  it('is a session that was opened before, until it is erased', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    const { ledger } = store
    const open = () => ledger.openSession(session.id, () => session.name, 1)
    const from = halves.posted.length
    expect(await open()).toEqual({ session, isNew: false })
    expect(halves.posted.length).toBe(from)
    await finish(lease, completed(''))
    await ledger.eraseSession(
      session,
      (generation) => `other-${generation}` as typeof session.name,
      2,
    )
    expect((await open()).session.name).toBe('other-1')
  })

  it('is where a reply starts, for whoever comes while it runs, and all that it has said', async () => {
    const { halves, session, lease, store } = await openRunning()
    await using _ = halves
    void lease.append([answer(0, 'Hello')])
    const from = halves.posted.length
    const start = await store.log.start(session.id, lease.reply.id)
    expect(start).toEqual(beginning)
    expect(await store.log.end(session.id)).toMatchObject({ seq: 1 })
    expect((await readAll(store.log, session)).map(({ type }) => type)).toEqual([
      'started',
      'delta',
    ])
    expect(halves.posted.length).toBe(from)
  })
})

describe('what is not in memory any more', () => {
  it('is read over more events of others than are looked at in one call', async () => {
    const limits = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }
    await using halves = await openStoreHalves({ limits })
    const { store } = halves
    const session = await openSession(store.ledger)
    const lease = await runReply(store, session)
    const { conversationId } = lease.reply
    const [started] = await readItems(store.log, session)
    const busy = await runReply(store, session)
    const others = await Promise.all(
      Array.from({ length: 600 }, () =>
        acceptReply(store.ledger, session, {
          conversationId: busy.reply.conversationId,
          maxQueued: 1_000,
          maxOpen: 1_000,
        }),
      ),
    )
    await Promise.all(others.map(({ id }) => endByOther(store, session, id)))
    void lease.append([answer(0, 'Hello')])
    await finish(lease, completed('Hello'))
    const { position } = started ?? { position: beginning }
    const events = await readAll(store.log, session, position, { conversationId })
    expect(events.map(({ type }) => type)).toEqual(['delta', 'completed'])
  })
})

describe('a worker that dies', () => {
  it('F25: fails what waits for it and all that comes, and is told once', async () => {
    const workers: Worker[] = []
    const onWorker = (worker: Worker) => void workers.push(worker)
    process.on('worker', onWorker)
    using stack = new DisposableStack()
    stack.defer(() => process.off('worker', onWorker))
    const died = Promise.withResolvers<Error>()
    await using store = await openSqliteStore({
      file: ':memory:',
      clock: createFakeClock(),
      logger: silentLogger,
      metrics: uncounted,
      sessionKeyCheck: 'check',
      onDied: died.resolve,
    })
    const lease = await runReply(store, await openSession(store.ledger))
    for (const worker of workers) void worker.terminate()
    expect(await died.promise).toBeInstanceOf(Error)
    await expect(store.ping()).rejects.toBeInstanceOf(StoreError)
    await expect(finish(lease, completed(''))).rejects.toBeInstanceOf(StoreError)
  })
})
