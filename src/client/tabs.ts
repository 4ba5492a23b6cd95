import type { Platform, TabTools } from './platform.ts'

/** One of the tabs that share a stream. */
export interface Member {
  /** A follower ends its wait for the stream when this is no longer so. */
  isWanted(): boolean
  /** Called in a follower with what the leader has posted. */
  receive(message: unknown): void
  /** Reads the stream until it is no longer wanted here or `isLeading` is false. */
  lead(post: (message: unknown) => void, isLeading: () => boolean): Promise<void>
  /** Ends `lead` at once, since another tab has taken over. */
  interrupt(): void
}

export interface Sharing {
  /** Ends the wait of a follower. */
  leave(): void
  readonly ended: Promise<void>
}

/**
 * Tabs of one session share one stream: a browser opens six HTTP/1.1 connections to a host. The holder of a lock reads the
 * stream and posts its events to all. When its tab closes, the browser gives the lock to the next; when it is silent, as a
 * suspended tab is, a follower takes the lock.
 */
export function shareStream(
  name: string,
  silenceMs: number,
  { locks, openChannel }: TabTools,
  { timer }: Platform,
  member: Member,
): Sharing {
  const channel = openChannel(name)
  let waiting = new AbortController()
  let steal = false
  let isLeader = false
  let stopWatch = () => {}
  const watch = () => {
    stopWatch()
    stopWatch = timer(silenceMs, () => {
      steal = true
      waiting.abort()
    })
  }
  channel.addEventListener('message', ({ data }) => {
    // Only a tab that has just come posts to the leader.
    if (isLeader) return channel.postMessage({})
    watch()
    member.receive(data)
  })

  async function takeTurn(): Promise<void> {
    let isMine = true
    waiting = new AbortController()
    const options = steal ? { steal } : { signal: waiting.signal }
    steal = false
    watch()
    try {
      await locks.request(name, options, async () => {
        stopWatch()
        isLeader = true
        await member.lead(
          (message) => channel.postMessage(message),
          () => isMine,
        )
      })
    } catch (error) {
      if (!(error instanceof Error && error.name === 'AbortError')) throw error
      isMine = false
      if (isLeader) member.interrupt()
    } finally {
      isLeader = false
    }
  }

  return {
    leave: () => waiting.abort(),
    ended: (async () => {
      try {
        channel.postMessage({})
        while (member.isWanted()) await takeTurn()
      } finally {
        stopWatch()
        channel.close()
      }
    })(),
  }
}
