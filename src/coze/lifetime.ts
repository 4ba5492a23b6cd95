import type { Clock } from '../lib/clock.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { CozeError } from './errors.ts'

/**
 * What may end an exchange from outside: the caller's signal, a total time, and the time of its current phase. One timer
 * serves them all: it is set anew only when it fires, or when something is due before it would.
 */
export interface CallLifetime extends Disposable {
  /** Sets the time for all phases together, from now on. */
  limit(ms: number, error: () => CozeError): void
  /** Begins a phase, ending the one before. */
  enter(ms: number, error: () => CozeError): void
  /** Starts the phase's time anew. Costs no timer. */
  extend(): void
  /** Ends the phase; the total time and the caller's signal still count. */
  leave(): void
}

interface Due {
  readonly ms: number
  readonly error: () => CozeError
  at: number
}

/** @param fail called at most once, with the signal's reason or the error of the time that is over */
export function openLifetime(
  options: { readonly clock: Clock; readonly fail: (reason: Error) => void },
  signal: AbortSignal,
): CallLifetime {
  const { clock, fail } = options
  let total: Due | undefined
  let phase: Due | undefined
  let timer: Disposable | undefined
  /** When the timer fires. */
  let firesAt = Number.POSITIVE_INFINITY
  const listener = onAbort(signal, () => fail(signal.reason))

  function begin(ms: number, error: () => CozeError): Due {
    const at = clock.monotonic() + ms
    if (at < firesAt) wakeAt(at)
    return { ms, error, at }
  }

  function wakeAt(at: number): void {
    timer?.[Symbol.dispose]()
    firesAt = at
    timer = clock.timer(Math.max(0, at - clock.monotonic()), check)
  }

  function check(): void {
    firesAt = Number.POSITIVE_INFINITY
    timer = undefined
    const now = clock.monotonic()
    for (const due of [phase, total]) {
      if (due === undefined || due.at > now) continue
      fail(due.error())
      return
    }
    const next = Math.min(phase?.at ?? firesAt, total?.at ?? firesAt)
    if (next < firesAt) wakeAt(next)
  }

  return {
    limit(ms, error) {
      total = begin(ms, error)
    },
    enter(ms, error) {
      phase = begin(ms, error)
    },
    extend() {
      if (phase !== undefined) phase.at = clock.monotonic() + phase.ms
    },
    leave() {
      phase = undefined
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
      listener[Symbol.dispose]()
    },
  }
}
