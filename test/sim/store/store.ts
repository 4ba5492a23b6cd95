import type { Position, SessionId } from '../../../src/domain.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Ledger } from '../../../src/store/ledger.ts'
import type { ReplyLog } from '../../../src/store/log.ts'
import type { Store } from '../../../src/store/store.ts'
import { gate, type StoreUser } from './gate.ts'
import { createMemoryIsolation } from './isolation.ts'
import { createMemoryLedger } from './ledger.ts'
import { createMemoryLog, type LogPlaces } from './log.ts'
import { createPipe, type DiskWeather } from './pipe.ts'
import { comparePlaces, type DiskFlaw, type State } from './state.ts'

/** What survives the gateways that use it. */
export interface MemoryDisk {
  /** Raises the epoch: all that runs is an orphan for this user, and an earlier one begins nothing new. */
  open(user: StoreUser): Store
  /** Takes away everything that is not durable. */
  crash(): void
  /** For who judges a run. */
  readonly state: State
}

export function createMemoryDisk(clock: Clock, weather: DiskWeather, flaw?: DiskFlaw): MemoryDisk {
  const pipe = createPipe(clock, weather, flaw)
  const wakes = new Map<SessionId, Set<() => void>>()
  const seqs = new Map<SessionId, number>()
  const held = new Set<string>()
  let epoch = 0
  let lastFence = 0

  const heldKey = (sessionId: SessionId, { epoch: at, seq }: Position) =>
    `${sessionId} ${at}.${seq}`
  const places: LogPlaces = {
    get epoch() {
      return epoch
    },
    next(sessionId) {
      const seq = (seqs.get(sessionId) ?? 0) + 1
      seqs.set(sessionId, seq)
      return { epoch, seq }
    },
    hold(sessionId, position) {
      if (flaw !== 'shows-early') held.add(heldKey(sessionId, position))
    },
    release: (sessionId, position) => void held.delete(heldKey(sessionId, position)),
    isHeld: (sessionId, position) => held.size > 0 && held.has(heldKey(sessionId, position)),
    wake(sessionId) {
      for (const wake of wakes.get(sessionId) ?? []) wake()
    },
    listen(sessionId, wake) {
      const all = wakes.get(sessionId) ?? new Set()
      wakes.set(sessionId, all)
      all.add(wake)
      return { [Symbol.dispose]: () => void all.delete(wake) }
    },
  }

  /** Goes on after what is durable: positions that were shown and lost come to mean something else. */
  function reuseSeqs(): void {
    for (const [sessionId, { events }] of pipe.state.logs) {
      seqs.set(sessionId, events.toSorted(comparePlaces).at(-1)?.seq ?? 0)
    }
  }

  return {
    get state() {
      return pipe.state
    },
    open(user) {
      if (flaw === 'keeps-epoch' && epoch > 0) reuseSeqs()
      else {
        epoch += 1
        seqs.clear()
      }
      const floor = lastFence
      const fences = {
        floor,
        next() {
          lastFence += 1
          return lastFence
        },
      }
      const own: LogPlaces = {
        ...places,
        epoch,
        listen: (sessionId, wake) => places.listen(sessionId, () => user.enter(wake)),
      }
      const opening = epoch
      const isLatest = () => opening === epoch || flaw === 'keeps-epoch' || flaw === 'runs-two'
      const ledger: Ledger = gate(createMemoryLedger(pipe, own, fences, isLatest), user)
      const log: ReplyLog = gate(createMemoryLog(pipe, own), user)
      return {
        ledger,
        log,
        isolation: gate(createMemoryIsolation(pipe), user),
        ping: () => pipe.hard(() => undefined),
        async [Symbol.asyncDispose]() {
          await pipe.hard(() => undefined)
        },
      }
    },
    crash() {
      pipe.crash()
      held.clear()
    },
  }
}
