/** Places where something is held until a test releases it, so that no test needs to sleep. */
export interface Gates {
  enter(name: string): Hold
  /** Releases what is held now: at one gate, or at all. Answers how many. */
  release(name?: string): number
  /** Names of the gates where something is held now. */
  held(): readonly string[]
}

export interface Hold {
  readonly released: boolean
  /** Resolves when released, or when `signal` aborts: the holder is gone then. */
  wait(signal: AbortSignal): Promise<void>
}

export function createGates(changed: () => void): Gates {
  const holds = new Set<{ readonly name: string; readonly open: () => void }>()
  return {
    enter(name) {
      const { promise, resolve } = Promise.withResolvers<void>()
      let released = false
      const hold = {
        name,
        open: () => {
          released = true
          holds.delete(hold)
          resolve()
        },
      }
      holds.add(hold)
      changed()
      return {
        get released() {
          return released
        },
        async wait(signal) {
          if (signal.aborted) hold.open()
          signal.addEventListener('abort', hold.open, { once: true })
          await promise
          signal.removeEventListener('abort', hold.open)
        },
      }
    },
    release(name) {
      const chosen = [...holds].filter((hold) => name === undefined || hold.name === name)
      for (const hold of chosen) hold.open()
      return chosen.length
    },
    held: () => [...holds].map((hold) => hold.name),
  }
}
