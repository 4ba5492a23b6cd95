/** What the client takes from its surroundings, so that a test can give it others. */
export interface Platform {
  /** Milliseconds on a clock that is never set back. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
  /** Calls after so many milliseconds; returns a function that prevents it. */
  readonly timer: (ms: number, ring: () => void) => () => void
  /** The tabs of a browser share one stream by these. */
  readonly tabs?: TabTools | undefined
}

/** Web Locks and channels between the pages of an origin. */
export interface TabTools {
  readonly locks: {
    request(
      name: string,
      options: { readonly signal?: AbortSignal; readonly steal?: boolean },
      hold: () => Promise<void>,
    ): Promise<unknown>
  }
  readonly openChannel: (name: string) => TabChannel
}

export interface TabChannel {
  postMessage(message: unknown): void
  close(): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

interface EventSurroundings {
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
}

interface Surroundings {
  readonly document?: EventSurroundings & { readonly visibilityState: string }
  readonly addEventListener?: EventSurroundings['addEventListener']
  readonly removeEventListener?: EventSurroundings['removeEventListener']
  readonly navigator?: { readonly locks?: TabTools['locks'] }
  readonly BroadcastChannel?: new (name: string) => TabChannel
}

const surroundings: Surroundings = globalThis

export const systemPlatform: Platform = {
  now: () => (globalThis.performance ?? Date).now(),
  random: Math.random,
  timer(ms, ring) {
    const timer = setTimeout(ring, ms)
    return () => clearTimeout(timer)
  },
  get tabs() {
    const { document, navigator, BroadcastChannel } = surroundings
    const locks = navigator?.locks
    if (!document || !locks || !BroadcastChannel) return undefined
    return { locks, openChannel: (name: string) => new BroadcastChannel(name) }
  },
}

/** Calls when a page is shown again (`false`) or its network is another (`true`). */
export function onPageWake(listener: (isNewNetwork: boolean) => void): () => void {
  const { document, addEventListener, removeEventListener } = surroundings
  if (!document || !addEventListener || !removeEventListener) return () => undefined
  const online = () => listener(true)
  const shown = () => {
    if (document.visibilityState === 'visible') listener(false)
  }
  addEventListener('online', online)
  addEventListener('pageshow', shown)
  document.addEventListener('visibilitychange', shown)
  return () => {
    removeEventListener('online', online)
    removeEventListener('pageshow', shown)
    document.removeEventListener('visibilitychange', shown)
  }
}
