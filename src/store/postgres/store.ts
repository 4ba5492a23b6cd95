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
}

/** Opens a store on a PostgreSQL server. @throws {@link StoreOpenError} */
export function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const {
    url,
    password,
    maxConnections = 10,
    sessionKeyCheck,
    heartbeat = heartbeatFor(15_000),
    clock,
  } = options
  const newId = createRandomIds()
  // By one name in the store and to its peers.
  const name = options.peers?.name ?? newId()
  const engine = { url, password, maxConnections, sessionKeyCheck, heartbeat, clock, newId, name }
  return openMainHalf((listener) => new PostgresEngine(engine, listener), {
    bearMs,
    ...options,
    confirmAfterMs: heartbeat.deadAfterMs / 3,
  })
}
