import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { SessionLogLimits } from '../../src/store/session-logs.ts'
import { randomId } from '../kit/fakes/ids.ts'
import type { Mortal } from '../kit/history/log-model.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { openStoreHalves } from '../kit/fakes/store-halves.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { logContract } from './log.ts'

const common = {
  clock: systemClock,
  logger: silentLogger,
  metrics: uncounted,
  sessionKeyCheck: 'check',
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-log-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const newFile = () => join(folder, randomId(), 'store.db')

/** A process that is killed leaves the files as they are. */
async function openMortal(limits?: SessionLogLimits): Promise<Mortal> {
  let file = newFile()
  const openHalves = () => openStoreHalves({ file, ...(limits && { limits }) })
  let halves = await openHalves()
  return {
    get stores() {
      return [halves.store]
    },
    async crash() {
      const killed = halves
      const copy = newFile()
      await mkdir(dirname(copy))
      for (const suffix of ['', '-wal']) await copyFile(file + suffix, copy + suffix)
      file = copy
      halves = await openHalves()
      await killed[Symbol.asyncDispose]()
    },
    [Symbol.asyncDispose]: () => halves[Symbol.asyncDispose](),
  }
}

/** Nothing is kept in memory that need not be: every reader meets the tables. */
const littleMemory = { maxSessions: 1, maxLength: 0, maxBusyLength: 100 }
const open = (file: string, limits?: SessionLogLimits) =>
  openSqliteStore({ ...common, file, ...(limits && { limits }) })

logContract('sqlite in memory', () => open(':memory:'))
logContract(
  'sqlite in a file',
  () => open(newFile()),
  () => openMortal(),
)
logContract(
  'sqlite with little memory',
  () => open(':memory:', littleMemory),
  () => openMortal(littleMemory),
)
