import type { SessionId } from '../../domain.ts'
import { RateLimitedError, TooLargeError, UnavailableError } from '../../errors.ts'

/** The retry time while it is not known when the client will have read its bytes, in ms. */
const retryAfterMs = 1_000

/** The bytes that a session may always hold: an ordinary response is never refused because of other sessions. */
const smallBytes = 65_536

/** The bytes that one response holds, from its first byte until its client has it. */
export interface BytesHeld extends Disposable {
  /**
   * @throws {@link TooLargeError} when this response alone is over the limit of a session, {@link RateLimitedError} when its
   * session is over that limit, {@link UnavailableError} when all sessions together are over theirs and this session
   * holds more
   * than a little.
   */
  add(bytes: number): void
  /** From now on it holds this many bytes. */
  keep(bytes: number): void
}

/** Counts the bytes of all responses that are being made or wait for their clients. */
export interface WaitingBytes {
  open(session: SessionId): BytesHeld
  /** The limit of all sessions together. */
  readonly total: number
}

export function createWaitingBytes(limits: {
  readonly maxWaitingBytes: number
  readonly maxWaitingBytesPerSession: number
}): WaitingBytes {
  const { maxWaitingBytes, maxWaitingBytesPerSession: perSession } = limits
  const bySession = new Map<SessionId, number>()
  let total = 0

  function change(session: SessionId, bytes: number): number {
    const held = (bySession.get(session) ?? 0) + bytes
    total += bytes
    if (held > 0) bySession.set(session, held)
    else bySession.delete(session)
    return held
  }

  return {
    get total() {
      return total
    },
    open(session) {
      let own = 0
      const set = (bytes: number) => {
        const held = change(session, bytes - own)
        own = bytes
        return held
      }
      return {
        add(bytes) {
          const held = set(own + bytes)
          if (own > perSession) {
            throw new TooLargeError(
              `The response would need more than ${perSession} bytes: ask for fewer rows at once.`,
            )
          }
          if (held > perSession) {
            throw new RateLimitedError(
              'Too many bytes of the session wait to be read.',
              retryAfterMs,
            )
          }
          if (total > maxWaitingBytes && held > smallBytes) {
            throw new UnavailableError('The gateway has no memory for more work at the moment.')
          }
        },
        keep: (bytes) => void set(bytes),
        [Symbol.dispose]: () => void set(0),
      }
    },
  }
}
