import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { type Pooler, startPooler } from '../kit/process/pooler.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { ledgerContract } from './ledger.ts'
import { outboxContract } from './outbox.ts'

let server: PostgresServer
let pooler: Pooler
beforeAll(async () => {
  server = await startPostgres()
  pooler = await startPooler(server)
})
afterAll(async () => {
  await pooler[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const open = (url: string) =>
  openPostgresStore({
    url,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })

for (const [name, openNew] of [
  ['postgres', async () => open(await server.newDatabase())],
  ['postgres behind a pooler', async () => open(pooler.through(await server.newDatabase()))],
] as const) {
  ledgerContract(name, openNew)
  ledgerBeginContract(name, openNew)
  ledgerRecordsContract(name, openNew)
  outboxContract(name, openNew)
  isolationRecordsContract(name, openNew)
}
