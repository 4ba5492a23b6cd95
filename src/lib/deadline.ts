import type { Clock } from './clock.ts'

/** A signal that aborts with `reason()` once `ms` have passed since creation or the last `extend`. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Starts the time anew. Costs no timer: safe to call for every network read. */
  extend(): void
}

export function createDeadline(clock: Clock, ms: number, reason: () => Error): Deadline {
  const controller = new AbortController()
  let due = clock.monotonic() + ms
  let timer = clock.timer(ms, check)
  function check() {
    const left = due - clock.monotonic()
    if (left > 0) timer = clock.timer(left, check)
    else controller.abort(reason())
  }
  return {
    signal: controller.signal,
    extend() {
      due = clock.monotonic() + ms
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}
