import type { CredentialStatus } from '../../auth/identity.ts'
import type { SessionId } from '../../domain.ts'
import { DrainingError, RateLimitedError, UnavailableError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'

const buckets = 8
/** The message for a session whose subscriptions are all still being opened. */
const retryAfterMs = 5_000

export interface LiveStream {
  /** The status of its caller's credential. */
  readonly credentialStatus: CredentialStatus
  /** When the caller's credential stops being accepted, in ms since the epoch. */
  readonly expiresAt: number
  /** Called when the credential is no longer accepted. `why`: the reason for the client. */
  expire(why: string): void
  /** Called when a newer stream of the session replaces this one. */
  replace(): void
  keepAlive(): void
  drain(): void
}

/** A permit for one open stream, held from before the subscription is made until its stream has ended. */
export interface StreamPermit extends Disposable {
  /**
   * From now on the stream is kept alive. It ends when its credential is no longer accepted, when a newer one replaces it,
   * and with a drain. If the session has more streams than it may have, its oldest one ends.
   */
  hold(stream: LiveStream): void
}

/** The streams of one session. */
interface SessionStreams {
  /** The oldest first. A stream that was replaced is not listed, although it may not have ended yet. */
  readonly open: Set<LiveStream>
  /** Permits for streams to come. */
  opening: number
}

export interface OpenStreams extends Disposable {
  readonly size: number
  /**
   * Gives a permit for a stream that is being opened.
   * @throws {@link RateLimitedError} {@link UnavailableError} {@link DrainingError}
   */
  admit(session: SessionId): StreamPermit
  /** Ends the streams whose credentials are no longer accepted. */
  checkCredentials(): Promise<void>
  /** Ends all streams so that their clients resume elsewhere, and admits no more. */
  drain(): void
  /** Resolves when no stream is open. */
  empty(): Promise<void>
}

/**
 * Counts the open streams, and keeps all of them alive by one timer, which serves an eighth of them at a time. The same timer
 * has their credentials checked, and streams with the same status share one check. Another timer waits for the next
 * credential to expire, and then looks for it.
 *
 * The newest stream of a session replaces its oldest if the session has as many streams as it may have. A client that has
 * lost its network holds its streams until the kernel gives up the connection, which takes minutes. The same person must not
 * be refused meanwhile.
 */
export function createOpenStreams(options: {
  readonly maxSubscriptions: number
  readonly maxSubscriptionsPerSession: number
  /** ms between two comments on a stream. */
  readonly keepAliveMs: number
  /** ms between two checks of the credentials, rounded up to an eighth of `keepAliveMs`. */
  readonly credentialCheckMs: number
  /** How long a client should wait if there is no room for it, in ms. */
  readonly retryMs: () => number
  readonly clock: Clock
  readonly logger: Logger
}): OpenStreams {
  const { maxSubscriptions, maxSubscriptionsPerSession, keepAliveMs, clock, logger } = options
  const bySession = new Map<SessionId, SessionStreams>()
  const live = Array.from({ length: buckets }, () => new Set<LiveStream>())
  let size = 0
  let turn = 0
  let draining = false
  let checkedAt = clock.monotonic()
  let wake: (() => void)[] = []
  let timer = clock.timer(keepAliveMs / buckets, tick)
  let nextExpiry = Number.POSITIVE_INFINITY
  let expiry: Disposable | undefined

  class Permit implements StreamPermit {
    readonly #session: SessionId
    readonly #streams: SessionStreams
    #bucket: Set<LiveStream> | undefined
    #stream: LiveStream | undefined
    #isFree = false

    constructor(session: SessionId, streams: SessionStreams) {
      this.#session = session
      this.#streams = streams
      streams.opening += 1
      size += 1
    }

    hold(stream: LiveStream) {
      const { open } = this.#streams
      this.#stream = stream
      this.#streams.opening -= 1
      open.add(stream)
      // The eighth with the fewest streams is chosen, so that the eighths stay equal even at a constant population.
      this.#bucket = live.reduce((least, bucket) => (bucket.size < least.size ? bucket : least))
      this.#bucket.add(stream)
      watchExpiry(stream.expiresAt)
      if (draining) return stream.drain()
      const [oldest] = open
      if (open.size <= maxSubscriptionsPerSession || oldest === undefined) return
      open.delete(oldest)
      oldest.replace()
    }

    [Symbol.dispose]() {
      if (this.#isFree) return
      this.#isFree = true
      const { open } = this.#streams
      if (this.#stream) {
        open.delete(this.#stream)
        this.#bucket?.delete(this.#stream)
      } else this.#streams.opening -= 1
      const isEmpty = open.size === 0 && this.#streams.opening === 0
      // A stream that was replaced may end after all others, when its session has new streams already.
      if (isEmpty && bySession.get(this.#session) === this.#streams) {
        bySession.delete(this.#session)
      }
      size -= 1
      if (size > 0) return
      for (const resolve of wake) resolve()
      wake = []
    }
  }

  return {
    get size() {
      return size
    },
    admit(session) {
      if (draining) throw new DrainingError('The gateway is shutting down.')
      const streams = bySession.get(session) ?? { open: new Set(), opening: 0 }
      if (streams.opening >= maxSubscriptionsPerSession) {
        throw new RateLimitedError(
          'Too many subscriptions of the session are being opened.',
          retryAfterMs,
        )
      }
      if (size >= maxSubscriptions) {
        // The limit is that of the whole gateway: another one may have room, and refused clients should not return all at
        // once.
        throw new UnavailableError('The gateway has no room for another subscription.', {
          retryAfterMs: options.retryMs(),
        })
      }
      bySession.set(session, streams)
      return new Permit(session, streams)
    },
    checkCredentials,
    drain() {
      draining = true
      for (const bucket of live) for (const stream of bucket) stream.drain()
    },
    async empty() {
      if (size > 0) await new Promise<void>((resolve) => wake.push(resolve))
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]()
      expiry?.[Symbol.dispose]()
    },
  }

  function watchExpiry(at: number): void {
    if (at >= nextExpiry) return
    nextExpiry = at
    expiry?.[Symbol.dispose]()
    expiry = clock.timer(Math.max(at - clock.now(), 0), expire)
  }

  function expire(): void {
    const now = clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const bucket of live) {
      for (const stream of bucket) {
        if (stream.expiresAt <= now) stream.expire('The credential has expired.')
        else next = Math.min(next, stream.expiresAt)
      }
    }
    nextExpiry = Number.POSITIVE_INFINITY
    watchExpiry(next)
  }

  function tick(): void {
    timer = clock.timer(keepAliveMs / buckets, tick)
    turn = (turn + 1) % buckets
    for (const stream of live[turn] ?? []) stream.keepAlive()
    if (clock.monotonic() - checkedAt < options.credentialCheckMs) return
    checkedAt = clock.monotonic()
    void checkCredentials()
  }

  /** Never rejects. */
  async function checkCredentials(): Promise<void> {
    const byStatus = Map.groupBy(
      live.flatMap((bucket) => [...bucket]),
      ({ credentialStatus }) => credentialStatus,
    )
    await Promise.all(
      [...byStatus].map(async ([status, streams]) => {
        if (await mayBeAccepted(status)) return
        for (const stream of streams) stream.expire('The credential is no longer accepted.')
      }),
    )
  }

  /** A status that cannot be checked now counts as accepted, since the issuer may be unreachable for a while. */
  async function mayBeAccepted(status: CredentialStatus): Promise<boolean> {
    try {
      return await status.isStillAccepted()
    } catch (error) {
      if (!(error instanceof UnavailableError)) {
        logger.error({ err: error }, 'credential could not be checked')
      }
      return true
    }
  }
}
