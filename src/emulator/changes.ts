/** Tells waiters that something in the emulator changed. */
export interface Changes {
  readonly notify: () => void
  /** Resolves once `isTrue()`; rejects with the signal's reason. */
  until(isTrue: () => boolean, signal: AbortSignal): Promise<void>
}

export function createChanges(): Changes {
  const listeners = new Set<() => void>()
  return {
    notify() {
      for (const listener of listeners) listener()
    },
    async until(isTrue, signal) {
      signal.throwIfAborted()
      if (isTrue()) return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const check = () => {
        if (isTrue()) resolve()
      }
      const abort = () => reject(signal.reason)
      listeners.add(check)
      signal.addEventListener('abort', abort)
      try {
        await promise
      } finally {
        listeners.delete(check)
        signal.removeEventListener('abort', abort)
      }
    },
  }
}
