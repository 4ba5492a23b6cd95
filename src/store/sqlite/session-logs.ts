import type { DatabaseSync } from 'node:sqlite'
import type { ReplyEvent, SessionId } from '../../domain.ts'
import { integer, integerOrNull } from './columns.ts'
import { inOrder } from './deltas.ts'
import { selectEvent, toEvent } from './event-rows.ts'
import { toPlace, toPosition, type Place } from './place.ts'
import type { RunningReplies } from './running.ts'
import { SessionLog } from './session-log.ts'

export interface SessionLogLimits {
  /** Sessions kept in memory beyond those that run a reply or are listened to. */
  readonly maxSessions: number
  /** Of ended replies, kept for readers that are nearly at the end: code units, an event itself counted as some. */
  readonly maxLength: number
  /** Code units beyond which a session that always runs something gives up what the table holds. */
  readonly maxBusyLength: number
}

const defaultLimits: SessionLogLimits = {
  maxSessions: 10_000,
  maxLength: 2 * 1024 * 1024,
  maxBusyLength: 256 * 1024,
}

/** The session logs in memory: loaded when asked for, given up in the order of their last use. */
export interface SessionLogs {
  /** Never gives up another: what a transaction works on stays. */
  open(sessionId: SessionId): SessionLog
  /** Undefined: it is not in memory. */
  find(sessionId: SessionId): SessionLog | undefined
  /** Says that a use has ended; gives up what is too much. */
  settle(log: SessionLog): void
  /** Loads what the table holds after `from` beside these deltas of running replies. */
  restore(log: SessionLog, from: Place, deltas: readonly ReplyEvent[]): void
  listen(sessionId: SessionId, wake: () => void): Disposable
  /** Wakes the readers of what runs, or waits for the disk: it goes on only when the store writes again. */
  wakeBusy(): void
}

export function createSessionLogs(
  db: DatabaseSync,
  epoch: number,
  running: RunningReplies,
  limits = defaultLimits,
): SessionLogs {
  const find = db.prepare(`
    SELECT trimmed_to, (SELECT max(place) FROM events e WHERE e.session = s.id) AS last
    FROM sessions s WHERE key = ?`)
  const eventsAfter = db.prepare(`
    ${selectEvent} JOIN sessions s ON s.id = e.session WHERE s.key = ? AND e.place > ? ORDER BY e.place`)
  const logs = new Map<SessionId, SessionLog>()
  /** Those that may be given up, the longest unused first, with the length they count for. */
  const quiet = new Map<SessionLog, number>()
  let quietLength = 0
  /** No log given up had handed out more: one that is loaded again goes on after it. */
  let seqFloor = 0

  function load(sessionId: SessionId): SessionLog {
    const row = find.get(sessionId)
    const last = toPosition(integerOrNull(row?.['last'] ?? null) ?? 0)
    const seq = Math.max(seqFloor, last.epoch === epoch ? last.seq : 0)
    return new SessionLog(sessionId, epoch, seq, integer(row?.['trimmed_to'] ?? 0))
  }

  function disquiet(log: SessionLog): void {
    const length = quiet.get(log)
    if (length === undefined) return
    quiet.delete(log)
    quietLength -= length
  }

  function giveUp(log: SessionLog): void {
    disquiet(log)
    log.replace(log.end, [])
    if (log.wakes.size > 0) return
    logs.delete(log.sessionId)
    seqFloor = Math.max(seqFloor, log.seq)
  }

  function restore(log: SessionLog, from: Place, deltas: readonly ReplyEvent[]): void {
    const stored = eventsAfter
      .all(log.sessionId, from)
      .map(toEvent)
      .filter((event) => toPlace(event) <= log.end)
    log.replace(from, inOrder([...stored, ...deltas]))
    log.restoredLength = log.length
  }

  /** Ended replies need no memory: the table has them, folded. */
  function shrink(log: SessionLog): void {
    const deltas = log.deltasWhere((replyId) => running.has(replyId))
    const first = deltas[0]
    restore(log, first === undefined ? log.end : toPlace(first) - 1, deltas)
  }

  return {
    open(sessionId) {
      let log = logs.get(sessionId)
      if (log === undefined) {
        log = load(sessionId)
        logs.set(sessionId, log)
      }
      return log
    },
    settle(log) {
      disquiet(log)
      if (!log.isQuiet) {
        if (log.length > Math.max(limits.maxBusyLength, 2 * log.restoredLength)) shrink(log)
        return
      }
      // Only its listeners keep it, and they keep nothing else.
      if (log.length === 0 && log.wakes.size > 0) return
      quiet.set(log, log.length)
      quietLength += log.length
      for (const oldest of quiet.keys()) {
        if (quiet.size <= limits.maxSessions && quietLength <= limits.maxLength) break
        giveUp(oldest)
      }
    },
    find: (sessionId) => logs.get(sessionId),
    restore,
    wakeBusy() {
      for (const log of logs.values()) if (!log.isQuiet) log.wake()
    },
    listen(sessionId, wake) {
      const log = this.open(sessionId)
      log.wakes.add(wake)
      return {
        [Symbol.dispose]: () => {
          log.wakes.delete(wake)
          this.settle(log)
        },
      }
    },
  }
}
