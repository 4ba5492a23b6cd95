import type { SessionId } from '../../domain.ts'

/** Work of one session is done in its order, one at a time, so that each call sees what those before it wrote. */
export class Lanes {
  /** The last work of each session that has any. */
  readonly #last = new Map<SessionId, Promise<void>>()

  /** Begins once the work of all these sessions that was there before has ended. */
  async run<T>(sessions: readonly SessionId[], work: () => Promise<T>): Promise<T> {
    const before = sessions.flatMap((session) => this.#last.get(session) ?? [])
    const { promise, resolve } = Promise.withResolvers<void>()
    for (const session of sessions) this.#last.set(session, promise)
    try {
      if (before.length > 0) await Promise.all(before)
      return await work()
    } finally {
      for (const session of sessions) {
        if (this.#last.get(session) === promise) this.#last.delete(session)
      }
      resolve()
    }
  }

  /** All that is under way. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }
}
