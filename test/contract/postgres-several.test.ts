import { afterAll, beforeAll, describe, it } from 'vitest'
import { figure } from '../kit/process/soak.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { tryAnySteps } from './log.ts'
import { createPostgresStores, type PostgresStores } from './postgres-stores.ts'

let server: PostgresServer
let stores: PostgresStores
beforeAll(async () => {
  server = await startPostgres()
  stores = await createPostgresStores(server)
})
afterAll(() => server[Symbol.asyncDispose]())

/** Nothing is kept in memory that need not be: every reader meets the tables. */
const littleMemory = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }

describe('several instances on one PostgreSQL', () => {
  it.each([
    ['two', 2, undefined],
    ['three', 3, undefined],
    ['three with little memory', 3, littleMemory],
  ])(
    'P2 P3: F21: F23: leave every reader with the state that the log tells, after any steps of any of them, whichever are taken for dead and go on (%s)',
    async (_, count, limits) => {
      await tryAnySteps(() => stores.openSeveral(count, limits), figure(20, 300))
    },
  )
})
