import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../src/lib/clock.ts'
import { onAbort } from '../../../src/lib/on-abort.ts'

/** Time that passes only when a test says so. */
export interface FakeClock extends Clock {
  /** Lets `ms` pass on both clocks, firing what is due in its order. */
  advance(ms: number): void
  /** The same step by step: work that a timer wakes runs before the next one fires. */
  pass(ms: number): Promise<void>
  /** Lets `ms` pass on both clocks in one go: timers that are due then fire late. */
  delay(ms: number): void
  /** Moves the wall clock alone. */
  jump(ms: number): void
  /** Timers and sleeps that have not fired. */
  readonly pending: number
}

export function createFakeClock(startAt = Date.UTC(2026, 0, 1)): FakeClock {
  let wall = startAt
  let monotonic = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()

  function timer(ms: number, run: () => void): Disposable {
    const entry = { at: monotonic + Math.max(0, ms), run }
    timers.add(entry)
    return { [Symbol.dispose]: () => void timers.delete(entry) }
  }

  return {
    now: () => wall,
    monotonic: () => monotonic,
    timer,
    async sleep(ms, signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      using _timer = timer(ms, resolve)
      using _listener = onAbort(signal, () => reject(signal.reason))
      await promise
    },
    advance(ms) {
      const until = monotonic + ms
      while (fireNext(until)) {}
      moveTo(until)
    },
    async pass(ms) {
      const until = monotonic + ms
      do await settle()
      while (fireNext(until))
      moveTo(until)
      await settle()
    },
    delay: (ms) => moveTo(monotonic + ms),
    jump(ms) {
      wall += ms
    },
    get pending() {
      return timers.size
    },
  }

  function fireNext(until: number): boolean {
    const [next] = [...timers].toSorted((a, b) => a.at - b.at)
    if (next === undefined || next.at > until) return false
    timers.delete(next)
    moveTo(Math.max(monotonic, next.at))
    next.run()
    return true
  }

  function moveTo(to: number) {
    wall += to - monotonic
    monotonic = to
  }
}

/** Lets promises and I/O that are ready run. */
async function settle() {
  for (let turns = 0; turns < 5; turns += 1) await turn()
}
