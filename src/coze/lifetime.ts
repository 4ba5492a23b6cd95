import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { CozeError } from './errors.ts'

/** What may end an exchange from outside: the caller's signal, a total time, and the time of its current phase. */
export interface Lifetime extends Disposable {
  /** Begins a phase, ending the one before. */
  enter(ms: number, error: () => CozeError): void
  /** Starts the phase's time anew. Costs no timer. */
  extend(): void
  /** Ends the phase; the caller's signal still counts. */
  leave(): void
}

/** @param fail called at most once, with the signal's reason or the error of the deadline that passed */
export function openLifetime(
  options: { readonly clock: Clock; readonly fail: (reason: Error) => void },
  signal: AbortSignal,
): Lifetime {
  const { clock, fail } = options
  let phase: ReturnType<typeof createDeadline> | undefined
  const listener = onAbort(signal, () => fail(signal.reason))

  return {
    enter(ms, error) {
      phase?.[Symbol.dispose]()
      const entered = createDeadline(clock, ms, error)
      phase = entered
      entered.signal.addEventListener('abort', () => fail(entered.signal.reason), { once: true })
    },
    extend() {
      phase?.extend()
    },
    leave() {
      phase?.[Symbol.dispose]()
      phase = undefined
    },
    [Symbol.dispose]() {
      listener[Symbol.dispose]()
      phase?.[Symbol.dispose]()
    },
  }
}
