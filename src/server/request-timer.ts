import type { Timeouts } from '../config/timeouts.ts'
import { RequestTimeoutError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import { untilAborted } from '../lib/on-abort.ts'

/**
 * Waits for what a client still has to send, for as long as a request may take.
 * @throws {@link RequestTimeoutError}
 */
export type RequestTimer = <Value>(arrival: Promise<Value>) => Promise<Value>

export function createRequestTimer(
  clock: Clock,
  { requestMs }: Pick<Timeouts, 'requestMs'>,
): RequestTimer {
  return async (arrival) => {
    const late = () => new RequestTimeoutError('The request took too long to come.')
    using deadline = createDeadline(clock, requestMs, late)
    return await untilAborted(arrival, deadline.signal)
  }
}
