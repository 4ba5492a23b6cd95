import { setTimeout as delay } from 'node:timers/promises'

/** Time as a parameter: tests and simulations pass their own. */
export interface Clock {
  /** Wall clock, in ms since the Unix epoch. May jump; never used to order or to time out. */
  now(): number
  /** Monotonic clock, in ms from an arbitrary start. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`, unless disposed before. */
  timer(ms: number, run: () => void): Disposable
}

/** Longer delays than this (24.8 days) overflow in the platform's timers and fire at once. */
const maxDelayMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    signal.throwIfAborted()
    try {
      await delay(ms, undefined, { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  },
  timer(ms, run) {
    const due = performance.now() + ms
    let handle = setTimeout(fire, Math.min(ms, maxDelayMs))
    function fire() {
      const left = due - performance.now()
      if (ms > maxDelayMs && left > 0) handle = setTimeout(fire, Math.min(left, maxDelayMs))
      else run()
    }
    return { [Symbol.dispose]: () => clearTimeout(handle) }
  },
}
