/*
 * How a test keeps step with the platform without sleeping: it waits for a change, or holds something until it releases it.
 */

/** Wakes those who wait for a state of the emulator. */
export interface Changes {
  readonly notify: () => void
  /** Resolves once `isTrue()`. Rejects with the signal's reason. */
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

/** What is held until a test releases it. Several holds may have one name. */
export interface Holds {
  add(name: string): Hold
  /** Releases what is held now, under one name or altogether. Returns how many. */
  release(name?: string): number
  /** The names of what is held now. */
  names(): readonly string[]
}

export interface Hold {
  readonly isReleased: boolean
  /** Resolves when released, or when `signal` aborts: nobody needs the hold then. */
  wait(signal: AbortSignal): Promise<void>
}

export function createHolds(changed: () => void): Holds {
  const holds = new Set<{ readonly name: string; readonly release: () => void }>()
  return {
    add(name) {
      const { promise, resolve } = Promise.withResolvers<void>()
      let isReleased = false
      const entry = {
        name,
        release: () => {
          isReleased = true
          holds.delete(entry)
          resolve()
        },
      }
      holds.add(entry)
      changed()
      return {
        get isReleased() {
          return isReleased
        },
        async wait(signal) {
          if (signal.aborted) entry.release()
          signal.addEventListener('abort', entry.release, { once: true })
          await promise
          signal.removeEventListener('abort', entry.release)
        },
      }
    },
    release(name) {
      const chosen = [...holds].filter((hold) => name === undefined || hold.name === name)
      for (const hold of chosen) hold.release()
      return chosen.length
    },
    names: () => [...holds].map(({ name }) => name),
  }
}
