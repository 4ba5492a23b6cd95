import { systemClock } from '../../src/lib/clock.ts'
import type { StoreUser } from '../sim/store/gate.ts'
import { fairWeather } from '../sim/store/pipe.ts'
import { createMemoryDisk } from '../sim/store/store.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerContract } from './ledger.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { logContract } from './log.ts'

const alwaysThere: StoreUser = {
  isAlive: true,
  enter: (run) => run(),
  timer: (ms, run) => systemClock.timer(ms, run),
  answerMs: () => 0,
}
const open = async () => createMemoryDisk(systemClock, fairWeather).open(alwaysThere)

ledgerContract('in memory, for simulations', open)
ledgerRecordsContract('in memory, for simulations', open)
logContract('in memory, for simulations', open)
isolationRecordsContract('in memory, for simulations', open)
