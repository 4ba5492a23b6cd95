import type { Proof } from '../auth/identity.ts'
import type { Cursor } from '../domain.ts'
import {
  CursorExpiredError,
  DrainingError,
  GatewayError,
  SubscriptionTokenExpiredError,
} from '../errors.ts'
import type { PresentError } from '../graphql/errors.ts'
import type { OpenSubscription } from '../graphql/subscription.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics, SubscriptionEnd } from '../observe/metrics.ts'
import type { EventStream, Gone, Sink } from './event-stream.ts'
import type { StreamPlace } from './open-streams.ts'
import { commentFrame, completeFrame, nextFrame, placelessFrame, retryFrame } from './sse.ts'

/** How long a client waits whose stream was replaced by a newer one of its session. */
const replacedRetryMs = 5_000

export interface SubscriptionStreamOptions {
  readonly opened: OpenSubscription
  readonly place: StreamPlace
  /** What the caller's credential rests on. */
  readonly proof: Proof
  /** When the caller's credential stops being accepted, in ms since the epoch. */
  readonly expiresAt: number
  readonly clock: Clock
  readonly present: PresentError
  readonly metrics: Metrics
  /** How long a drained client should wait, in ms. */
  readonly retryMs: () => number
}

/** Why a stream that nobody reads any more was aborted. */
class GoneError extends Error {
  override readonly name = 'GoneError'
  readonly reason: Gone
  constructor(reason: Gone) {
    super(reason)
    this.reason = reason
  }
}

/** The place of a stream was given to a newer one of its session. */
class ReplacedError extends Error {
  override readonly name = 'ReplacedError'
}

/** A subscription as a stream: each event once, in order, and an ending that says what to do next. */
export function createSubscriptionStream(options: SubscriptionStreamOptions): EventStream {
  return {
    open(sink) {
      const ending = new AbortController()
      const end = (reason: Error) => {
        ending.abort(reason)
        sink.interrupt()
      }
      options.place.occupy({
        proof: options.proof,
        expire: () =>
          end(new SubscriptionTokenExpiredError('The credential is not accepted any more.')),
        replace: () => end(new ReplacedError('A newer stream has taken its place.')),
        keepAlive: () => sink.keepAlive(),
        drain: () => end(new DrainingError('The gateway is shutting down.')),
      })
      run(options, sink, ending.signal, end).catch((error: unknown) => {
        options.present(error)
        sink.end()
      })
      return { gone: (reason) => end(new GoneError(reason)) }
    },
  }
}

/** Every failure of the subscription is an ending; a rejection is a fault of ours or of a host's meter. */
async function run(
  options: SubscriptionStreamOptions,
  sink: Sink,
  signal: AbortSignal,
  abort: (reason: Error) => void,
): Promise<void> {
  const { opened, place, metrics } = options
  using _place = place
  using _expiry = armExpiry(options, abort)
  let last = opened.start
  const frame = (payload: string, cursor: Cursor | undefined) => {
    if (cursor === undefined) return placelessFrame(payload)
    last = cursor
    return nextFrame(payload, cursor)
  }
  metrics.subscriptionOpened()
  let reason: SubscriptionEnd
  try {
    await sink.write(commentFrame)
    await opened.follow(frame, (frames) => sink.write(frames), signal)
    await sink.write(completeFrame)
    reason = 'completed'
  } catch (error) {
    const ending = endingOf(error, last, options)
    if (ending.frames) await sink.write(ending.frames)
    reason = ending.reason
  }
  metrics.subscriptionEnded(reason)
  sink.end()
}

interface Ending {
  readonly reason: SubscriptionEnd
  readonly frames: string | undefined
}

function endingOf(
  error: unknown,
  last: Cursor | undefined,
  { present, retryMs }: SubscriptionStreamOptions,
): Ending {
  if (error instanceof GoneError) return { reason: error.reason, frames: undefined }
  if (error instanceof DrainingError) return { reason: 'drained', frames: retryFrame(retryMs()) }
  // Its client may be alive, and have more windows than it may: it should not take the place of another at once.
  if (error instanceof ReplacedError) {
    return { reason: 'replaced', frames: retryFrame(replacedRetryMs) }
  }
  if (error instanceof SubscriptionTokenExpiredError) {
    return { reason: 'token-expired', frames: coded(error, { resumeAfter: last }) }
  }
  if (error instanceof CursorExpiredError) {
    return { reason: 'cursor-expired', frames: coded(error, {}) }
  }
  // What may pass by itself is no end of the subscription: the client goes on from its last cursor.
  if (error instanceof GatewayError && error.retryable) {
    return { reason: 'error', frames: retryFrame(retryMs()) }
  }
  return { reason: 'error', frames: coded(error, {}) }

  function coded(cause: unknown, more: Readonly<Record<string, unknown>>): string {
    const { message, extensions } = present(cause)
    const errors = [{ message, extensions: { ...extensions, ...more } }]
    return `${placelessFrame(JSON.stringify({ errors }))}${completeFrame}`
  }
}

function armExpiry(
  { clock, expiresAt }: SubscriptionStreamOptions,
  abort: (reason: Error) => void,
): Disposable {
  let timer = arm()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }

  function arm(): Disposable {
    return clock.timer(Math.max(expiresAt - clock.now(), 0), check)
  }

  function check(): void {
    if (clock.now() < expiresAt) timer = arm()
    else abort(new SubscriptionTokenExpiredError('The credential has expired.'))
  }
}
