import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConversationId, MessageId, Position, Session, SessionName } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createRandomIds } from '../../src/lib/id.ts'
import { importIntoPostgres } from '../../src/store/postgres/import.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { exportSqlite } from '../../src/store/sqlite/worker/export.ts'
import type { Store } from '../../src/store/store.ts'
import type { Totals, TransferLine } from '../../src/store/transfer.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import {
  accept,
  acceptReply,
  claimReply,
  completed,
  finish,
  newConversationId,
  openSession,
  readAll,
  readItems,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'
import { ask } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'

const common = {
  clock: systemClock,
  logger: silentLogger,
  metrics: uncounted,
  sessionKeyCheck: 'check',
}
const newId = createRandomIds()
/** Texts that an engine may store in another way than the next one. */
const texts = [
  'plain',
  'a\u0000b\u0001c\u00011',
  '',
  '漢字 \u{1f600} e\u0301 \u2028 "quoted" \\ \n\t',
  `${'long \u{1f600} '.repeat(20_000)}end`,
]

let server: PostgresServer
let folder: string
let files = 0
beforeAll(async () => {
  server = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'transfer-'))
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

interface Filled {
  readonly file: string
  readonly sessions: readonly Session[]
  readonly conversations: readonly ConversationId[]
  /** Of the first session: in the middle of its log, and in the middle of a text. */
  readonly positions: readonly Position[]
  readonly idempotency: { readonly key: string; readonly digest: string }
}

/** A file with what a store can have: texts, cursors, keys, bindings, owed work, what was deleted, what still runs and waits. */
async function fill(): Promise<Filled> {
  files += 1
  const file = join(folder, `${files}.db`)
  await using store = await openSqliteStore({ ...common, file })
  const { ledger, log } = store
  const [first, second, erased] = [
    await openSession(ledger),
    await openSession(ledger),
    await openSession(ledger),
  ]
  const idempotency = { key: 'key \u0000', digest: 'digest' }
  const scope = { origin: 'https://platform.test', account: 'account' }
  const conversations: ConversationId[] = []
  for (const [index, text] of texts.entries()) {
    const conversationId = newConversationId()
    conversations.push(conversationId)
    await startConversation(ledger, first, {
      id: conversationId,
      title: index === 1 ? text : undefined,
    })
    await acceptReply(ledger, first, {
      conversationId,
      text,
      imageUrls: index % 2 === 0 ? ['https://images.test/1.png'] : [],
      extras: { parameters: { text }, metadata: {} },
      ...(index === 0 && { idempotency }),
    })
    const lease = await claimReply(ledger, first, conversationId)
    const binding = { scope, strategy: 'bot', conversationId: `upstream-${index}` } as const
    await lease.intend({ binding, contextReset: false, at: 3 })
    await lease.append([
      { kind: 'ANSWER', offset: 0, text },
      { kind: 'REASONING', offset: 0, text },
    ])
    await finish(lease, completed(text), { upstreamMessageId: 'message' })
  }
  // What is deleted leaves a tombstone and owes its deletion; what is erased gets another name.
  await ledger.deleteConversation(first, conversations[3] ?? newConversationId(), 20)
  await finish(await runReply(store, erased), completed('gone'))
  await ledger.eraseSession(erased, () => 'renamed' as SessionName, 21)
  const items = await readItems(log, first)
  const running = await runReply(store, second)
  await running.append([{ kind: 'ANSWER', offset: 0, text: 'half' }])
  await acceptReply(ledger, second, { conversationId: running.reply.conversationId, text: 'waits' })
  await store.ping()
  return {
    file,
    sessions: [first, second, erased],
    conversations,
    positions: items.map(({ position }) => position),
    idempotency,
  }
}

const exported = (file: string, sessionKeyCheck = 'check') =>
  exportSqlite({ file, sessionKeyCheck, busyTimeoutMs: 100 }, newId)

async function linesOf(file: string): Promise<readonly TransferLine[]> {
  return await Array.fromAsync(exported(file))
}

async function* each(lines: readonly TransferLine[]) {
  yield* lines
}

const into = (url: string, lines: AsyncIterable<TransferLine>, sessionKeyCheck = 'check') =>
  importIntoPostgres(
    {
      url,
      password: undefined,
      maxConnections: 2,
      sessionKeyCheck,
      clock: systemClock,
      deadAfterMs: 1_000,
    },
    lines,
  )

/** All that a session can read of a store. */
async function readings(store: Store, { sessions, positions }: Filled) {
  const all = []
  for (const session of sessions) {
    const of = store.ledger.session(session)
    const page = { direction: 'forward', limit: 100, after: undefined, before: undefined } as const
    const conversations = await of.conversationPage(page)
    const messages = []
    const upstream = []
    for (const { id } of conversations?.rows ?? []) {
      let after: MessageId | undefined
      for (let hasMore = true; hasMore;) {
        const found = await of.messagePage(id, { ...page, after })
        messages.push(...(found?.rows ?? []))
        after = found?.rows.at(-1)?.id
        hasMore = found?.hasNextPage ?? false
      }
      upstream.push(await of.upstreamConversations(id))
    }
    const ids = messages.flatMap(({ replyId }) => (replyId === null ? [] : [replyId]))
    all.push({
      conversations,
      messages,
      upstream,
      replies: await of.replies(ids),
      events: await readAll(store.log, session),
      // Whoever takes over what ran names a revision of its own.
      end: { ...(await store.log.end(session.id)), texts: undefined },
    })
  }
  const [first] = sessions
  const resumed = await Promise.all(
    positions.map(async (position) => first && (await readAll(store.log, first, position))),
  )
  return { all, resumed, isolation: await store.isolation.list() }
}

describe('a SQLite store that is carried to PostgreSQL', () => {
  it('is read as before, from every position that was given out', async () => {
    const filled = await fill()
    const url = await server.newDatabase()
    const lines = await linesOf(filled.file)
    const last = lines.at(-1)
    const totals = await into(url, each(lines))
    expect(last).toEqual({ type: 'end', totals })
    await using before = await openSqliteStore({ ...common, file: filled.file })
    await using after = await openPostgresStore({ ...common, url })
    expect(await readings(after, filled)).toEqual(await readings(before, filled))
  })

  it('goes on: keys are known, what ran is taken over, what waits runs, and what is owed is still owed', async () => {
    const filled = await fill()
    const url = await server.newDatabase()
    await into(url, exported(filled.file))
    await using store = await openPostgresStore({ ...common, url })
    const [first, second] = filled.sessions
    if (first === undefined || second === undefined) throw new TypeError('two sessions are there')
    const [conversationId] = filled.conversations
    const { idempotency } = filled
    expect(await accept(store.ledger, first, { idempotency, text: 'again' })).toMatchObject({
      type: 'repeated',
    })
    const orphans = await store.ledger.orphans()
    expect(orphans).toHaveLength(1)
    const [orphan] = orphans
    if (orphan !== undefined) await finish(orphan.lease, completed('half and more'))
    const waiting = await store.ledger.waiting()
    expect(waiting).toHaveLength(1)
    const owed = await store.outbox.take({ now: Date.now(), leaseMs: 1_000, limit: 100 })
    expect(owed.map(({ type }) => type)).toContain('delete-conversation')
    // New numbers meet no old ones.
    const reply = await acceptReply(store.ledger, first, { conversationId, text: 'next' })
    const lease = await claimReply(store.ledger, first, reply.conversationId)
    await lease.intend({ binding: undefined, contextReset: false, at: 30 })
    await finish(lease, completed('the next answer'))
    await openSession(store.ledger)
    const events = await readAll(store.log, first, filled.positions.at(-1))
    expect(events.map(({ type }) => type)).toEqual(['started', 'delta', 'completed'])
  })

  it('is refused by a database that has something, by a gateway that runs, and under another key', async () => {
    const { file } = await fill()
    const url = await server.newDatabase()
    {
      const heartbeat = { everyMs: 50, deadAfterMs: 60_000 }
      await using _running = await openPostgresStore({ ...common, url, heartbeat })
      await expect(into(url, exported(file))).rejects.toThrow('a gateway has the database: stop it')
    }
    await expect(into(url, exported(file), 'another')).rejects.toThrow('another session key')
    await into(url, exported(file))
    await expect(into(url, exported(file))).rejects.toThrow(
      'the database has sessions already: choose an empty one',
    )
    await using _busy = await openSqliteStore({ ...common, file })
    await expect(linesOf(file)).rejects.toThrow('in use by another gateway')
  })

  it('is taken by a database whose gateway was killed', async () => {
    const { file } = await fill()
    const url = await server.newDatabase()
    {
      await using _made = await openPostgresStore({ ...common, url })
    }
    await ask(url, `INSERT INTO instance (name, beat) VALUES ('killed', 7)`)
    expect((await into(url, exported(file))).sessions.rows).toBe(3)
  })

  it('is there as a whole or not at all', async () => {
    const { file } = await fill()
    const url = await server.newDatabase()
    const lines = await linesOf(file)
    await expect(into(url, each(lines.slice(0, -1)))).rejects.toThrow('the file ends too early')
    const lost = lines.filter((line) => line.type !== 'rows' || line.table !== 'bindings')
    await expect(into(url, each(lost))).rejects.toThrow(
      /nothing was imported: the rows of bindings .* \d+ rows .* and 0 with/,
    )
    const changed = lines.map((line) =>
      line.type === 'rows' && line.table === 'texts'
        ? {
            ...line,
            rows: line.rows.map((row) => row.map((one) => (one === 'plain' ? 'plaim' : one))),
          }
        : line,
    )
    await expect(into(url, each(changed))).rejects.toThrow(
      'nothing was imported: the rows of texts are not those that were exported',
    )
    const totals: Totals = await into(url, each(lines))
    expect(totals.sessions.rows).toBe(3)
    expect(totals.conversations).toMatchObject({ rows: texts.length })
  })
})
