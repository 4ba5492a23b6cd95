import { copyFileSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AttachmentId, SessionId, SessionName } from '../../src/domain.ts'
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
  folder = await mkdtemp(join(tmpdir(), 'gateway-erasure-'))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const newFile = () => join(folder, randomId(), 'store.db')
const scope = { origin: 'https://upstream.test', account: 'account' }
/** More than go in two pieces. */
const count = 130
const of = { sessionId: 'leaver' as SessionId }
const erase = { ...of, generation: 1, name: 'new' as SessionName, at: 9 }

/** A session of many conversations, each bound upstream, and of many files. */
async function fill(worker: StoreWorker): Promise<void> {
  await worker.call('openSession', { id: of.sessionId, name: 'old' as SessionName, at: 1 })
  for (let n = 0; n < count; n += 1) {
    const request = requestOf({ newConversationId: newConversationId() })
    const begun = { id: request.newConversationId, assistantId: assistant, title: undefined }
    await worker.call('startConversation', {
      ...of,
      ...begun,
      idempotency: undefined,
      at: 1,
      max: 1_000,
    })
    const conversationId = request.newConversationId
    await worker.call('accept', { ...of, request: { ...request, conversationId } })
    const run = await worker.call('claim', { ...of, conversationId, at: 2 })
    const lease = { ...of, replyId: request.replyId, fence: run?.fence ?? '' }
    const binding = { scope, strategy: 'bot', conversationId: `up-${n}` } as const
    await worker.call('intend', { ...lease, binding, contextReset: false, at: 3 })
    await worker.call('finish', {
      ...lease,
      event: { type: 'cancelled', upstreamCancelled: false },
      text: undefined,
      answerId: newMessageId(),
      resetUpstream: false,
      upstreamMessageId: undefined,
      explanation: undefined,
      owesCancel: undefined,
      at: 4,
    })
    const file = { name: 'plan.pdf', mediaType: 'application/pdf', bytes: 1, createdAt: 5 }
    const ids = { id: randomId() as AttachmentId, assistantId: assistant, upstreamId: randomId() }
    await worker.call('addAttachment', { ...of, attachment: { ...file, ...ids, scope } })
  }
}

/** Rows of the tables that hold what a session has; those that outlive it are left out. */
function left({ opened: { db } }: StoreWorker): Readonly<Record<string, number>> {
  const tables = ['conversations', 'messages', 'replies', 'texts', 'attachments', 'erasures']
  return Object.fromEntries(
    tables.map((table) => {
      const row = db.prepare(`SELECT count(*) AS rows FROM ${table}`).get()
      return [table, Number(row?.['rows'])]
    }),
  )
}

const nothing = {
  conversations: 0,
  messages: 0,
  replies: 0,
  texts: 0,
  attachments: 0,
  erasures: 0,
}

function owed({ opened: { db } }: StoreWorker): readonly unknown[] {
  return db.prepare(`SELECT upstream FROM outbox WHERE session_name = 'old' ORDER BY id`).all()
}

async function swept(worker: StoreWorker): Promise<void> {
  await vi.waitUntil(() => JSON.stringify(left(worker)) === JSON.stringify(nothing), {
    timeout: 60_000,
  })
}

describe('sqlite: erasing a session of many conversations', () => {
  it('leaves nothing behind, and forgets nothing that is owed, after a kill between any two pieces of it', async () => {
    const file = newFile()
    await using worker = await openStoreWorker(file)
    await fill(worker)
    const copies: string[] = []
    let isErased = false
    const erasing = worker.call('eraseSession', erase).finally(() => (isErased = true))
    while (!isErased) {
      await turn()
      const copy = newFile()
      mkdirSync(dirname(copy))
      for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix)
      copies.push(copy)
    }
    const outcome = await erasing
    expect(outcome).toMatchObject({ erased: { conversations: count, attachments: count } })
    let inTheMiddle = 0
    for (const copy of copies) {
      await using later = await openStoreWorker(copy)
      if (left(later)['erasures'] === 1) inTheMiddle += 1
      const found = await later.call('openSession', {
        id: of.sessionId,
        name: 'other' as SessionName,
        at: 10,
      })
      if (found.session.name === 'old') continue
      await swept(later)
      // The variables once, and each conversation.
      expect(owed(later)).toHaveLength(count + 1)
      expect(new Set(owed(later).map((row) => JSON.stringify(row))).size).toBe(count + 1)
    }
    expect(inTheMiddle).toBeGreaterThan(1)
  })

  it('F33: is answered while the disk refuses its pieces, and is finished once it takes them', async () => {
    await using worker = await openStoreWorker(newFile())
    await fill(worker)
    // oxlint-disable-next-line typescript/unbound-method
    const run = StatementSync.prototype.run
    let commits = 0
    const spy = vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (
      this: StatementSync,
      ...values
    ) {
      if (this.sourceSQL !== 'COMMIT') return run.apply(this, values)
      commits += 1
      if (commits === 1) return run.apply(this, values)
      worker.opened.db.exec('ROLLBACK')
      // IOERR_FSYNC
      throw Object.assign(new Error('disk I/O error'), { errcode: 10 | (4 << 8) })
    })
    const outcome = await worker.call('eraseSession', erase)
    expect(outcome).toMatchObject({ type: 'erased', erased: { conversations: count } })
    const page = { direction: 'forward', limit: 9, after: undefined, before: undefined } as const
    expect((await worker.call('conversationPage', { ...of, page }))?.rows).toEqual([])
    expect(left(worker)['erasures']).toBe(1)
    spy.mockRestore()
    await swept(worker)
    expect(owed(worker)).toHaveLength(count + 1)
  })
})
