import type { Config } from '../config/config.ts'
import { openVerdicts, type Verdicts } from '../isolation/verdicts.ts'
import { fingerprintOf, type SessionNamer } from '../session/namer.ts'
import { openStoreReadiness, type StoreReadiness } from '../store/readiness.ts'
import type { PostgresStoreOptions } from '../store/postgres/store.ts'
import type { SqliteStoreOptions } from '../store/sqlite/store.ts'
import type { Store } from '../store/store.ts'
import { isolationTargets } from '../strategy/targets.ts'
import type { Dependencies } from './dependencies.ts'
import type { SharedLane } from './lane.ts'

/** Everything that outlives the process. */
export interface Persistence extends AsyncDisposable {
  readonly store: Store
  readonly readiness: StoreReadiness
  /** Verdicts in memory, read from the store and written to it later. */
  readonly verdicts: Verdicts
}

/** Each engine brings a library of its own: only the one that is used is loaded. */
async function openStore(
  { store, postgres, limits }: Config,
  common: Omit<SqliteStoreOptions & PostgresStoreOptions, 'file' | 'url'>,
): Promise<Store> {
  if (store.engine === 'sqlite') {
    const { openSqliteStore } = await import('../store/sqlite/store.ts')
    return await openSqliteStore({ ...common, file: store.file })
  }
  const { heartbeatFor, openPostgresStore } = await import('../store/postgres/store.ts')
  const { maxConnections, deadAfterMs } = postgres
  const password = postgres.password?.reveal()
  const heartbeat = heartbeatFor(deadAfterMs)
  return await openPostgresStore({
    ...common,
    url: store.url,
    password,
    maxConnections,
    heartbeat,
    maxRunningPerSession: limits.maxRunningPerSession,
  })
}

/** Tries the server of the store, and writes nothing. Returns undefined for a file, which has no server. */
export async function tryStoreServer({
  store,
  postgres,
}: Config): Promise<{ readonly url: string; readonly failure: string | undefined } | undefined> {
  if (store.engine === 'sqlite') return undefined
  const { url } = store
  const { tryDatabase } = await import('../store/postgres/database.ts')
  return { url, failure: await tryDatabase({ url, password: postgres.password?.reveal() }) }
}

const hourMs = 3_600_000
/** How soon an instance acts on what another one has found out of isolation, in ms. */
const refreshMs = 1_000

/** @throws {@link StoreOpenError} when the store cannot be opened, or keeps less than is demanded */
export async function openPersistence(
  config: Config,
  namer: SessionNamer,
  { clock, logger, metrics }: Dependencies,
  lane: Pick<SharedLane, 'peers'> | undefined,
): Promise<Persistence> {
  await using stack = new AsyncDisposableStack()
  const common = { clock, logger, metrics }
  const { keyCheck: sessionKeyCheck } = namer
  const store = stack.use(
    await openStore(config, { ...common, sessionKeyCheck, peers: lane?.peers }),
  )
  const required = config.requireDurability
  const readiness = await openStoreReadiness({ store, required, clock, logger })
  const verdicts = stack.use(
    await openVerdicts({
      ...common,
      clock: store.clock,
      targets: isolationTargets(config.assistants),
      records: store.isolation,
      refreshMs: store.instances.isShared ? refreshMs : undefined,
      proofMaxAgeMs: config.probe.proofMaxAgeHours * hourMs,
      fingerprintOf,
    }),
  )
  const owned = stack.move()
  return {
    store,
    readiness,
    verdicts,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
