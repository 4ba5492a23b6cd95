import { systemClock } from '../../src/lib/clock.ts'
import { fairWeather } from '../sim/store/pipe.ts'
import { createMemoryDisk } from '../sim/store/store.ts'
import { ledgerContract } from './ledger.ts'
import { logContract } from './log.ts'

const alwaysThere = { isAlive: true, enter: (run: () => void) => run() }
const open = async () => createMemoryDisk(systemClock, fairWeather).open(alwaysThere)

ledgerContract('in memory, for simulations', open)
logContract('in memory, for simulations', open)
