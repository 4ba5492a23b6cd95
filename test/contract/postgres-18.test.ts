import { afterAll, beforeAll } from 'vitest'
import { copyEmbeddedPostgres } from '../kit/process/postgres-programs.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { ledgerContract } from './ledger.ts'
import { logContract } from './log.ts'
import { outboxContract } from './outbox.ts'
import { createPostgresStores, type PostgresStores } from './postgres-stores.ts'

const stack = new AsyncDisposableStack()
let stores: PostgresStores
beforeAll(async () => {
  const { bin } = stack.use(await copyEmbeddedPostgres())
  stores = await createPostgresStores(stack.use(await startPostgres([], bin)))
})
afterAll(() => stack.disposeAsync())

const name = 'postgres 18'
const open = () => stores.open()
ledgerContract(name, open)
ledgerBeginContract(name, open)
ledgerRecordsContract(name, open)
outboxContract(name, open)
isolationRecordsContract(name, open)
logContract(name, open, () => stores.openMortal())
