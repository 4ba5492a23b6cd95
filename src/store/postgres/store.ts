import { createRandomIds } from '../../lib/id.ts'
import { type MainHalfOptions, openMainHalf } from '../main-half/main-half.ts'
import type { Store } from '../store.ts'
import { PostgresEngine } from './engine.ts'
import { type Heartbeat, heartbeatFor } from './presence.ts'

export { heartbeatFor }

/** A server that restarts, or another one that takes its place, is back by then. */
const bearMs = 15_000

export interface PostgresStoreOptions extends MainHalfOptions {
  /** `postgres://…`, with the options that `libpq` knows, such as `sslmode` and `sslrootcert`. */
  readonly url: string
  /** Takes the place of what the URL has. */
  readonly password?: string | undefined
  /** Connections that are open at once. Default 10. */
  readonly maxConnections?: number
  /** A digest of the session key: stored at creation, compared at every opening. */
  readonly sessionKeyCheck: string
  readonly heartbeat?: Heartbeat
  /** Replies of one session that run at once, over all instances. Default: no limit. */
  readonly maxRunningPerSession?: number
}

/** Opens a store on a PostgreSQL server. @throws {@link StoreOpenError} */
export function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const {
    url,
    password,
    maxConnections = 10,
    sessionKeyCheck,
    heartbeat = heartbeatFor(15_000),
    maxRunningPerSession = 2 ** 31 - 1,
    clock,
  } = options
  const newId = createRandomIds()
  const engine = {
    url,
    password,
    maxConnections,
    sessionKeyCheck,
    heartbeat,
    maxRunningPerSession,
    clock,
    newId,
    // By one name in the store and to its peers.
    name: options.peers?.name ?? newId(),
  }
  return openMainHalf((listener) => new PostgresEngine(engine, listener), {
    bearMs,
    ...options,
    confirmAfterMs: heartbeat.deadAfterMs / 3,
  })
}
