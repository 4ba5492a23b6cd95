import type { SessionId } from '../../domain.ts'

/** What waits in the lane of a session that has work under way. */
interface Lane {
  readonly ahead: (() => void)[]
  readonly waiting: (() => void)[]
}

/** Work of one session is done in its order, one at a time, so that each call sees what those before it wrote. */
export class Lanes {
  readonly #lanes = new Map<SessionId, Lane>()

  isFree(session: SessionId): boolean {
    return !this.#lanes.has(session)
  }

  /** Begins once the work of the session that was there before has ended; at once where there is none. */
  run<T>(session: SessionId, work: () => Promise<T>): Promise<T> {
    return this.#run(session, 'waiting', work)
  }

  /** Begins once what is under way in the session has ended, ahead of what else waits. */
  runAhead<T>(session: SessionId, work: () => Promise<T>): Promise<T> {
    return this.#run(session, 'ahead', work)
  }

  async #run<T>(session: SessionId, place: keyof Lane, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(session)
    if (lane === undefined) this.#lanes.set(session, { ahead: [], waiting: [] })
    else await new Promise<void>((begin) => lane[place].push(begin))
    try {
      return await work()
    } finally {
      this.#leave(session)
    }
  }

  #leave(session: SessionId): void {
    const lane = this.#lanes.get(session)
    const next = lane?.ahead.shift() ?? lane?.waiting.shift()
    if (next === undefined) this.#lanes.delete(session)
    else next()
  }
}
