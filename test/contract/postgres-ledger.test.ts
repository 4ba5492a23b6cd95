import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { ledgerContract } from './ledger.ts'
import { outboxContract } from './outbox.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const name = 'postgres'
const open = async () =>
  openPostgresStore({
    url: await server.newDatabase(),
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })

ledgerContract(name, open)
ledgerBeginContract(name, open)
ledgerRecordsContract(name, open)
outboxContract(name, open)
isolationRecordsContract(name, open)
