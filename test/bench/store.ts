/**
 * `npm run bench:store`: what a big store costs those who talk, at start and while much of it is erased, trimmed and checked.
 *
 *     honest session: accept + begin ──► finish, one after the other         this process
 *     upkeep: full check │ erase │ trim the log │ trim messages              the store's thread
 *
 * Told for each phase: how long opening, or the work, took; the longest turn of the event loop meanwhile, as time that passed
 * and as time of the processor; and how long an acceptance took, which stands before the first delta of a message.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { AssistantId, MessageId, SessionId, SessionName } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { eventId } from '../../src/store/sqlite/worker/events.ts'
import { createTexts } from '../../src/store/sqlite/worker/texts.ts'
import type { Store } from '../../src/store/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { accept, acceptReply, claimReply } from '../kit/fakes/stored-replies.ts'
import { watchHolds } from './holds.ts'
import { percentile } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    /** Replies that the store holds. */
    replies: { type: 'string', default: '1000000' },
    /** A file in which the filled store is kept for the next run; the first run only makes it. */
    filled: { type: 'string' },
  },
})
const replies = Number(options.replies)
const repliesPerConversation = 100
const conversationsPerSession = 100
const answerLength = 1_200
const aloneMs = 5_000
/** No phase is watched for longer: what is left then goes on by itself. */
const phaseMs = 60_000

const assistantId = 'assistant' as AssistantId
const scope = { origin: 'https://platform.example', account: 'account' }
const account = { scope, strategy: 'workflow' } as const
const answer = 'x'.repeat(answerLength)

const sessionId = (number: number) => `session-${number}` as SessionId
const nameOf = (generation: number) => `name-${generation}-${randomId()}` as SessionName

const { filled } = options
const folder = mkdtempSync(join(tmpdir(), 'gateway-bench-store-'))
try {
  const file = join(folder, 'gateway.db')
  if (filled === undefined) await make(file)
  else if (existsSync(filled)) copy(filled, file)
  else await make(filled)
  if (existsSync(file)) await run(file)
} finally {
  rmSync(folder, { recursive: true })
}

/** All of it is on disk before anything is measured. */
function copy(from: string, to: string): void {
  copyFileSync(from, to)
  const descriptor = openSync(to, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

async function make(file: string): Promise<void> {
  await (await open(file)).store[Symbol.asyncDispose]()
  const startedAt = performance.now()
  fill(file)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(`made in ${seconds} s`)
}

async function run(file: string): Promise<void> {
  console.log(`${replies} replies, ${(statSync(file).size / 1e9).toFixed(2)} GB`)
  const { store, openedMs } = await open(file)
  await using _ = store
  console.log(`start-up ${openedMs.toFixed(0)} ms`)
  console.log(`${''.padEnd(34)}  took s  held ms: wall    CPU   accept: p50     p99     max`)
  const { ledger, log } = store
  const { session: owner } = await ledger.openSession(sessionId(1), nameOf, 1)
  await phase(store, 'alone, beside the full check', () => delay(aloneMs))
  await phase(store, 'erase 100 conversations', async () => {
    await ledger.eraseSession(owner, nameOf, Date.now())
    await delay(aloneMs)
  })
  await phase(store, 'trim the log', (isOver) => untilNothing(isOver, () => log.trim(replies / 2)))
  await phase(store, 'trim messages', (isOver) =>
    untilNothing(isOver, () => ledger.trimMessages(replies / 4)),
  )
  await phase(store, 'alone', () => delay(aloneMs))
}

async function untilNothing(isOver: () => boolean, trim: () => Promise<number>): Promise<void> {
  while ((await trim()) > 0 && !isOver()) await delay(0)
}

async function phase(
  store: Store,
  name: string,
  work: (isOver: () => boolean) => Promise<unknown>,
): Promise<void> {
  const startedAt = performance.now()
  let isDone = false
  const { session, begin, conversationId } = await openHonest(store)
  const holds = watchHolds()
  const accepts: number[] = []
  const working = work(() => performance.now() - startedAt > phaseMs).finally(() => (isDone = true))
  while (!isDone) {
    const acceptedAt = performance.now()
    const request = { conversationId, assistantId, begin, at: Date.now() }
    const outcome = await accept(store.ledger, session, request)
    accepts.push(performance.now() - acceptedAt)
    if (outcome.type !== 'accepted' || outcome.lease === undefined) {
      throw new Error(`a message was not begun: ${outcome.type}`)
    }
    await outcome.lease.append([{ kind: 'ANSWER', offset: 0, text: answer }])
    await outcome.lease.finish(ending())
    await delay(5)
  }
  await working
  const { wallMs, cpuMs } = holds.stop()
  const figures = [
    [(performance.now() - startedAt) / 1000, 8],
    [wallMs, 15],
    [cpuMs, 7],
    [percentile(accepts, 50), 13],
    [percentile(accepts, 99), 8],
    [Math.max(...accepts), 8],
  ] as const
  console.log(
    name.padEnd(34) + figures.map(([value, width]) => value.toFixed(1).padStart(width)).join(''),
  )
}

function ending() {
  return {
    event: {
      type: 'completed',
      text: answer,
      usage: null,
      followUps: [],
      question: null,
      omitted: [],
      contextReset: false,
    },
    answerId: randomId() as MessageId,
    resetUpstream: false,
    upstreamMessageId: undefined,
    explanation: undefined,
    owesCancel: undefined,
    at: Date.now(),
  } as const
}

/** A session whose conversation is idle and bound. */
async function openHonest({ ledger }: Store) {
  const { session } = await ledger.openSession(randomId() as SessionId, nameOf, Date.now())
  const reply = await acceptReply(ledger, session, { assistantId, at: Date.now() })
  const { conversationId } = reply
  const lease = await claimReply(ledger, session, conversationId)
  const binding = { ...account, conversationId: `upstream-${randomId()}` }
  await lease.intend({ binding, contextReset: false, at: Date.now() })
  await lease.finish(ending())
  return { session, conversationId, begin: { assistantId, served: [account] } }
}

async function open(file: string): Promise<{ readonly store: Store; readonly openedMs: number }> {
  const startedAt = performance.now()
  const store = await openSqliteStore({
    file,
    sessionKeyCheck: 'check',
    clock: systemClock,
    logger: silentLogger,
    metrics: { storeWritten() {} },
  })
  return { store, openedMs: performance.now() - startedAt }
}

/**
 * Ended replies, as the store's own statements would have written them one by one: reply n was written and has ended at the
 * instant n.
 */
function fill(file: string): void {
  using db = new DatabaseSync(file)
  const conversations = Math.ceil(replies / repliesPerConversation)
  const sessions = Math.ceil(conversations / conversationsPerSession)
  const upTo = (count: number) =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`
  const conversation = `(i - 1) / ${repliesPerConversation} + 1`
  const session = `(i - 1) / ${repliesPerConversation * conversationsPerSession} + 1`
  const seq = `(((i - 1) % ${repliesPerConversation * conversationsPerSession}) * 2 + 1)`
  // Nobody else has the file open, and one that is not finished is of no use.
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000')
  db.exec(`
    BEGIN;
    INSERT INTO sessions (id, key, name, generation, created_at)
      ${upTo(sessions)} SELECT i, 'session-' || i, 'name-' || i, 0, 1 FROM n;
    INSERT INTO conversations (id, key, session, assistant, used, origin, account, strategy, upstream, created_at, last_used_at)
      ${upTo(conversations)} SELECT i, 'conversation-' || i, (i - 1) / ${conversationsPerSession} + 1, '${assistantId}', i,
        '${scope.origin}', '${scope.account}', 'workflow', 'up-' || i, 1, i FROM n;
    INSERT INTO bindings (origin, account, upstream, session, conversation, strategy, used_at)
      SELECT origin, account, upstream, session, id, strategy, 1 FROM conversations;
    INSERT INTO messages (id, key, session, conversation, role, created_at)
      ${upTo(replies)} SELECT i * 2 - 1, 'message-' || i, ${session}, ${conversation}, 'USER', i FROM n;
    INSERT INTO messages (id, key, session, conversation, reply, role, created_at)
      ${upTo(replies)} SELECT i * 2, 'answer-' || i, ${session}, ${conversation}, i * 2 - 1, 'ASSISTANT', i FROM n;
    INSERT INTO replies (id, key, session, conversation, answer, status, rank, revisions, started_seq, ended_seq, created_at,
        started_at, ended_at)
      ${upTo(replies)} SELECT i * 2 - 1, 'reply-' || i, ${session}, ${conversation}, i * 2, 'COMPLETED', i,
        '[{"name":"aaaa0","answerKept":0,"reasoningKept":0}]', ${seq}, ${seq} + 1, i, i, i FROM n;
    INSERT INTO events (id, "check", reply, type)
      SELECT ${eventId('session', 'started_seq')}, 'start', id, 'started' FROM replies ORDER BY id;
    INSERT INTO events (id, "check", reply, type)
      SELECT ${eventId('session', 'ended_seq')}, 'ended', id, 'completed' FROM replies ORDER BY id;`)
  const texts = createTexts(db)
  for (let reply = 1; reply < 2 * replies; reply += 2) {
    texts.write(reply, 'message', 0, `What is ${reply}?`)
    texts.write(reply, 'answer', 0, answer)
  }
  db.exec('COMMIT; PRAGMA journal_mode = WAL')
}
