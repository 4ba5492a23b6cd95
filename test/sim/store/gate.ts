/** The process that uses a store. */
export interface StoreUser {
  /** How long an answer is on its way, in ms; 0: none. Two answers may overtake each other. */
  answerMs(): number
  readonly isAlive: boolean
  /** Runs once the process can; never when it is dead. */
  enter(run: () => void): void
  timer(ms: number, run: () => void): Disposable
}

/**
 * The same object for as long as its user lives. A dead process calls nobody and hears nothing: its calls have no effect,
 * and neither they nor those under way are ever answered.
 */
export function gate<T extends object>(target: T, user: StoreUser): T {
  return new Proxy(target, {
    get(from, name): unknown {
      const value: unknown = Reflect.get(from, name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        if (!user.isAlive) return new Promise(() => {})
        const answer: unknown = Reflect.apply(value, from, given)
        if (answer instanceof Promise) return untilDeath(answer, user)
        if (name === 'read' && user.answerMs() > 0) return untilDeath(Promise.resolve(answer), user)
        return name === 'session' && isObject(answer) ? gate(answer, user) : answer
      }
    },
  })
}

function untilDeath(answer: Promise<unknown>, user: StoreUser): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const arrive = (take: () => void) => {
      const ms = user.answerMs()
      if (ms === 0) user.enter(take)
      else user.timer(ms, take)
    }
    answer.then(
      (value) => arrive(() => resolve(value)),
      // As it was thrown: whoever calls tells errors by their class.
      (error: unknown) => arrive(() => reject(error)),
    )
  })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
