import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import type { SessionLogLimits } from '../../src/store/session-logs.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import type { Mortal } from '../kit/history/log-model.ts'
import { ask } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { logContract } from './log.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

function open(url: string, limits?: SessionLogLimits) {
  return openPostgresStore({
    url,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
    ...(limits && { limits }),
  })
}

/** A process that is killed leaves the database as it is, and is never heard of again. */
async function openMortal(limits?: SessionLogLimits): Promise<Mortal> {
  let url = await server.newDatabase()
  let store = await open(url, limits)
  return {
    get store() {
      return store
    },
    async crash() {
      const killed = store
      url = await server.copyDatabase(url)
      // Known to be dead.
      await ask(url, 'DELETE FROM instance')
      store = await open(url, limits)
      await killed[Symbol.asyncDispose]()
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Nothing is kept in memory that need not be: every reader meets the tables. */
const littleMemory = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }

logContract(
  'postgres',
  async () => open(await server.newDatabase()),
  () => openMortal(),
)
logContract(
  'postgres with little memory',
  async () => open(await server.newDatabase(), littleMemory),
  () => openMortal(littleMemory),
)
