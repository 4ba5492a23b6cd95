import type { SessionId } from '../domain.ts'
import { SessionLog } from './session-log.ts'

export interface SessionLogLimits {
  /** Sessions kept in memory beyond those that run a reply or are listened to. */
  readonly maxSessions: number
  /** What has ended, kept for readers that are nearly at the end: code units, an event itself counted as some. */
  readonly maxLength: number
  /** Code units beyond which a session that always runs something gives up the older half of what has ended. */
  readonly maxBusyLength: number
}

const defaultLimits: SessionLogLimits = {
  maxSessions: 10_000,
  maxLength: 2 * 1024 * 1024,
  maxBusyLength: 256 * 1024,
}

/** The session logs in memory: begun when asked for, given up in the order of their last use. */
export class SessionLogs {
  readonly #limits: SessionLogLimits
  readonly #logs = new Map<SessionId, SessionLog>()
  /** Those that may be given up, the longest unused first, with the length they count for. */
  readonly #quiet = new Map<SessionLog, number>()
  #quietLength = 0
  readonly #listened = new Set<SessionLog>()
  readonly #isShared: boolean

  /** @param isShared other instances write in the sessions as well */
  constructor(limits = defaultLimits, isShared = false) {
    this.#limits = limits
    this.#isShared = isShared
  }

  /** Those that somebody reads. */
  get listened(): ReadonlySet<SessionLog> {
    return this.#listened
  }

  /** Never gives up another: what is worked on stays. */
  open(sessionId: SessionId): SessionLog {
    let log = this.#logs.get(sessionId)
    if (log === undefined) {
      log = new SessionLog(sessionId, this, this.#isShared)
      this.#logs.set(sessionId, log)
    }
    return log
  }

  /** Undefined: it is not in memory. */
  find(sessionId: SessionId): SessionLog | undefined {
    return this.#logs.get(sessionId)
  }

  /** Says that a use has ended; gives up what is too much. */
  settle(log: SessionLog): void {
    // It was given up while a read of it was under way, and another one may have taken its place.
    if (this.#logs.get(log.sessionId) !== log) return
    this.#disquiet(log)
    // Texts that others write are followed for readers alone.
    if (log.wakes.size === 0) log.unfollow()
    const { maxBusyLength, maxLength, maxSessions } = this.#limits
    if (log.runsHere) {
      if (log.length > maxBusyLength) log.shrink(maxBusyLength / 2)
      return
    }
    // Only its listeners keep it, and they keep nothing else.
    if (log.length === 0 && log.wakes.size > 0) return
    this.#quiet.set(log, log.length)
    this.#quietLength += log.length
    for (const oldest of this.#quiet.keys()) {
      if (this.#quiet.size <= maxSessions && this.#quietLength <= maxLength) break
      this.#giveUp(oldest)
    }
  }

  listen(sessionId: SessionId, wake: () => void): Disposable {
    const log = this.open(sessionId)
    log.wakes.add(wake)
    this.#listened.add(log)
    return {
      [Symbol.dispose]: () => {
        log.wakes.delete(wake)
        if (log.wakes.size === 0) this.#listened.delete(log)
        this.settle(log)
      },
    }
  }

  /** Wakes the readers of what runs: it goes on only when the store writes again. */
  wakeBusy(): void {
    for (const log of this.#logs.values()) if (log.isBusy) log.wake()
  }

  #disquiet(log: SessionLog): void {
    const length = this.#quiet.get(log)
    if (length === undefined) return
    this.#quiet.delete(log)
    this.#quietLength -= length
  }

  #giveUp(log: SessionLog): void {
    this.#disquiet(log)
    log.forget()
    if (log.wakes.size === 0) this.#logs.delete(log.sessionId)
  }
}
