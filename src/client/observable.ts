/** A value that changes, in the form that `useSyncExternalStore` and other hooks take. */
export interface Observable<Value> {
  snapshot(): Value
  /** Calls after each change; returns a function that stops it. */
  subscribe(listener: () => void): () => void
}

export interface Subject<Value> extends Observable<Value> {
  set(value: Value): void
}

export function createSubject<Value>(value: Value): Subject<Value> {
  const listeners = new Set<() => void>()
  return {
    snapshot: () => value,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    set(next) {
      value = next
      for (const listener of listeners) listener()
    },
  }
}

/** Resolves after the next change. */
export function nextChange(subject: Observable<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const stop = subject.subscribe(() => {
      stop()
      resolve()
    })
  })
}
