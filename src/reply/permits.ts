import type { SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Circuit } from './circuit.ts'
import type { QuotaShare } from './quota-share.ts'

/** Leave to use one of an assistant's concurrent runs. Disposing it releases it. */
export interface Permit extends Disposable {
  readonly isHeld: boolean
  /** Takes it if it is free right now and nobody waits for one; true: it is held. */
  tryTake(): boolean
  /** Waits for its turn. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>
  /** Releases it for the next one. `unused`: nothing was started under it. */
  release(options?: { readonly unused: boolean }): void
}

/**
 * The permits of one assistant. Sessions take turns, so that one with many replies waits for its own.
 *
 *     take ──▶ its session's line ──▶ round of sessions ──▶ held
 *                    ▲                       │
 *                    └── rests while as many of the session run as may
 */
export interface Permits extends Disposable {
  /** A permit that is not held yet. */
  permit(sessionId: SessionId): Permit
}

/** How many replies of each session run, over all assistants. */
export interface SessionRuns {
  hasRoom(sessionId: SessionId): boolean
  add(sessionId: SessionId): void
  remove(sessionId: SessionId): void
  /** Calls `run` with each session that has room again, until disposed. */
  listen(run: (sessionId: SessionId) => void): Disposable
}

/** Called when its turn has come, with the circuit's leave to ask the upstream. */
interface Waiter {
  admit(leave: Disposable): void
}

export function createPermits(options: {
  readonly share: QuotaShare
  /** Shared by all assistants. */
  readonly sessions: SessionRuns
  readonly circuit: Circuit
  readonly clock: Clock
  readonly onLength: (waiting: number, running: number) => void
}): Permits {
  const { share, sessions, circuit, clock } = options
  const starts = createStartRate(clock, () => share.startsPerSecond)
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
    while (!isClosed && running < share.maxRunning) {
      const [sessionId] = round
      if (sessionId === undefined) break
      if (!sessions.hasRoom(sessionId)) {
        round.delete(sessionId)
        continue
      }
      const waitMs = starts.waitMs
      if (waitMs > 0) {
        timer = clock.timer(waitMs, admitNext)
        break
      }
      const leave = circuit.admit()
      if (leave === undefined) {
        const { retryAfterMs } = circuit
        if (retryAfterMs !== undefined) timer = clock.timer(retryAfterMs, admitNext)
        break
      }
      admit(sessionId, leave)
    }
    tellLength()
  }

  function tellLength(): void {
    options.onLength(waiting, running)
    share.use(running, waiting)
  }

  function admit(sessionId: SessionId, leave: Disposable): void {
    const line = lines.get(sessionId) ?? []
    const waiter = line.shift()
    round.delete(sessionId)
    if (line.length > 0) round.add(sessionId)
    else lines.delete(sessionId)
    if (waiter === undefined) return
    waiting -= 1
    hold(sessionId)
    waiter.admit(leave)
  }

  function hold(sessionId: SessionId): void {
    starts.take()
    sessions.add(sessionId)
    running += 1
  }

  /** Undefined: none is free, or somebody waits for the next one: nobody is overtaken. */
  function tryHold(sessionId: SessionId): Disposable | undefined {
    if (isClosed || running >= share.maxRunning || round.size > 0 || lines.has(sessionId)) {
      return undefined
    }
    if (!sessions.hasRoom(sessionId) || starts.waitMs > 0) return undefined
    const leave = circuit.admit()
    if (leave === undefined) return undefined
    hold(sessionId)
    tellLength()
    return leave
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
    tellLength()
  }

  function waitInLine(sessionId: SessionId, signal: AbortSignal): Promise<Disposable> {
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const abandon = () => {
      leaveLine(sessionId, waiter)
      reject(signal.reason)
    }
    const waiter: Waiter = {
      admit(leave) {
        signal.removeEventListener('abort', abandon)
        resolve(leave)
      },
    }
    signal.addEventListener('abort', abandon, { once: true })
    const line = lines.get(sessionId)
    if (line === undefined) lines.set(sessionId, [waiter])
    else line.push(waiter)
    round.add(sessionId)
    waiting += 1
    admitNext()
    return promise
  }

  function release(sessionId: SessionId, leave: Disposable, unused: boolean): void {
    running -= 1
    if (unused) starts.refund()
    leave[Symbol.dispose]()
    sessions.remove(sessionId)
    admitNext()
  }

  const ofSessions = sessions.listen((sessionId) => {
    if (!lines.has(sessionId)) return
    round.add(sessionId)
    admitNext()
  })
  const ofCircuit = circuit.listen(admitNext)
  const ofShare = share.listen(admitNext)

  return {
    permit(sessionId) {
      let leave: Disposable | undefined
      const permit: Permit = {
        get isHeld() {
          return leave !== undefined
        },
        tryTake() {
          leave ??= tryHold(sessionId)
          return leave !== undefined
        },
        async take(signal) {
          if (permit.isHeld) return
          signal.throwIfAborted()
          if (!permit.tryTake()) leave = await waitInLine(sessionId, signal)
        },
        release({ unused } = { unused: false }) {
          const given = leave
          if (given === undefined) return
          leave = undefined
          release(sessionId, given, unused)
        },
        [Symbol.dispose]: () => permit.release(),
      }
      return permit
    },
    [Symbol.dispose]() {
      isClosed = true
      timer?.[Symbol.dispose]()
      ofSessions[Symbol.dispose]()
      ofCircuit[Symbol.dispose]()
      ofShare[Symbol.dispose]()
    },
  }
}

/** Starts per second, those of one second at once at most. */
function createStartRate(clock: Clock, perSecond: () => number) {
  /** At least one start, however rare they are. */
  const most = () => Math.max(1, perSecond())
  let level = most()
  let at = clock.monotonic()

  function fill(): void {
    const now = clock.monotonic()
    level = Math.min(most(), level + ((now - at) / 1000) * perSecond())
    at = now
  }

  return {
    /** Until the next start may be, in ms; 0: now. */
    get waitMs() {
      fill()
      // Whole ms: a timer that fires a little early would find nothing.
      return level >= 1 ? 0 : Math.ceil(((1 - level) / perSecond()) * 1000)
    },
    take() {
      fill()
      level -= 1
    },
    /** A start that was taken and did not happen. */
    refund() {
      level = Math.min(most(), level + 1)
    },
  }
}
