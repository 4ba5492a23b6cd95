import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from 'pg'
import type { Session } from '../../src/domain.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Database } from '../../src/store/postgres/database.ts'
import { sql } from '../../src/store/postgres/sql.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../src/store/postgres/store.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import {
  accept,
  acceptReply,
  answerOf,
  claimReply,
  completed,
  finish,
  newConversationId,
  newReplyId,
  openSession,
  readAll,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { freePort } from '../kit/process/free-port.ts'
import { ask } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { openRelay } from '../kit/process/relay.ts'
import { until, within } from '../kit/process/until.ts'
import { createRandom } from '../kit/random.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

function open(url: string, options: Partial<PostgresStoreOptions> = {}): Promise<Store> {
  return openPostgresStore({
    url,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    ...options,
  })
}

describe('postgres: opening', () => {
  it('F27: says why it cannot be reached', async () => {
    await expect(open('postgres://nobody@127.0.0.1:1/gateway')).rejects.toThrow(
      'the database cannot be used: no connection',
    )
  })

  it('says that the user may not make tables', async () => {
    const url = await server.newDatabase()
    await ask(url, 'CREATE ROLE guest LOGIN')
    const asGuest = url.replace('//postgres@', '//guest@')
    await expect(open(asGuest)).rejects.toThrow('make it the owner of the database (42501)')
  })

  it('refuses a database that was created with another session key', async () => {
    const url = await server.newDatabase()
    await (await open(url))[Symbol.asyncDispose]()
    await expect(open(url, { sessionKeyCheck: 'another' })).rejects.toThrow('another session key')
  })

  it('refuses a database of a newer gateway, and one with tables of somebody else', async () => {
    const newer = await server.newDatabase()
    await (await open(newer))[Symbol.asyncDispose]()
    await ask(newer, `UPDATE meta SET value = '999' WHERE name = 'version'`)
    await expect(open(newer)).rejects.toThrow('newer gateway')
    const other = await server.newDatabase()
    await ask(other, 'CREATE TABLE sessions (id integer)')
    await expect(open(other)).rejects.toThrow('tables that are not of this gateway')
  })
})

describe('postgres: a statement that meets those of others', () => {
  it('is sent again when it loses a deadlock, and nobody is told that the store fails', async () => {
    const url = await server.newDatabase()
    await ask(url, 'CREATE TABLE pair (id integer PRIMARY KEY, count integer NOT NULL)')
    await ask(url, 'INSERT INTO pair VALUES (1, 0), (2, 0)')
    await using database = new Database({ url, password: undefined, maxConnections: 1 })
    const other = new Client({ connectionString: url })
    await other.connect()
    // The server ends the statement that finds the deadlock out, which is never this one.
    await other.query(`SET deadlock_timeout = '1h'; BEGIN; UPDATE pair SET count = 5 WHERE id = 2`)
    const counted = database.query(sql`UPDATE pair SET count = count + 1 RETURNING count`)
    const isWaiting = async () => {
      const { rows } = await other.query('SELECT FROM pg_locks WHERE NOT granted')
      return rows.length > 0
    }
    await until(isWaiting, 'the statement waits for the second row')
    await other.query('UPDATE pair SET count = 5 WHERE id = 1')
    await other.query('COMMIT')
    await other.end()
    expect(await counted).toEqual([{ count: 6 }, { count: 6 }])
  })
})

describe('postgres: texts', () => {
  it('keeps every character, also those that its texts cannot have', async () => {
    await using store = await open(await server.newDatabase())
    const { ledger } = store
    const session = await openSession(ledger)
    const text = 'nul \u0000, \u00010, \u0001, and 😀'
    const run = await runReply(store, session)
    await ledger.renameConversation(session, run.reply.conversationId, text, 5)
    await run.append([{ kind: 'ANSWER', offset: 0, text }])
    await finish(run, completed(text))
    const accepted = await accept(ledger, session, {
      text,
      extras: { parameters: { text }, metadata: {} },
    })
    expect(accepted).toMatchObject({ type: 'accepted' })
    const own = ledger.session(session)
    expect(await own.replies([run.reply.id])).toMatchObject([{ text }])
    expect(await own.conversations([run.reply.conversationId])).toMatchObject([{ title: text }])
    const messageId = accepted.type === 'accepted' ? accepted.reply.messageId : undefined
    expect(await own.messages(messageId === undefined ? [] : [messageId])).toMatchObject([{ text }])
  })

  it('puts a text that came in many pieces together when its reply ends', async () => {
    const url = await server.newDatabase()
    await using store = await open(url)
    const session = await openSession(store.ledger)
    const run = await runReply(store, session)
    for (let offset = 0; offset < 40; offset += 2) {
      await run.append([{ kind: 'ANSWER', offset, text: 'ab' }])
      await store.ledger.session(session).replies([run.reply.id])
    }
    const count = async () => Number((await ask(url, 'SELECT count(*) FROM texts'))[0]?.['count'])
    expect(await count()).toBeGreaterThan(10)
    await finish(run, completed('ab'.repeat(20)))
    expect(await count()).toBe(1)
    expect(await store.ledger.session(session).replies([run.reply.id])).toMatchObject([
      { text: 'ab'.repeat(20) },
    ])
  })
})

describe('postgres: a server that has lost what it had not written to its disk', () => {
  it.each(['finish', 'flush', 'action', 'nothing new'] as const)(
    'F29: is told all of the text of what runs again (%s)',
    async (by) => {
      const url = await server.newDatabase()
      await using store = await open(url)
      const session = await openSession(store.ledger)
      const own = store.ledger.session(session)
      const run = await runReply(store, session)
      run.recordChat('chat')
      await run.append([{ kind: 'REASONING', offset: 0, text: 'hm' }])
      await run.append([{ kind: 'ANSWER', offset: 0, text: 'kept, ' }])
      await own.replies([run.reply.id])
      await ask(url, 'DELETE FROM texts')
      const more = by === 'nothing new' ? '' : 'and more'
      if (more !== '') await run.append([{ kind: 'ANSWER', offset: 6, text: more }])
      if (by === 'flush') {
        await own.replies([run.reply.id])
        const stored = () => ask(url, 'SELECT text FROM texts ORDER BY kind')
        await expect.poll(stored).toEqual([{ text: 'kept, and more' }, { text: 'hm' }])
      }
      if (by === 'action') {
        expect(await run.requireAction({ toolCalls: [], expiresAt: 9 })).toBe(true)
      }
      expect(await finish(run, completed(`kept, ${more}`))).toMatchObject({ type: 'finished' })
      expect(await own.replies([run.reply.id])).toMatchObject([
        { text: `kept, ${more}`, reasoning: 'hm' },
      ])
    },
  )

  it.each(['finish', 'flush', 'action'] as const)(
    'F29: is told again that what runs has started (%s)',
    async (by) => {
      const url = await server.newDatabase()
      await using store = await open(url)
      const session = await openSession(store.ledger)
      const own = store.ledger.session(session)
      const run = await runReply(store, session)
      await ask(url, 'DELETE FROM events')
      await ask(url, `UPDATE replies SET step = 'claimed', started_seq = NULL, started_at = NULL`)
      await ask(url, `UPDATE sessions SET last_seq = 0, last_check = ''`)
      await run.append([{ kind: 'ANSWER', offset: 0, text: 'said' }])
      if (by === 'flush') {
        await own.replies([run.reply.id])
        await expect.poll(() => ask(url, 'SELECT type FROM events')).toEqual([{ type: 'started' }])
      }
      if (by === 'action') {
        expect(await run.requireAction({ toolCalls: [], expiresAt: 9 })).toBe(true)
      }
      expect(await finish(run, completed('said'))).toMatchObject({ type: 'finished' })
      await using reader = await open(url)
      const events = await readAll(reader.log, session)
      const action = by === 'action' ? ['action-required'] : []
      expect(events.map(({ type }) => type).filter((type) => type !== 'delta')).toEqual([
        'started',
        ...action,
        'completed',
      ])
      expect(answerOf(events, run)).toBe('said')
    },
  )

  it('F29: knows by which chat a reply runs that has said nothing yet', async () => {
    // Whatever does not wait for the disk is lost.
    await using own = await startPostgres(['wal_writer_delay=10s'])
    const url = await own.newDatabase()
    await using store = await open(url, { heartbeat: { everyMs: 1e6, deadAfterMs: 1e6 } })
    const run = await runReply(store, await openSession(store.ledger))
    run.recordChat('chat')
    const chat = () => ask(url, 'SELECT chat FROM replies')
    await expect.poll(chat).toEqual([{ chat: 'chat' }])
    await own.crash()
    await own.start()
    expect(await chat()).toEqual([{ chat: 'chat' }])
  })
})

describe('postgres: a write whose answer was lost', () => {
  it('P11: is not waited for without end while its outcome cannot be found out, and says so', async () => {
    const url = await server.newDatabase()
    let port = server.port
    await using relay = await openRelay(() => port)
    const clock = createFakeClock()
    const { pathname } = new URL(url)
    await using store = await open(`postgres://postgres@127.0.0.1:${relay.port}${pathname}`, {
      clock,
    })
    const { ledger } = store
    const session = await openSession(ledger)
    const id = newConversationId()
    await startConversation(ledger, session, { id })
    const lock = await lockSession(url, session)
    const rename = (title: string) =>
      ledger.renameConversation(session, id, title, 5).catch((error: unknown) => error)
    const renamed = rename('lost')
    await expect.poll(() => isWaiting(url)).toBe(true)
    port = await freePort()
    relay.cut()
    let failure: unknown
    void renamed.then((outcome) => (failure = outcome))
    const isOver = () => {
      clock.advance(250)
      return failure
    }
    await expect.poll(isOver, { timeout: 20_000 }).toMatchObject({ kind: 'unknown' })
    port = server.port
    await lock.release()
    await expect.poll(() => rename('found')).toMatchObject({ title: 'found' })
  })
})

/** Keeps a row of a session's own locked until it is released. */
async function lockSession(url: string, { id }: Session) {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT FROM sessions WHERE key = $1 FOR UPDATE', [id])
  return {
    async release() {
      await client.query('COMMIT')
      await client.end()
    },
  }
}

/** How many statements wait for a row. */
const waiting = async (url: string) =>
  (await ask(url, `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length

const isWaiting = async (url: string) => (await waiting(url)) > 0

describe('postgres: sessions beside each other', () => {
  it('answers a session whose text is stored with that of one that waits for something else', async () => {
    const url = await server.newDatabase()
    const clock = createFakeClock()
    await using store = await open(url, { clock })
    const { ledger } = store
    const busy = await openSession(ledger)
    const other = await openSession(ledger)
    const [busyRun, run] = [await runReply(store, busy), await runReply(store, other)]
    const lock = await lockSession(url, busy)
    const renamed = ledger.renameConversation(busy, busyRun.reply.conversationId, 'later', 5)
    await expect.poll(() => isWaiting(url)).toBe(true)
    await busyRun.append([{ kind: 'ANSWER', offset: 0, text: 'of the busy one' }])
    await run.append([{ kind: 'ANSWER', offset: 0, text: 'mine' }])
    clock.advance(250)
    const stored = () => ask(url, 'SELECT text FROM texts')
    await expect.poll(stored).toEqual([{ text: 'mine' }])
    expect(await finish(run, completed('mine'))).toMatchObject({ type: 'finished' })
    await lock.release()
    expect(await renamed).toMatchObject({ title: 'later' })
    expect(await finish(busyRun, completed('of the busy one'))).toMatchObject({ type: 'finished' })
    expect(await ledger.session(busy).replies([busyRun.reply.id])).toMatchObject([
      { text: 'of the busy one' },
    ])
  })

  it('opens a session in the order of its calls, so that none is told a name from before an erasure', async () => {
    const url = await server.newDatabase()
    const known = await open(url)
    const session = await openSession(known.ledger)
    const { reply } = await runReply(known, session)
    await known[Symbol.asyncDispose]()
    await using store = await open(url)
    const lock = await lockSession(url, session)
    const order: string[] = []
    const renamed = store.ledger
      .renameConversation(session, reply.conversationId, 'before', 5)
      .then(() => order.push('renamed'))
    await expect.poll(() => isWaiting(url)).toBe(true)
    const opened = store.ledger
      .openSession(session.id, () => session.name, 6)
      .then(() => order.push('opened'))
    await store.ping()
    await store.ping()
    await lock.release()
    await Promise.all([renamed, opened])
    expect(order).toEqual(['renamed', 'opened'])
  })

  it('T13: misses no reply that begins in an upstream conversation while it is found to be shared', async () => {
    const url = await server.newDatabase()
    await using store = await open(url)
    const { ledger } = store
    const [alice, bob] = [await openSession(ledger), await openSession(ledger)]
    const scope = { origin: 'https://api.coze.cn', account: 'key-1' }
    const shared = { scope, strategy: 'workflow', conversationId: 'shared' } as const
    const bind = (run: RunLease) => run.bind(shared, { contextReset: false, at: 5 })
    const before = await runReply(store, alice)
    expect(await bind(before)).toBe('bound')
    await finish(before, completed('said'))
    const { conversationId } = before.reply
    const { id } = await acceptReply(ledger, alice, { conversationId })
    const other = await runReply(store, bob)
    const lock = await lockSession(url, bob)
    const collided = bind(other)
    await expect.poll(() => waiting(url)).toBe(1)
    let isClaimed = false
    const claimed = claimReply(ledger, alice, conversationId).finally(() => (isClaimed = true))
    await expect.poll(async () => isClaimed || (await waiting(url)) === 2).toBe(true)
    await lock.release()
    const [collision, run] = await Promise.all([collided, claimed])
    if (typeof collision !== 'object') throw new Error('expected a collision')
    expect(collision.inFlight.includes(id) || run.upstream === undefined).toBe(true)
  })

  it('forgets no title that is given while old ones are looked for', async () => {
    const url = await server.newDatabase()
    await using store = await open(url)
    const session = await openSession(store.ledger)
    await startConversation(store.ledger, session, { title: 'old', at: 1 })
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query('BEGIN')
    await client.query(`UPDATE conversations SET title = 'new', titled_at = 100`)
    const trimmed = store.ledger.trimMessages(50)
    await expect.poll(() => isWaiting(url)).toBe(true)
    await client.query('COMMIT')
    await client.end()
    expect(await trimmed).toBe(0)
    expect(await ask(url, 'SELECT title FROM conversations')).toEqual([{ title: 'new' }])
  })
})

const isFine = (store: Store) =>
  store.ping().then(
    () => true,
    () => false,
  )

describe('postgres: a server that is away', () => {
  it('F28: refuses all that is asked for a session whose last write is in doubt, and says that it fails once', async () => {
    await using own = await startPostgres()
    const url = await own.newDatabase()
    const told: string[] = []
    const note = (_: object, message: string) => void told.push(message)
    await using store = await open(url, { logger: { ...silentLogger, error: note, info: note } })
    const session = await openSession(store.ledger)
    const { reply } = await runReply(store, session)
    const rename = (title: string) =>
      store.ledger.renameConversation(session, reply.conversationId, title, 5)
    await lockSession(url, session)
    const doubtful = rename('in doubt')
    await expect.poll(() => isWaiting(url)).toBe(true)
    await own.crash()
    await expect(store.ping()).rejects.toThrow(StoreError)
    for (const title of ['one', 'two', 'three']) {
      await expect(rename(title)).rejects.toThrow('is being asked for')
    }
    await own.start()
    expect(await doubtful).toMatchObject({ title: 'in doubt' })
    expect(told.filter((message) => message === 'store write failed')).toHaveLength(1)
  })

  it('F28: says once that nothing can be written, and does not take what is read for a write', async () => {
    const url = await server.newDatabase()
    const told: string[] = []
    const note = (_: object, message: string) => void told.push(message)
    await using store = await open(url, { logger: { ...silentLogger, error: note, info: note } })
    const session = await openSession(store.ledger)
    const name = new URL(url).pathname.slice(1)
    await ask(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    const others = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = '${name}' AND pid <> pg_backend_pid()`
    await ask(url, others)
    told.length = 0
    for (let times = 0; times < 3; times += 1) {
      await expect(acceptReply(store.ledger, session)).rejects.toThrow(StoreError)
      expect(await store.ledger.session(session).openReplies(undefined)).toEqual([])
    }
    expect(told).toEqual(['store write failed'])
  })

  it('F28: refuses messages meanwhile, and goes on with what runs once it is back, without a restart', async () => {
    await using own = await startPostgres()
    await using store = await open(await own.newDatabase())
    const session = await openSession(store.ledger)
    const run = await runReply(store, session)
    await run.append([{ kind: 'ANSWER', offset: 0, text: 'before ' }])
    await own.crash()
    await expect(acceptReply(store.ledger, session)).rejects.toThrow(StoreError)
    await expect(store.ping()).rejects.toThrow(StoreError)
    run.append([{ kind: 'ANSWER', offset: 7, text: 'while' }])?.catch(() => {})
    await own.start()
    await until(() => isFine(store), 'the store to write again')
    expect(await finish(run, completed('before while'))).toMatchObject({ type: 'finished' })
    const events = await readAll(store.log, session)
    expect(events.map(({ type }) => type).filter((type) => type !== 'delta')).toEqual([
      'started',
      'completed',
    ])
    expect(answerOf(events, run)).toBe('before while')
  })

  it('F28: refuses at once what is asked of a server that stands still, keeps what runs, and goes on when it wakes', async () => {
    await using own = await startPostgres()
    const told: unknown[] = []
    const error = (detail: object) => void told.push(detail)
    await using store = await open(await own.newDatabase(), { logger: { ...silentLogger, error } })
    const session = await openSession(store.ledger)
    const run = await runReply(store, session)
    await own.signal('SIGSTOP')
    await expect(store.ping()).rejects.toThrow(StoreError)
    await expect(acceptReply(store.ledger, session)).rejects.toThrow(StoreError)
    expect(told).toEqual([{ kind: 'unavailable', cause: 'the server does not answer' }])
    expect(run.append([{ kind: 'ANSWER', offset: 0, text: 'meanwhile' }])).toBe(undefined)
    await own.signal('SIGCONT')
    await until(() => isFine(store), 'the store to write again')
    expect(await finish(run, completed('meanwhile'))).toMatchObject({ type: 'finished' })
    expect(answerOf(await readAll(store.log, session), run)).toBe('meanwhile')
  })

  it('F23: takes no server for silent since the gateway itself stood still', async () => {
    const url = await server.newDatabase()
    await using store = await open(url, { heartbeat: { everyMs: 20, deadAfterMs: 15_000 } })
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query('BEGIN; SELECT FROM instance FOR UPDATE')
    await expect.poll(() => isWaiting(url)).toBe(true)
    // The heartbeat is answered while nothing here can read it.
    const released = client.query('COMMIT')
    await new Promise((resolve) => setImmediate(resolve))
    const end = performance.now() + 4_000
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve))
    await store.ping()
    await released
    await client.end()
  })

  it('F28: ends although the server stands still', async () => {
    await using own = await startPostgres()
    const store = await open(await own.newDatabase())
    const session = await openSession(store.ledger)
    const run = await runReply(store, session)
    await own.signal('SIGSTOP')
    const renamed = store.ledger.renameConversation(session, run.reply.conversationId, 'new', 5)
    const refused = expect(renamed).rejects.toThrow(StoreError)
    await within(Promise.resolve(store[Symbol.asyncDispose]()), 'the store to be closed', 20_000)
    await refused
  })

  it('P11: stores what it says and nothing of what it refuses, whenever connections break', async () => {
    const url = await server.newDatabase()
    const random = createRandom(7)
    await using proxy = await openCuttingProxy(() => 500 + random.int(20_000))
    proxy.forwardTo(`http://127.0.0.1:${server.port}`)
    const through = new URL(url)
    const broken = `postgres://postgres@127.0.0.1:${new URL(proxy.url).port}${through.pathname}`
    await (await open(url))[Symbol.asyncDispose]()
    await using store = await openPatiently(broken)
    const session = await patiently(() => openSession(store.ledger))
    const accepted = new Set<string>()
    const refused = new Set<string>()
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const replyId = newReplyId()
        try {
          await acceptReply(store.ledger, session, { replyId, maxQueued: 1000, maxOpen: 1000 })
          accepted.add(replyId)
        } catch (error) {
          if (!(error instanceof StoreError)) throw error
          refused.add(replyId)
        }
      }),
    )
    expect(proxy.cuts).toBeGreaterThan(5)
    const stored = await ask(url, 'SELECT key FROM replies')
    expect(new Set(stored.map(({ key }) => key))).toEqual(accepted)
    expect(accepted.size).toBeGreaterThan(20)
  })
})

/** A server that is there lets everybody through some day. */
const maxTries = 1_000

async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (tries === maxTries || !(error instanceof Error)) throw error
    }
  }
}

const openPatiently = (url: string) => patiently(() => open(url))
