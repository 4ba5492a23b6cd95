import type { Clock } from '../../src/lib/clock.ts'
import { onAbort } from '../../src/lib/on-abort.ts'

/** The clock of one process: it can be stopped for ever, or for a while. */
export interface ProcessClock extends Clock {
  /** Nothing of this process happens any more: no timer fires, no sleep ends. */
  kill(): void
  /** The event loop stands still: what falls due meanwhile happens after `ms`. */
  freeze(ms: number): void
  readonly isAlive: boolean
  /** Runs once the process can: at once, after it thawed, or never. Keeps the order of the calls. */
  enter(run: () => void): void
}

/** Virtual time. It passes only when nothing is left to do. */
export interface Timeline {
  /** Of the world outside: network, upstream, disk, people. */
  readonly clock: Clock
  process(): ProcessClock
  /** Moves the wall clock of everybody; the monotonic one goes on as before. */
  jump(ms: number): void
  /** Lets time pass until `isDone`, at most until `deadlineMs` on the monotonic clock. False: it was not done by then. */
  run(isDone: () => boolean, deadlineMs: number): Promise<boolean>
  /** Timers that fired: the size of a run. */
  readonly steps: number
}

interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

export function createTimeline(startAt: number): Timeline {
  const queue = createTimerQueue()
  let wall = startAt
  let monotonic = 0
  let order = 0
  let steps = 0

  function timer(ms: number, run: () => void): Disposable {
    order += 1
    const entry: Timer = { at: monotonic + Math.max(0, ms), order, run }
    queue.add(entry)
    return {
      [Symbol.dispose]() {
        entry.run = undefined
      },
    }
  }

  const clock: Clock = createClock({ now: () => wall, monotonic: () => monotonic }, timer)

  function process(): ProcessClock {
    let isAlive = true
    let thawAt = 0
    let waiting: (() => void)[] = []

    function thaw() {
      if (monotonic < thawAt) return void timer(thawAt - monotonic, thaw)
      const due = waiting
      waiting = []
      for (const run of due) if (isAlive) run()
    }

    function enter(run: () => void): void {
      if (!isAlive) return
      if (monotonic < thawAt) waiting.push(run)
      else run()
    }

    const own = createClock(
      { now: () => wall, monotonic: () => monotonic },
      (ms, run): Disposable => {
        let isDisposed = false
        const inner = timer(ms, () => enter(() => isDisposed || run()))
        return {
          [Symbol.dispose]() {
            isDisposed = true
            inner[Symbol.dispose]()
          },
        }
      },
    )
    return {
      ...own,
      enter,
      kill() {
        isAlive = false
        waiting = []
      },
      freeze(ms) {
        const isThawed = monotonic >= thawAt
        thawAt = Math.max(thawAt, monotonic + ms)
        if (isThawed) timer(ms, thaw)
      },
      get isAlive() {
        return isAlive
      },
    }
  }

  return {
    clock,
    process,
    jump(ms) {
      wall += ms
    },
    async run(isDone, deadlineMs) {
      for (;;) {
        // All that one step set in motion happens in microtasks: they are over when the loop turns.
        await new Promise((resolve) => setImmediate(resolve))
        if (isDone()) return true
        const next = queue.take(deadlineMs)
        if (next === undefined) return false
        wall += next.at - monotonic
        monotonic = next.at
        steps += 1
        next.run?.()
      }
    },
    get steps() {
      return steps
    },
  }
}

function createClock(
  hands: Pick<Clock, 'now' | 'monotonic'>,
  timer: (ms: number, run: () => void) => Disposable,
): Clock {
  return {
    ...hands,
    timer,
    async sleep(ms, signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      using _timer = timer(ms, resolve)
      using _listener = onAbort(signal, () => reject(signal.reason))
      await promise
    },
  }
}

/** The earliest first; of the same instant, the one that was set first. */
function createTimerQueue() {
  /** The next one is the last of the list. */
  let timers: Timer[] = []
  let disposedAtLeast = 0

  function isBefore(left: Timer, right: Timer): boolean {
    return left.at < right.at || (left.at === right.at && left.order < right.order)
  }

  return {
    add(timer: Timer) {
      let low = 0
      let high = timers.length
      while (low < high) {
        const middle = (low + high) >>> 1
        const other = timers[middle]
        if (other !== undefined && isBefore(timer, other)) low = middle + 1
        else high = middle
      }
      timers.splice(low, 0, timer)
      disposedAtLeast += 1
      if (disposedAtLeast > 2000) {
        timers = timers.filter(({ run }) => run !== undefined)
        disposedAtLeast = 0
      }
    },
    take(untilMs: number): Timer | undefined {
      for (;;) {
        const next = timers.at(-1)
        if (next === undefined || next.at > untilMs) return undefined
        timers.pop()
        if (next.run !== undefined) return next
      }
    },
  }
}
