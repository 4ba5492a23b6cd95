/** What the client takes from its surroundings, so that a test can give it others. */
export interface Platform {
  /** Milliseconds. The time that a device sleeps counts, which `performance.now` does not count everywhere. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
  /** Calls after so many milliseconds; returns a function that prevents it. */
  readonly timer: (ms: number, ring: () => void) => () => void
}

export const systemPlatform: Platform = {
  now: () => Date.now(),
  random: Math.random,
  timer(ms, ring) {
    const timer = setTimeout(ring, ms)
    return () => clearTimeout(timer)
  },
}

interface PageEvents {
  readonly addEventListener?: (
    type: string,
    listener: () => void,
    options: { readonly signal: AbortSignal },
  ) => void
}

/** Calls when a page is shown again (`false`) or its network is another (`true`). */
export function onPageWake(listener: (isNewNetwork: boolean) => void): () => void {
  const page: PageEvents = globalThis
  const stop = new AbortController()
  for (const type of ['online', 'pageshow', 'visibilitychange']) {
    page.addEventListener?.(type, () => listener(type === 'online'), stop)
  }
  return () => stop.abort()
}
