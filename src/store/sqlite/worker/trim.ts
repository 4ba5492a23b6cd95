import type { DatabaseSync } from 'node:sqlite'
import type { SessionId } from '../../domain.ts'
import { integer, integerOrNull, string } from './columns.ts'
import type { Transaction } from './commit.ts'
import type { SessionLogs } from './session-logs.ts'

/** Replies looked at in one call: a call is one transaction, and a transaction stalls the event loop. */
const maxReplies = 100

/**
 * Ends the events of old replies. What goes is always a prefix of a session's log, so that one place says what is gone:
 * an old reply whose events lie after those of one still to be kept waits for that one.
 */
export function createTrim(
  db: DatabaseSync,
  logs: SessionLogs,
): (before: number, transaction: Transaction) => number {
  const candidates = db.prepare(`
    SELECT DISTINCT session FROM (
      SELECT session FROM replies WHERE trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ?
      ORDER BY ended_at LIMIT ${maxReplies}
    )`)
  const horizon = db.prepare(`
    SELECT ended_at FROM replies WHERE trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ?
    ORDER BY ended_at LIMIT 1 OFFSET ${maxReplies - 1}`)
  const sessionKey = db.prepare('SELECT key FROM sessions WHERE id = ?')
  const firstKept = db.prepare(`
    SELECT min(first_event) AS place FROM replies
    WHERE session = ? AND first_event IS NOT NULL AND trimmed = 0 AND (ended_at IS NULL OR ended_at >= ?)`)
  const lastGone = db.prepare(
    'SELECT max(place) AS place FROM events WHERE session = ? AND place < ?',
  )
  const deleteEvents = db.prepare('DELETE FROM events WHERE session = ? AND place <= ?')
  const mark = db.prepare(`
    UPDATE replies SET trimmed = 1
    WHERE session = ? AND trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ?
      AND first_event <= ? AND last_event <= ?`)
  const setTrimmed = db.prepare('UPDATE sessions SET trimmed_to = ? WHERE id = ?')

  return function trim(before, transaction) {
    const last = integerOrNull(horizon.get(before)?.['ended_at'] ?? null)
    const endedBefore = last === null ? before : last + 1
    let count = 0
    for (const row of candidates.all(endedBefore)) {
      const session = integer(row['session'])
      const kept = integerOrNull(firstKept.get(session, endedBefore)?.['place'] ?? null)
      const gone = integerOrNull(
        lastGone.get(session, kept ?? Number.MAX_SAFE_INTEGER)?.['place'] ?? null,
      )
      if (gone === null) continue
      deleteEvents.run(session, gone)
      setTrimmed.run(gone, session)
      count += Number(mark.run(session, endedBefore, gone, gone).changes)
      const sessionId = string(sessionKey.get(session)?.['key']) as SessionId
      transaction.committed(() => {
        const log = logs.find(sessionId)
        if (log === undefined) return
        log.trimmedTo = Math.max(log.trimmedTo, gone)
        log.forgetUpTo(gone)
      })
    }
    return count
  }
}
