import { Client } from 'pg'
import { expect } from 'vitest'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { openPostgresStore } from '../../../src/store/postgres/store.ts'
import type { PeerChannel } from '../../../src/store/peers.ts'
import type { Orphan } from '../../../src/store/run-lease.ts'
import type { Store } from '../../../src/store/store.ts'
import { createFakeClock, type FakeClock } from '../fakes/clock.ts'
import { silentLogger } from '../fakes/logger.ts'
import { uncounted } from '../fakes/metrics.ts'
import type { PostgresServer } from './postgres.ts'
import { until } from './until.ts'

/** One statement on a connection of its own. */
export async function ask(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement, [...values])
    return rows
  } finally {
    await client.end()
  }
}

/** A store of the database in this process, whose beats nobody waits for. */
export function openStore(url: string, clock: Clock = systemClock): Promise<Store> {
  return openPostgresStore({
    url,
    clock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })
}

/** One instance in this process, whose time passes only when a test says so. */
export interface Instance extends AsyncDisposable {
  readonly store: Store
  readonly name: string
  readonly clock: FakeClock
  /** Lets it say so many times that it lives. */
  beat(times?: number): Promise<void>
}

export const heartbeat = { everyMs: 1_000, deadAfterMs: 15_000 }

/** Beats until a peer that stood still since this one was opened is dead. */
export const untilDead = heartbeat.deadAfterMs / heartbeat.everyMs

const namesIn = async (url: string) =>
  (await ask(url, 'SELECT name FROM instance')).map(({ name }) => String(name))

/** The replies that an instance takes over, once it has removed the row of the dead one that it has just found. */
export async function takeOrphans({ store }: Instance): Promise<readonly Orphan[]> {
  return await until(async () => {
    const orphans = await store.ledger.orphans()
    return orphans.length > 0 && orphans
  }, "a reply is nobody's")
}

export async function openInstance(
  url: string,
  {
    peers,
    maxRunningPerSession,
  }: { readonly peers?: PeerChannel; readonly maxRunningPerSession?: number } = {},
): Promise<Instance> {
  const clock = createFakeClock()
  const before = await namesIn(url).catch((): string[] => [])
  const store = await openPostgresStore({
    url,
    clock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    peers,
    heartbeat,
    ...(maxRunningPerSession !== undefined && { maxRunningPerSession }),
  })
  const [name = ''] = (await namesIn(url)).filter((one) => !before.includes(one))
  const beatOf = async () => {
    const [row] = await ask(url, 'SELECT beat FROM instance WHERE name = $1', [name])
    return Number(row?.['beat'] ?? 0)
  }
  return {
    store,
    name,
    clock,
    async beat(times = 1) {
      for (let left = times; left > 0; left -= 1) {
        const last = await beatOf()
        clock.advance(heartbeat.everyMs)
        await expect.poll(beatOf).toBe(last + 1)
      }
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Two instances on a database of their own. */
export async function openTwo(
  server: PostgresServer,
): Promise<{ url: string; one: Instance; other: Instance } & AsyncDisposable> {
  const url = await server.newDatabase()
  await using stack = new AsyncDisposableStack()
  const one = stack.use(await openInstance(url))
  const other = stack.use(await openInstance(url))
  const owned = stack.move()
  return { url, one, other, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
