import { systemClock } from '../../src/lib/clock.ts'
import { randomId } from '../kit/fakes/ids.ts'
import type { Mortal } from '../kit/history/log-model.ts'
import { fairWeather } from '../sim/store/commits.ts'
import type { StoreUser } from '../sim/store/gate.ts'
import { createMemoryDisk, openMemoryStore } from '../sim/store/store.ts'
import { isolationRecordsContract } from './isolation-records.ts'
import { ledgerContract } from './ledger.ts'
import { ledgerBeginContract } from './ledger-begin.ts'
import { ledgerRecordsContract } from './ledger-records.ts'
import { logContract } from './log.ts'
import { outboxContract } from './outbox.ts'

const open = async () => openMemoryStore(systemClock, randomId)

/** A process on a disk, and the one after it. */
async function openMortal(): Promise<Mortal> {
  const disk = createMemoryDisk({ clock: systemClock, weather: fairWeather, newId: randomId })
  let process = newProcess()
  let store = disk.open(process)
  return {
    get stores() {
      return [store]
    },
    async crash() {
      process.isAlive = false
      disk.crash()
      process = newProcess()
      store = disk.open(process)
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

function newProcess(): StoreUser & { isAlive: boolean } {
  return {
    isAlive: true,
    answerMs: () => 0,
    enter(run) {
      if (this.isAlive) run()
    },
    timer(ms, run) {
      return systemClock.timer(ms, () => this.enter(run))
    },
  }
}

ledgerContract('simulated', open)
ledgerBeginContract('simulated', open)
ledgerRecordsContract('simulated', open)
logContract('simulated', open, openMortal)
outboxContract('simulated', open)
isolationRecordsContract('simulated', open)
