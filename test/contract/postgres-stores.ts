import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import type { SessionLogLimits } from '../../src/store/session-logs.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import type { Mortal } from '../kit/history/log-model.ts'
import { ask } from '../kit/process/instances.ts'
import type { PostgresServer } from '../kit/process/postgres.ts'

export interface PostgresStores {
  open(limits?: SessionLogLimits): Promise<Store>
  /** A process that is killed leaves the database as it is, and is never heard of again. */
  openMortal(limits?: SessionLogLimits): Promise<Mortal>
}

/**
 * Stores of a server, each on a new database: a copy of one that has all tables.
 * @param through the URL by which the gateway reaches a database
 */
export async function createPostgresStores(
  server: PostgresServer,
  through: (url: string) => string = (url) => url,
): Promise<PostgresStores> {
  const empty = await server.newDatabase()
  await (await openOn(empty))[Symbol.asyncDispose]()
  return {
    open: async (limits) => openOn(through(await server.newDatabase(empty)), limits),
    async openMortal(limits) {
      let url = await server.newDatabase(empty)
      let store = await openOn(through(url), limits)
      return {
        get store() {
          return store
        },
        async crash() {
          const killed = store
          url = await server.copyDatabase(url)
          // Known to be dead.
          await ask(url, 'DELETE FROM instance')
          store = await openOn(through(url), limits)
          await killed[Symbol.asyncDispose]()
        },
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      }
    },
  }
}

function openOn(url: string, limits?: SessionLogLimits): Promise<Store> {
  return openPostgresStore({
    url,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    ...(limits && { limits }),
  })
}
