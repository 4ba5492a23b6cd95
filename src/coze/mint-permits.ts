/** Lets at most so many mints run at once, in the order in which they were asked for. */
export interface MintPermits {
  /** Waits for a permit; dispose it when done. Rejects with the signal's reason when it aborts first. */
  take(signal: AbortSignal): Promise<Disposable>
}

export function createMintPermits(max: number): MintPermits {
  let free = max
  const waiting = new Set<() => void>()

  function give() {
    const [next] = waiting
    if (next === undefined) free += 1
    else next()
  }
  const permit = (): Disposable => ({ [Symbol.dispose]: give })

  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) {
        free -= 1
        return permit()
      }
      const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
      const enter = () => {
        leave()
        resolve(permit())
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
