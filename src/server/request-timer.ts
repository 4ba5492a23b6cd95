import type { Timeouts } from '../config/sections/timeouts.ts'
import { RequestTimeoutError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'

/**
 * Waits for data that the client still has to send, up to the request timeout.
 * @throws {@link RequestTimeoutError}
 */
export type RequestTimer = <Value>(arrival: Promise<Value>) => Promise<Value>

export function createRequestTimer(
  clock: Clock,
  { requestMs }: Pick<Timeouts, 'requestMs'>,
): RequestTimer {
  return async <Value>(arrival: Promise<Value>) => {
    const late = Promise.withResolvers<never>()
    using _timer = clock.timer(requestMs, () =>
      late.reject(new RequestTimeoutError('The request was not received in time.')),
    )
    return await Promise.race([arrival, late.promise])
  }
}
