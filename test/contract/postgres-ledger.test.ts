import { afterAll, beforeAll } from 'vitest'
import { startPooler } from '../kit/process/pooler.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { ledgerContract } from './ledger.ts'
import { outboxContract } from './outbox.ts'
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

for (const [name, open] of [
  ['postgres', () => direct.open()],
  ['postgres behind a pooler', () => pooled.open()],
] as const) {
  ledgerContract(name, open)
  ledgerBeginContract(name, open)
  ledgerRecordsContract(name, open)
  outboxContract(name, open)
  isolationRecordsContract(name, open)
}
