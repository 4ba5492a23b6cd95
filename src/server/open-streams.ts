import type { Proof } from '../auth/identity.ts'
import type { SessionId } from '../domain.ts'
import { DrainingError, RateLimitedError, UnavailableError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'

const buckets = 8
/** For a session that has as many as it may: one of its own must end first. */
const retryAfterMs = 5_000

export interface LiveStream {
  /** What its caller's credential rests on. */
  readonly proof: Proof
  /** The credential is not accepted any more. */
  expire(): void
  keepAlive(): void
  drain(): void
}

/** A place among the open streams, held from before the subscription is made until its stream has ended. */
export interface StreamPlace extends Disposable {
  /** From now on the stream is kept alive, and told when its credential has fallen and of a drain. */
  occupy(stream: LiveStream): void
}

export interface OpenStreams extends Disposable {
  readonly size: number
  /** @throws {@link RateLimitedError} {@link UnavailableError} {@link DrainingError} */
  admit(session: SessionId): StreamPlace
  /** Ends the streams whose credentials stand no more. */
  checkCredentials(): Promise<void>
  /** Ends all streams so that their clients resume elsewhere, and admits no more. */
  drain(): void
  /** Resolves when no stream is open. */
  empty(): Promise<void>
}

/**
 * Counts the open streams, and keeps them all alive by one timer: each by its own eighth of the interval. The same timer
 * has their credentials checked; streams that rest on the same proof share one check.
 */
export function createOpenStreams(options: {
  readonly maxSubscriptions: number
  readonly maxSubscriptionsPerSession: number
  /** ms between two comments on a stream. */
  readonly keepAliveMs: number
  /** ms between two checks of the credentials, rounded up to an eighth of `keepAliveMs`. */
  readonly credentialCheckMs: number
  /** How long a client should wait for which there is no room, in ms. */
  readonly retryMs: () => number
  readonly clock: Clock
  readonly logger: Logger
}): OpenStreams {
  const { maxSubscriptions, maxSubscriptionsPerSession, keepAliveMs, clock, logger } = options
  const bySession = new Map<SessionId, number>()
  const live = Array.from({ length: buckets }, () => new Set<LiveStream>())
  let size = 0
  let turn = 0
  let draining = false
  let checkedAt = clock.monotonic()
  let wake: (() => void)[] = []
  let timer = clock.timer(keepAliveMs / buckets, tick)

  class Place implements StreamPlace {
    #session: SessionId | undefined
    #bucket: Set<LiveStream> | undefined
    #occupant: LiveStream | undefined

    constructor(session: SessionId) {
      this.#session = session
    }

    occupy(stream: LiveStream) {
      this.#occupant = stream
      this.#bucket = live[size % buckets]
      this.#bucket?.add(stream)
      if (draining) stream.drain()
    }

    [Symbol.dispose]() {
      const session = this.#session
      if (session === undefined) return
      this.#session = undefined
      if (this.#occupant) this.#bucket?.delete(this.#occupant)
      leave(session)
    }
  }

  return {
    get size() {
      return size
    },
    admit(session) {
      if (draining) throw new DrainingError('The gateway is shutting down.')
      const ofSession = bySession.get(session) ?? 0
      if (ofSession >= maxSubscriptionsPerSession) {
        throw new RateLimitedError('Too many subscriptions of yours are open.', retryAfterMs)
      }
      if (size >= maxSubscriptions) {
        // Of the whole gateway: another one may have room, and not all who are turned away come back at once.
        throw new UnavailableError('The gateway has no room for another subscription.', {
          retryAfterMs: options.retryMs(),
        })
      }
      size += 1
      bySession.set(session, ofSession + 1)
      return new Place(session)
    },
    checkCredentials,
    drain() {
      draining = true
      for (const bucket of live) for (const stream of bucket) stream.drain()
    },
    async empty() {
      if (size > 0) await new Promise<void>((resolve) => wake.push(resolve))
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }

  function leave(session: SessionId): void {
    size -= 1
    const left = (bySession.get(session) ?? 1) - 1
    if (left > 0) bySession.set(session, left)
    else bySession.delete(session)
    if (size > 0) return
    for (const resolve of wake) resolve()
    wake = []
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
    const byProof = Map.groupBy(
      live.flatMap((bucket) => [...bucket]),
      ({ proof }) => proof,
    )
    await Promise.all(
      [...byProof].map(async ([proof, streams]) => {
        if (await mayStand(proof)) return
        for (const stream of streams) stream.expire()
      }),
    )
  }

  /** What cannot be known now is not held against the caller: its issuer may be out for a while. */
  async function mayStand(proof: Proof): Promise<boolean> {
    try {
      return await proof.stands()
    } catch (error) {
      if (!(error instanceof UnavailableError)) {
        logger.error({ err: error }, 'credential could not be checked')
      }
      return true
    }
  }
}
