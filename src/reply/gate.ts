import type { SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Circuit } from './circuit.ts'
import type { SessionPlaces } from './session-places.ts'
import { createTokenBucket } from './token-bucket.ts'

/** A reply's place among those that run at an assistant. Disposing it gives it back. */
export interface Place extends Disposable {
  readonly isTaken: boolean
  /** Waits for its turn. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>
  /** For the next one. `unused`: nothing was started on it. */
  giveBack(options?: { readonly unused: boolean }): void
}

/**
 * Where the replies of an assistant wait for a place: sessions take turns, so that one with many replies waits for its own.
 *
 *     take ──▶ its session's line ──▶ round of sessions ──▶ running
 *                    ▲                       │
 *                    └── rests while as many of the session run as may
 */
export interface Gate extends Disposable {
  /** A place that is not taken yet. */
  place(sessionId: SessionId): Place
}

/** Resolves when its turn has come, with what lets it through to the upstream. */
interface Waiter {
  admit(pass: Disposable): void
}

export function createGate(options: {
  /** Replies that run at once. */
  readonly maxRunning: number
  readonly startsPerSecond: number
  /** Shared by all gates: a session's limit is over all assistants. */
  readonly sessions: SessionPlaces
  readonly circuit: Circuit
  readonly clock: Clock
  readonly onLength: (waiting: number, running: number) => void
}): Gate {
  const { maxRunning, startsPerSecond, sessions, circuit, clock } = options
  const bucket = createTokenBucket(clock, startsPerSecond)
  const lines = new Map<SessionId, Waiter[]>()
  /** Sessions whose turn may come, in its order; those that have a line and are not here rest. */
  const round = new Set<SessionId>()
  let running = 0
  let waiting = 0
  let timer: Disposable | undefined
  let isClosed = false

  function admitNext(): void {
    timer?.[Symbol.dispose]()
    timer = undefined
    while (!isClosed && running < maxRunning) {
      const [sessionId] = round
      if (sessionId === undefined) break
      if (!sessions.hasRoom(sessionId)) {
        round.delete(sessionId)
        continue
      }
      const waitMs = bucket.waitMs
      if (waitMs > 0) {
        timer = clock.timer(waitMs, admitNext)
        break
      }
      const pass = circuit.admit()
      if (pass === undefined) {
        const { retryAfterMs } = circuit
        if (retryAfterMs !== undefined) timer = clock.timer(retryAfterMs, admitNext)
        break
      }
      admit(sessionId, pass)
    }
    options.onLength(waiting, running)
  }

  function admit(sessionId: SessionId, pass: Disposable): void {
    const line = lines.get(sessionId) ?? []
    const waiter = line.shift()
    round.delete(sessionId)
    if (line.length > 0) round.add(sessionId)
    else lines.delete(sessionId)
    if (waiter === undefined) return
    bucket.take()
    sessions.add(sessionId)
    running += 1
    waiting -= 1
    waiter.admit(pass)
  }

  function leaveLine(sessionId: SessionId, waiter: Waiter): void {
    const line = lines.get(sessionId)?.filter((other) => other !== waiter) ?? []
    waiting -= 1
    if (line.length > 0) {
      lines.set(sessionId, line)
    } else {
      lines.delete(sessionId)
      round.delete(sessionId)
    }
    options.onLength(waiting, running)
  }

  function waitInLine(sessionId: SessionId, signal: AbortSignal): Promise<Disposable> {
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const leave = () => {
      leaveLine(sessionId, waiter)
      reject(signal.reason)
    }
    const waiter: Waiter = {
      admit(pass) {
        signal.removeEventListener('abort', leave)
        resolve(pass)
      },
    }
    signal.addEventListener('abort', leave, { once: true })
    const line = lines.get(sessionId)
    if (line === undefined) lines.set(sessionId, [waiter])
    else line.push(waiter)
    round.add(sessionId)
    waiting += 1
    admitNext()
    return promise
  }

  function giveBack(sessionId: SessionId, pass: Disposable, unused: boolean): void {
    running -= 1
    if (unused) bucket.putBack()
    pass[Symbol.dispose]()
    sessions.remove(sessionId)
    admitNext()
  }

  const ofSessions = sessions.listen((sessionId) => {
    if (!lines.has(sessionId)) return
    round.add(sessionId)
    admitNext()
  })
  const ofCircuit = circuit.listen(admitNext)

  return {
    place(sessionId) {
      let pass: Disposable | undefined
      const place: Place = {
        get isTaken() {
          return pass !== undefined
        },
        async take(signal) {
          if (pass !== undefined) return
          signal.throwIfAborted()
          pass = await waitInLine(sessionId, signal)
        },
        giveBack({ unused } = { unused: false }) {
          const given = pass
          if (given === undefined) return
          pass = undefined
          giveBack(sessionId, given, unused)
        },
        [Symbol.dispose]: () => place.giveBack(),
      }
      return place
    },
    [Symbol.dispose]() {
      isClosed = true
      timer?.[Symbol.dispose]()
      ofSessions[Symbol.dispose]()
      ofCircuit[Symbol.dispose]()
    },
  }
}
