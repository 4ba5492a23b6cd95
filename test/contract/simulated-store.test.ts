import { systemClock } from '../../src/lib/clock.ts'
import { randomId } from '../kit/ids.ts'
import { openMemoryStore } from '../sim/store/store.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerContract } from './ledger.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { outboxContract } from './outbox.ts'

const open = async () => openMemoryStore(systemClock, randomId)

ledgerContract('simulated', open)
ledgerRecordsContract('simulated', open)
outboxContract('simulated', open)
isolationRecordsContract('simulated', open)
