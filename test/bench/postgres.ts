/**
 * `npm run bench:postgres`: what a PostgreSQL store of very many sessions costs, in size and in time.
 *
 *     sessions × 10 messages, written by SQL ──► size per session
 *     100 replies run, and say a word 20 times a second ──► pages, resume and erase of random sessions meanwhile
 *
 * It starts a server of its own, with `fsync` on, and measures one call after the other. With `--url` it takes a database that
 * is there, and fills it where it is empty: a second run need not wait for a million sessions to be written.
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
import { fill } from './postgres-filling.ts'
import { percentile } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    sessions: { type: 'string', default: '1000000' },
    streams: { type: 'string', default: '100' },
    /** How often each call is measured. */
    calls: { type: 'string', default: '500' },
    url: { type: 'string' },
  },
})
const sessions = Number(options.sessions)
const streams = Number(options.streams)
const calls = Number(options.calls)
const say = (line: string) => void process.stdout.write(`${line}\n`)
const sessionKey = (number: number) => `session-${number}` as SessionId

await using stack = new AsyncDisposableStack()

async function startServer(): Promise<string> {
  const settings = ['shared_buffers=1GB', 'max_wal_size=4GB', 'checkpoint_timeout=15min']
  const server = stack.use(await startPostgres(['fsync=on', 'autovacuum=on', ...settings]))
  return await server.newDatabase()
}
const url = options.url ?? (await startServer())
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
const { rows: filled } = await client.query('SELECT FROM sessions LIMIT 1')
if (filled.length === 0) {
  const startedAt = performance.now()
  await fill(client, sessions)
  say(`filled in ${Math.round((performance.now() - startedAt) / 1000)} s`)
}
const { rows: sizes } = await client.query<{ readonly bytes: string }>(
  'SELECT pg_database_size(current_database()) AS bytes',
)
await client.end()
const bytes = Number(sizes[0]?.bytes)
say(`${sessions} sessions of 10 messages: ${(bytes / 1e9).toFixed(2)} GB,`)
say(`${Math.round(bytes / sessions)} bytes per session`)

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

/** Sessions of the second half are erased, those of the first are read. */
const randomNumber = () => 1 + Math.floor(Math.random() * (sessions / 2))
const randomToErase = () => sessions / 2 + randomNumber()

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
  const id = sessionKey(randomToErase())
  await ledger.eraseSession(
    { id, name: 'name' as SessionName },
    () => randomId() as SessionName,
    20,
  )
})
isEnded = true
await streaming
