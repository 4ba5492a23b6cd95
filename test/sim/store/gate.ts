/** The process that uses a store. */
export interface StoreUser {
  readonly isAlive: boolean
  /** Runs once the process can; never when it is dead. */
  enter(run: () => void): void
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
        return name === 'session' && isObject(answer) ? gate(answer, user) : answer
      }
    },
  })
}

function untilDeath(answer: Promise<unknown>, user: StoreUser): Promise<unknown> {
  return new Promise((resolve, reject) => {
    answer.then(
      (value) => user.enter(() => resolve(value)),
      // As it was thrown: whoever calls tells errors by their class.
      (error: unknown) => user.enter(() => reject(error)),
    )
  })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
