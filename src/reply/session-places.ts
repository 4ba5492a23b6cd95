import type { SessionId } from '../domain.ts'

/** How many replies of each session run, over all assistants. */
export interface SessionPlaces {
  hasRoom(sessionId: SessionId): boolean
  add(sessionId: SessionId): void
  remove(sessionId: SessionId): void
  /** Calls `run` with each session that has room again, until disposed. */
  listen(run: (sessionId: SessionId) => void): Disposable
}

export function createSessionPlaces(maxRunning: number): SessionPlaces {
  const running = new Map<SessionId, number>()
  const listeners = new Set<(sessionId: SessionId) => void>()
  const count = (sessionId: SessionId) => running.get(sessionId) ?? 0
  return {
    hasRoom: (sessionId) => count(sessionId) < maxRunning,
    add: (sessionId) => void running.set(sessionId, count(sessionId) + 1),
    remove(sessionId) {
      const left = count(sessionId) - 1
      if (left > 0) running.set(sessionId, left)
      else running.delete(sessionId)
      for (const run of listeners) run(sessionId)
    },
    listen(run) {
      listeners.add(run)
      return { [Symbol.dispose]: () => void listeners.delete(run) }
    },
  }
}
