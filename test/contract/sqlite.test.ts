import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { randomId } from '../../src/lib/id.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { ledgerContract } from './ledger.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }
const common = { clock: systemClock, logger, sessionKeyCheck: 'check', busyTimeoutMs: 100 }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-store-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const inMemory = () => openSqliteStore({ ...common, file: ':memory:' })
const inFile = () => openSqliteStore({ ...common, file: join(folder, randomId(), 'store.db') })

ledgerContract('sqlite in memory', inMemory)
ledgerContract('sqlite in a file', inFile)
