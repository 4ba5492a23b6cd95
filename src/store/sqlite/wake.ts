import type { Wake } from '../log.ts'

/** One listener. Its abort listener is set once per signal, not once per wait: waiting is the hot path. */
export class SessionWake implements Wake {
  readonly #leave: (wake: SessionWake) => void
  #woken = false
  #waiting: PromiseWithResolvers<void> | undefined
  #signal: AbortSignal | undefined
  readonly #onAbort = () => {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(this.#signal?.reason)
  }

  constructor(leave: (wake: SessionWake) => void) {
    this.#leave = leave
  }

  notify(): void {
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#woken = true
      return
    }
    this.#waiting = undefined
    waiting.resolve()
  }

  async next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#woken) {
      this.#woken = false
      return
    }
    if (this.#signal !== signal) {
      this.#signal?.removeEventListener('abort', this.#onAbort)
      this.#signal = signal
      signal.addEventListener('abort', this.#onAbort, { once: true })
    }
    this.#waiting ??= Promise.withResolvers()
    await this.#waiting.promise
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#leave(this)
  }
}
