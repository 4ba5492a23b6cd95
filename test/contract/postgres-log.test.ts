import { afterAll, beforeAll } from 'vitest'
import { startPooler } from '../kit/process/pooler.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { logContract } from './log.ts'
import { createPostgresStores, type PostgresStores } from './postgres-stores.ts'

const stack = new AsyncDisposableStack()
let direct: PostgresStores
let pooled: PostgresStores
beforeAll(async () => {
  const server = stack.use(await startPostgres())
  const pooler = stack.use(await startPooler(server))
  direct = await createPostgresStores(server)
  pooled = await createPostgresStores(server, (url) => pooler.through(url))
})
afterAll(() => stack.disposeAsync())

/** Nothing is kept in memory that need not be: every reader meets the tables. */
const littleMemory = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }

logContract(
  'postgres',
  () => direct.open(),
  () => direct.openMortal(),
)
logContract(
  'postgres with little memory',
  () => direct.open(littleMemory),
  () => direct.openMortal(littleMemory),
)
logContract(
  'postgres behind a pooler, with little memory',
  () => pooled.open(littleMemory),
  () => pooled.openMortal(littleMemory),
)
