import type { CredentialStatus } from '../../auth/identity.ts'
import type { Cursor } from '../../domain.ts'
import {
  CursorExpiredError,
  DrainingError,
  GatewayError,
  SubscriptionTokenExpiredError,
} from '../../errors.ts'
import type { PresentError } from '../../graphql/execution/errors.ts'
import type { EventOutput, OpenSubscription } from '../../graphql/execution/subscription.ts'
import type { Metrics, SubscriptionEnd } from '../../observe/metrics.ts'
import type { ResponseStream, Gone, Sink, ResponseReader } from './response-stream.ts'
import type { LiveStream, StreamPermit } from './open-streams.ts'
import type { Framing } from './framing.ts'

/** How long a client should wait whose stream was replaced by a newer one of its session. */
const replacedRetryMs = 5_000

/** The parts that all streams share. */
export interface StreamServices {
  readonly present: PresentError
  readonly metrics: Metrics
  /** How long a drained client should wait, in ms. */
  readonly retryMs: () => number
}

/** The abort reason of a stream that nobody reads any more. */
class GoneError extends Error {
  override readonly name = 'GoneError'
  readonly reason: Gone
  constructor(reason: Gone) {
    super(reason)
    this.reason = reason
  }
}

/** The stream was replaced by a newer one of its session. */
class ReplacedError extends Error {
  override readonly name = 'ReplacedError'
}

/**
 * A subscription as a stream: each event once, in order, and an ending that says what to do next. There are thousands of
 * these, mostly idle, so each is one object for all its users instead of a closure for each of them.
 */
export class SubscriptionStream implements ResponseStream, ResponseReader, LiveStream, EventOutput {
  readonly credentialStatus: CredentialStatus
  readonly expiresAt: number
  readonly framing: Framing
  readonly #opened: OpenSubscription
  readonly #permit: StreamPermit
  readonly #services: StreamServices
  readonly #ending = new AbortController()
  #sink: Sink | undefined
  #last: Cursor | undefined

  constructor(
    opened: OpenSubscription,
    framing: Framing,
    credential: { readonly status: CredentialStatus; readonly expiresAt: number },
    permit: StreamPermit,
    services: StreamServices,
  ) {
    this.credentialStatus = credential.status
    this.expiresAt = credential.expiresAt
    this.framing = framing
    this.#opened = opened
    this.#permit = permit
    this.#services = services
    this.#last = opened.start
  }

  open(sink: Sink): ResponseReader {
    this.#sink = sink
    this.#permit.hold(this)
    this.#run(sink).catch((error: unknown) => {
      this.#services.present(error)
      this.#permit[Symbol.dispose]()
      sink.end()
    })
    return this
  }

  abandon(): void {
    this.#permit[Symbol.dispose]()
  }

  frame(payload: string, cursor: Cursor | undefined): string {
    const { framing } = this
    return cursor === undefined ? framing.placeless(payload) : framing.next(payload, cursor)
  }

  send(frames: string, last: Cursor | undefined): Promise<void> | undefined {
    this.#last = last
    return this.#sink?.write(frames)
  }

  gone(reason: Gone): void {
    this.#end(new GoneError(reason))
  }

  expire(why: string): void {
    this.#end(new SubscriptionTokenExpiredError(why))
  }

  replace(): void {
    this.#end(new ReplacedError('A newer stream of the session has replaced this one.'))
  }

  keepAlive(): void {
    this.#sink?.keepAlive(this.framing.keepAlive)
  }

  drain(): void {
    this.#end(new DrainingError('The gateway is shutting down.'))
  }

  #end(reason: Error): void {
    this.#ending.abort(reason)
    this.#sink?.interrupt()
  }

  /** Every failure of the subscription is an ending. A rejection is a fault of ours or of a host's metrics. */
  async #run(sink: Sink): Promise<void> {
    this.#services.metrics.subscriptionOpened()
    let ending: Ending
    try {
      await sink.write(this.framing.opening)
      await this.#opened.follow(this, this.#ending.signal)
      ending = { reason: 'completed', frames: this.framing.complete }
    } catch (error) {
      ending = endingOf(error, this.#last, this.framing, this.#services)
    }
    await this.#close(sink, ending)
  }

  async #close(sink: Sink, { reason, frames }: Ending): Promise<void> {
    using _permit = this.#permit
    if (frames) await sink.write(frames)
    this.#services.metrics.subscriptionEnded(reason)
    sink.end()
  }
}

interface Ending {
  readonly reason: SubscriptionEnd
  readonly frames: string | undefined
}

function endingOf(
  error: unknown,
  last: Cursor | undefined,
  framing: Framing,
  { present, retryMs }: StreamServices,
): Ending {
  if (error instanceof GoneError) return { reason: error.reason, frames: undefined }
  if (error instanceof DrainingError) return { reason: 'drained', frames: framing.retry(retryMs()) }
  // Its client may be alive and have too many windows, so it should not replace another stream at once.
  if (error instanceof ReplacedError) {
    return { reason: 'replaced', frames: framing.retry(replacedRetryMs) }
  }
  if (error instanceof SubscriptionTokenExpiredError) {
    return { reason: 'token-expired', frames: coded(error, { resumeAfter: last }) }
  }
  if (error instanceof CursorExpiredError) {
    return { reason: 'cursor-expired', frames: coded(error, {}) }
  }
  // A failure that may pass by itself does not end the subscription: the client resumes from its last cursor.
  if (error instanceof GatewayError && error.retryable) {
    return { reason: 'error', frames: framing.retry(retryMs()) }
  }
  return { reason: 'error', frames: coded(error, {}) }

  function coded(cause: unknown, more: Readonly<Record<string, unknown>>): string {
    const { message, extensions } = present(cause)
    return framing.failed(JSON.stringify([{ message, extensions: { ...extensions, ...more } }]))
  }
}
