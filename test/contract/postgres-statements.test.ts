import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { EngineClient } from '../../src/store/main-half/engine-client.ts'
import { PostgresEngine } from '../../src/store/postgres/engine.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import {
  accept,
  assistant,
  beginning,
  completed,
  finish,
  openSession,
  runReply,
  textsOf,
} from '../kit/fakes/stored-replies.ts'
import { makeEveryCall } from './every-call.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())
afterEach(() => vi.restoreAllMocks())

interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Tables that do not grow with what users do. */
const small = ['instance', 'duties', 'meta', 'isolation']
/** Indexes of what is under way alone, and one whose first entry is read. */
const short = [
  'replies_running',
  'replies_open',
  'replies_of_instance',
  'outbox_due',
  'deletions_pkey',
]

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly Plan[]
}

/** What of a plan reads more rows than the statement is about. */
function walks(plan: Plan): readonly string[] {
  const { 'Node Type': type, 'Relation Name': table = '', 'Index Name': index = '' } = plan
  const isWalk =
    (type === 'Seq Scan' && !small.includes(table)) ||
    (/^(?:Bitmap )?Index/.test(type) &&
      plan['Index Cond'] === undefined &&
      !short.includes(index) &&
      !small.some((name) => index.startsWith(name)))
  return [...(isWalk ? [`${type} ${table} ${index}`] : []), ...(plan.Plans ?? []).flatMap(walks)]
}

/** Every statement with values that an engine makes when it is asked for all that it can. */
async function statements(url: string): Promise<readonly Statement[]> {
  const query = vi.spyOn(Client.prototype, 'query')
  const client = openClient(url)
  await client.opened
  await makeEveryCall((method, args) => client.call(method, args))
  await client[Symbol.asyncDispose]()
  const made = query.mock.calls.map(([asked]) => asked as unknown as Statement)
  vi.restoreAllMocks()
  return [...new Map(made.map((one) => [one.text, one])).values()].filter(({ values }) =>
    Array.isArray(values),
  )
}

function openClient(url: string): EngineClient {
  const engine = {
    url,
    password: undefined,
    maxConnections: 4,
    sessionKeyCheck: 'check',
    heartbeat: { everyMs: 1_000, deadAfterMs: 5_000 },
    maxRunningPerSession: 100,
    clock: systemClock,
    newId: randomId,
    name: randomId(),
  }
  return new EngineClient((listener) => new PostgresEngine(engine, listener), {
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    onFailing() {},
    held: () => [],
    onLost() {},
    onGivenUp() {},
    onDied() {},
  })
}

/** What the statements would walk over, in tables of ten million rows: with a few the planner takes whichever index is nearest. */
async function walksOf(client: Client, all: readonly Statement[]): Promise<readonly object[]> {
  await client.query(`
    UPDATE pg_class SET reltuples = 1e7, relpages = 1
    WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace`)
  await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off')
  const found: object[] = []
  for (const { text, values } of all) {
    const { rows } = await client.query<{ 'QUERY PLAN': readonly { readonly Plan: Plan }[] }>(
      `EXPLAIN (FORMAT JSON) ${text}`,
      [...values],
    )
    const plans = rows.flatMap((row) => row['QUERY PLAN'])
    for (const step of plans.flatMap(({ Plan: plan }) => walks(plan))) found.push({ step, text })
  }
  return found
}

describe('a PostgreSQL store that has grown', () => {
  let client: Client
  let all: readonly Statement[]
  beforeAll(async () => {
    const url = await server.newDatabase()
    all = await statements(url)
    client = new Client({ connectionString: url })
    await client.connect()
  })
  afterAll(() => client.end())

  it('finds what each of its statements is about by an index, and walks over no table', async () => {
    expect(all.length).toBeGreaterThan(60)
    await client.query('BEGIN')
    const found = await walksOf(client, all)
    await client.query('ROLLBACK')
    expect(found).toEqual([])
  })

  it.each([
    'conversations_upstream',
    'conversations_named',
    'replies_kept',
    'replies_trimmed',
    'attachments_by_use',
    'outbox_due',
    'sessions_deleted',
  ])('would walk over a table without the index %s', async (index) => {
    await client.query(`BEGIN; DROP INDEX ${index}`)
    const found = await walksOf(client, all)
    await client.query('ROLLBACK')
    expect(found).not.toEqual([])
  })
})

describe('a message on PostgreSQL', () => {
  it('is stored, claimed and its sending intended by one statement, and its whole reply takes five', async () => {
    await using store = await openPostgresStore({
      url: await server.newDatabase(),
      sessionKeyCheck: 'check',
      clock: systemClock,
      logger: silentLogger,
      metrics: uncounted,
      heartbeat: { everyMs: 1e6, deadAfterMs: 1e6 },
    })
    const session = await openSession(store.ledger)
    const own = store.ledger.session(session)
    const first = await runReply(store, session)
    const account = {
      scope: { origin: 'https://upstream.test', account: 'account' },
      strategy: 'bot',
    } as const
    await first.bind({ ...account, conversationId: 'up-1' }, { contextReset: false, at: 3 })
    await finish(first, completed('said'))
    const { conversationId } = first.reply
    // Whatever is asked next of the session comes behind what was asked ahead.
    await own.replyState(first.reply.id)

    const query = vi.spyOn(Client.prototype, 'query')
    const idempotency = { key: 'key', digest: 'digest' }
    const begin = { assistantId: assistant, served: [account] }
    const outcome = await accept(store.ledger, session, { conversationId, begin, idempotency })
    expect(query).toHaveBeenCalledTimes(1)
    const lease = outcome.type === 'accepted' ? outcome.lease : undefined
    if (lease === undefined) throw new Error('expected a run')
    lease.recordChat('chat')
    await lease.append([{ kind: 'ANSWER', offset: 0, text: 'more' }])
    await own.replies([lease.reply.id])
    const readOnce = 1
    await finish(lease, completed('more'))
    await own.replyState(lease.reply.id)
    expect(query).toHaveBeenCalledTimes(5 + readOnce + 1)

    // Under a key that was used before nothing is begun, though that was not asked for.
    const again = await accept(store.ledger, session, { conversationId, begin, idempotency })
    expect(again).toMatchObject({ type: 'repeated', reply: { id: lease.reply.id } })
  })
})

describe('a cursor on PostgreSQL', () => {
  it('is resumed from by two statements, however many replies and texts follow it', async () => {
    const url = await server.newDatabase()
    const options = {
      url,
      sessionKeyCheck: 'check',
      clock: systemClock,
      logger: silentLogger,
      metrics: uncounted,
      heartbeat: { everyMs: 1e6, deadAfterMs: 1e6 },
    }
    await using writer = await openPostgresStore(options)
    const session = await openSession(writer.ledger)
    const said = Array.from({ length: 5 }, (_, index) => `text ${index}`)
    for (const text of said) {
      const lease = await runReply(writer, session)
      await lease.append([{ kind: 'ANSWER', offset: 0, text }])
      await finish(lease, completed(text))
    }
    await using reader = await openPostgresStore(options)
    const query = vi.spyOn(Client.prototype, 'query')
    const items = await reader.log.read(session.id, beginning, {}, 10_000)
    expect(query).toHaveBeenCalledTimes(2)
    if (items === 'expired') throw new Error('expected events')
    expect([...textsOf(items.map(({ event }) => event)).values()]).toEqual(said)
  })
})
