import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { ledgerContract } from './ledger.ts'
import { outboxContract } from './outbox.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-ledger-'))
})
afterAll(() => rm(folder, { recursive: true }))

const openFile = (file: string) =>
  openSqliteStore({
    file,
    clock: systemClock,
    logger: silentLogger,
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })
const inMemory = () => openFile(':memory:')
const inFile = () => openFile(join(folder, randomId(), 'store.db'))

for (const [name, open] of [
  ['sqlite in memory', inMemory],
  ['sqlite in a file', inFile],
] as const) {
  ledgerContract(name, open)
  ledgerBeginContract(name, open)
  ledgerRecordsContract(name, open)
  outboxContract(name, open)
  isolationRecordsContract(name, open)
}
