/** Lets at most `max` holders in at once, in the order they came. */
export interface Turns {
  /** Waits for a turn; dispose it when done. Rejects with the signal's reason when it aborts first. */
  take(signal: AbortSignal): Promise<Disposable>
}

export function createTurns(max: number): Turns {
  let free = max
  const waiting = new Set<() => void>()

  function give() {
    const [next] = waiting
    if (next === undefined) free += 1
    else next()
  }
  const turn = (): Disposable => ({ [Symbol.dispose]: give })

  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) {
        free -= 1
        return turn()
      }
      const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
      const enter = () => {
        leave()
        resolve(turn())
      }
      const abort = () => {
        leave()
        reject(signal.reason)
      }
      const leave = () => {
        waiting.delete(enter)
        signal.removeEventListener('abort', abort)
      }
      waiting.add(enter)
      signal.addEventListener('abort', abort)
      return promise
    },
  }
}
