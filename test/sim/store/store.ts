import { alone } from '../../kit/fakes/instances.ts'
import type { SessionId } from '../../../src/domain.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { NewId } from '../../../src/lib/id.ts'
import type { Store } from '../../../src/store/store.ts'
import { type Commits, createCommits, type DiskWeather, fairWeather } from './commits.ts'
import { gate, type StoreUser } from './gate.ts'
import { createMemoryIsolation } from './isolation.ts'
import { createLeases } from './leases.ts'
import { createMemoryLedger } from './ledger.ts'
import { createMemoryLog } from './log.ts'
import { createMemoryOutbox } from './outbox.ts'
import type { DiskFlaw } from './flaw.ts'
import type { State } from './state.ts'
import { createTokens } from './tokens.ts'

/** What survives the gateways that use it. */
export interface MemoryDisk {
  /** All that runs is an orphan for this user, and an earlier one begins nothing new. */
  open(user: StoreUser): Store
  /** Takes away all writes that are under way. What a process holds dies with the process. */
  crash(): void
  /** For who judges a run. */
  readonly state: State
}

export function createMemoryDisk(options: {
  readonly clock: Clock
  readonly weather: DiskWeather
  readonly newId: NewId
  readonly flaw?: DiskFlaw | undefined
}): MemoryDisk {
  const { clock, weather, newId, flaw } = options
  const listeners = createListeners()
  const commits: Commits = createCommits(clock, weather, wakeReaders, flaw)
  let openings = 0

  function wakeReaders(): void {
    const { changed } = commits.state
    const sessions = [...changed]
    changed.clear()
    for (const sessionId of sessions) listeners.wake(sessionId)
    // What runs cannot be written: whoever waits for it is told.
    if (commits.isFailing) listeners.wakeAll()
  }

  return {
    get state() {
      return commits.state
    },
    open(user) {
      openings += 1
      const opening = openings
      const isLatest = () => opening === openings || flaw === 'runs-two'
      const tokens = createTokens(newId, flaw)
      const leases = createLeases(commits, tokens, user, listeners.wake)
      const log = createMemoryLog(commits, leases, (sessionId, wake) =>
        listeners.listen(sessionId, () => user.enter(wake)),
      )
      return {
        ledger: gate(createMemoryLedger(commits, leases, tokens, isLatest), user),
        log: gate(log, user),
        outbox: gate(createMemoryOutbox(commits), user),
        isolation: gate(createMemoryIsolation(commits), user),
        instances: alone,
        clock,
        ping: () => commits.write('ping', () => undefined),
        durability: async () => ({
          survives: 'disk',
          because: 'a crash of the world takes no write away',
        }),
        [Symbol.asyncDispose]: () => leases.flush(),
      }
    },
    crash: () => commits.crash(),
  }
}

/** A store in memory that nothing goes wrong with, for one process. */
export function openMemoryStore(clock: Clock, newId: NewId): Store {
  return createMemoryDisk({ clock, weather: fairWeather, newId }).open({
    answerMs: () => 0,
    isAlive: true,
    enter: (run) => run(),
    timer: (ms, run) => clock.timer(ms, run),
  })
}

function createListeners() {
  const wakes = new Map<SessionId, Set<() => void>>()
  function wake(sessionId: SessionId): void {
    for (const each of wakes.get(sessionId) ?? []) each()
  }
  return {
    wake,
    wakeAll() {
      for (const sessionId of wakes.keys()) wake(sessionId)
    },
    listen(sessionId: SessionId, run: () => void): Disposable {
      const all = wakes.get(sessionId) ?? new Set()
      wakes.set(sessionId, all)
      all.add(run)
      return { [Symbol.dispose]: () => void all.delete(run) }
    },
  }
}
