import { untilAborted } from './on-abort.ts'

/** Does the works of each owner one after another, in the order in which they were asked for. Owners do not wait for each other. */
export class OneAtATime<Owner> {
  /** Resolves when all that an owner has asked for is done. */
  readonly #all = new Map<Owner, Promise<void>>()

  /** Whether a work of the owner would have to wait. */
  isBusy(owner: Owner): boolean {
    return this.#all.has(owner)
  }

  /** @throws the reason of the signal when it aborts before the work begins */
  async run<T>(owner: Owner, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#all.get(owner)
    const own = Promise.withResolvers<void>()
    const all = Promise.all([before, own.promise]).then(() => {
      if (this.#all.get(owner) === all) this.#all.delete(owner)
    })
    this.#all.set(owner, all)
    try {
      if (before) await untilAborted(before, signal)
      return await work()
    } finally {
      own.resolve()
    }
  }
}
