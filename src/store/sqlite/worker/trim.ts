import type { DatabaseSync } from 'node:sqlite'
import type { EventPlace, SessionId } from '../../../domain.ts'
import type { WorkerCalls } from '../calls.ts'
import { integer, integerOrNull, string, type Row } from './columns.ts'
import { eventId, maxSeq, toPlace } from './events.ts'

export interface TrimParts {
  readonly db: DatabaseSync
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Replies and events looked at in one call: it holds up whatever is posted behind it. */
const maxReplies = 100
const maxEvents = 200
/** A call begins no other session after so many ms. */
const maxMs = 5

/**
 * Ends the events of old replies. What goes is always a prefix of a session's log, so that one place says what is gone: an
 * old reply whose events lie after those of one still to be kept waits for that one.
 */
export function createTrim({ db, now }: TrimParts): WorkerCalls['trimLog'] {
  const oldest = db.prepare(`
    SELECT DISTINCT session FROM (
      SELECT session FROM replies WHERE trimmed = 0 AND ended_at IS NOT NULL AND ended_at < ?
      ORDER BY ended_at LIMIT ${maxReplies}
    )`)
  // Of these no reply says any more that their events are old.
  const deleted = db.prepare(`
    SELECT conversation, session FROM deletions WHERE swept = 1 AND deleted_at < ? LIMIT ${maxReplies}`)
  const endDeletion = db.prepare('DELETE FROM deletions WHERE conversation = ?')
  const sessionKey = db.prepare('SELECT key FROM sessions WHERE id = ?')
  const first = db.prepare(`
    SELECT e.id & ${maxSeq} AS seq, e."check", e.running, e.reply, r.ended_at, r.ended_seq, r.conversation
    FROM events e LEFT JOIN replies r ON r.id = e.reply
    WHERE e.id > ${eventId('?1', '0')} AND e.id <= ${eventId('?1', `${maxSeq}`)}
    ORDER BY e.id LIMIT ${maxEvents}`)
  const remove = db.prepare(`
    DELETE FROM events WHERE id > ${eventId(':session', '0')} AND id <= ${eventId(':session', ':seq')}`)
  const setTrimmed = db.prepare(`
    UPDATE sessions SET trimmed_seq = ?, trimmed_check = ?, trimmed_running = ? WHERE id = ?`)
  const mark = db.prepare('UPDATE replies SET trimmed = 1 WHERE id = ? AND trimmed = 0')
  const markConversation = db.prepare('UPDATE conversations SET trimmed_seq = ? WHERE id = ?')

  function trimSession(session: number, before: number): Trimmed | undefined {
    const rows = first.all(session)
    const kept = rows.findIndex((row) => isKept(row, before))
    const gone = kept === -1 ? rows : rows.slice(0, kept)
    const last = gone.at(-1)
    if (last === undefined) return undefined
    const upTo = toPlace(last)
    remove.run({ session, seq: upTo.seq })
    setTrimmed.run(upTo.seq, upTo.check, last['running'] ?? null, session)
    let count = 0
    for (const row of gone) {
      if (row['conversation'] === null) continue
      markConversation.run(integer(row['seq']), integer(row['conversation']))
      if (row['ended_seq'] === row['seq']) count += Number(mark.run(integer(row['reply'])).changes)
    }
    const sessionId = string(sessionKey.get(session)?.['key']) as SessionId
    return { sessionId, upTo, count, hasMore: gone.length === maxEvents }
  }

  return function trimLog({ endedBefore }) {
    const startedAt = now()
    const swept = deleted.all(endedBefore)
    const sessions = new Set(
      [...oldest.all(endedBefore), ...swept].map((row) => integer(row['session'])),
    )
    const trimmed: Trimmed[] = []
    const looked = new Set<number>()
    for (const session of sessions) {
      const gone = trimSession(session, endedBefore)
      if (gone !== undefined) trimmed.push(gone)
      if (gone?.hasMore !== true) looked.add(session)
      if (now() - startedAt > maxMs) break
    }
    // What is left of their events goes with those of the replies that they wait for.
    for (const row of swept) {
      if (looked.has(integer(row['session']))) endDeletion.run(integer(row['conversation']))
    }
    return {
      // Where only events of deleted conversations went there is more to come as well.
      count: trimmed.reduce((sum, { count, hasMore }) => sum + Math.max(count, hasMore ? 1 : 0), 0),
      trimmed: trimmed.map(({ sessionId, upTo }) => ({ sessionId, upTo })),
    }
  }
}

interface Trimmed {
  readonly sessionId: SessionId
  readonly upTo: EventPlace
  /** Replies whose last event went. */
  readonly count: number
  readonly hasMore: boolean
}

/** An event of a reply that has not ended, or ended too lately. */
function isKept(row: Row, before: number): boolean {
  if (row['conversation'] === null) return false
  const endedAt = integerOrNull(row['ended_at'] ?? null)
  return endedAt === null || endedAt >= before
}
