/**
 * `npm run bench:postgres`: what a PostgreSQL store of very many sessions costs, in size and in time.
 *
 *     sessions × 10 messages, written by SQL ──► size per session
 *     100 replies run, and say a word 20 times a second ──► pages, resume and erase of random sessions meanwhile
 *
 * It starts a server of its own, with `fsync` on unless told otherwise, and measures on one connection after the other.
 */
import { parseArgs } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import type { SessionId, SessionName } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { openSession, runReply } from '../kit/fakes/stored-replies.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { percentile } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    sessions: { type: 'string', default: '1000000' },
    streams: { type: 'string', default: '100' },
    /** How often each call is measured. */
    calls: { type: 'string', default: '500' },
    fsync: { type: 'string', default: 'on' },
  },
})
const sessions = Number(options.sessions)
const streams = Number(options.streams)
const calls = Number(options.calls)
/** Sessions that one statement writes. */
const sessionsAtOnce = 20_000
const repliesOfSession = 5
const say = (line: string) => void process.stdout.write(`${line}\n`)
const sessionKey = (number: number) => `session-${number}` as SessionId

/** Each session has one conversation, and in it five messages of a user and their answers. */
const filling = [
  `INSERT INTO sessions (id, key, name, generation, version, last_row, last_seq, last_check, created_at)
   OVERRIDING SYSTEM VALUE
   SELECT n, 'session-' || n, 'name-' || md5(n::text), 0, 11, 11, 10, 'Abcde', 1 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO conversations (session, id, key, assistant, used, origin, account, strategy, upstream, created_at, last_used_at,
     first_words, first_message)
   SELECT n, 1, 'conversation-' || n, 'assistant', 11, 'https://platform.example', 'account', 'bot', md5('up' || n), 1, 10,
     'A question of this length', 2 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO bindings (origin, account, upstream, session, conversation, strategy, used_at)
   SELECT 'https://platform.example', 'account', md5('up' || n), n, 1, 'bot', 10 FROM generate_series($1::int, $2::int) n`,
  `INSERT INTO messages (session, id, key, conversation, reply, role, text, created_at)
   SELECT n, 2 * m, md5('q' || n || '-' || m), 1, 2 * m, 'USER', repeat('A question, ', 6), m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO messages (session, id, key, conversation, reply, role, created_at)
   SELECT n, 2 * m + 1, md5('a' || n || '-' || m), 1, 2 * m, 'ASSISTANT', m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO replies (session, id, key, conversation, answer, status, rank, started_seq, ended_seq, created_at, started_at, ended_at)
   SELECT n, 2 * m, md5('r' || n || '-' || m), 1, 2 * m + 1, 'COMPLETED', 2 * m, 2 * m - 1, 2 * m, m, m, m
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO texts (session, reply, kind, start, length, text)
   SELECT n, 2 * m, 0, 0, 1200, repeat(md5(n::text || m), 37) || repeat('x', 16)
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${repliesOfSession}) m`,
  `INSERT INTO events (session, seq, "check", reply, type, running)
   SELECT n, s, 'Abcde', 2 * ((s + 1) / 2), CASE WHEN s % 2 = 1 THEN 'started' ELSE 'completed' END,
     CASE WHEN s % 2 = 1 THEN '[' || (s + 1) || ']' END
   FROM generate_series($1::int, $2::int) n, generate_series(1, ${2 * repliesOfSession}) s`,
]

await using server = await startPostgres([
  `fsync=${options.fsync}`,
  'shared_buffers=1GB',
  'max_wal_size=4GB',
  'checkpoint_timeout=15min',
])
const url = await server.newDatabase()
const open = () =>
  openPostgresStore({
    url,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })
await (await open())[Symbol.asyncDispose]()

const client = new Client({ connectionString: url })
await client.connect()
const size = async () => {
  const { rows } = await client.query<{ readonly bytes: string }>(
    'SELECT pg_database_size(current_database()) AS bytes',
  )
  return Number(rows[0]?.bytes)
}
const emptySize = await size()
const filledAt = performance.now()
await client.query('SET synchronous_commit = off')
for (let from = 1; from <= sessions; from += sessionsAtOnce) {
  const to = Math.min(sessions, from + sessionsAtOnce - 1)
  for (const statement of filling) await client.query(statement, [from, to])
}
await client.query(`SELECT setval(pg_get_serial_sequence('sessions', 'id'), ${sessions})`)
await client.query('ANALYZE')
const bytes = (await size()) - emptySize
await client.end()
say(
  `${sessions} sessions of 10 messages, filled in ${Math.round((performance.now() - filledAt) / 1000)} s`,
)
say(`size: ${Math.round(bytes / sessions)} bytes per session, ${(bytes / 1e9).toFixed(2)} GB`)

await using store = await open()
const { ledger, log } = store
const runs: RunLease[] = []
for (let count = 0; count < streams; count += 1) {
  runs.push(await runReply(store, await openSession(ledger)))
}
let isEnded = false
async function stream(run: RunLease): Promise<void> {
  for (let offset = 0; !isEnded; offset += 5) {
    await run.append([{ kind: 'ANSWER', offset, text: 'word ' }])
    await delay(50)
  }
}
const streaming = Promise.all(runs.map(stream))

/** Sessions that are erased are asked for no more. */
let erased = sessions
const randomNumber = () => 1 + Math.floor(Math.random() * (sessions / 2))

async function measure(name: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = []
  for (let count = 0; count < calls; count += 1) {
    const startedAt = performance.now()
    await work()
    times.push(performance.now() - startedAt)
  }
  const [p50, p99] = [50, 99].map((percent) => percentile(times, percent).toFixed(1))
  say(`${name.padEnd(14)} p50 ${p50} ms, p99 ${p99} ms`)
}

const ownOf = (number: number) =>
  ledger.session({ id: sessionKey(number), name: `name-${number}` as SessionName })
const page = { direction: 'backward', limit: 20, after: undefined, before: undefined } as const
await measure('conversations', () => ownOf(randomNumber()).conversationPage(page))
await measure('messages', async () => {
  const own = ownOf(randomNumber())
  const found = await own.conversationPage(page)
  const [conversation] = found?.rows ?? []
  if (conversation === undefined) throw new Error('a session without its conversation')
  const messages = await own.messagePage(conversation.id, page)
  if (messages?.rows.length !== 10) throw new Error('a conversation without its messages')
})
await measure('resume', async () => {
  const id = sessionKey(randomNumber())
  const items = await log.read(id, { seq: 4, check: 'Abcde', texts: [] }, {}, 10_000)
  if (items === 'expired' || items.length === 0) throw new Error('a log without its events')
})
await measure('erase', async () => {
  const id = sessionKey(erased)
  erased -= 1
  await ledger.eraseSession(
    { id, name: 'name' as SessionName },
    () => randomId() as SessionName,
    20,
  )
})
isEnded = true
await streaming
