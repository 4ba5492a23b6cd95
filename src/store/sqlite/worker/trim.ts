import type { DatabaseSync } from 'node:sqlite'
import type { EventPlace, SessionId } from '../../../domain.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { toPlace } from '../../engine/events.ts'
import { eventId, maxSeq } from './events.ts'
import { integer, integerOrNull, string } from '../../engine/columns.ts'
import type { Row } from './columns.ts'

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
export function createTrim({ db, now }: TrimParts): EngineCalls['trimLog'] {
  const oldest = db.prepare(`
    SELECT id, session, ended_at FROM replies
    WHERE trimmed = 0 AND ended_at IS NOT NULL AND (ended_at, id) > (:from, :id) AND ended_at < :before
    ORDER BY ended_at, id LIMIT ${maxReplies}`)
  // Of these no reply says any more that their events are old.
  const deleted = db.prepare(`
    SELECT conversation, session FROM deletions WHERE swept = 1 AND deleted_at < ? LIMIT ${maxReplies}`)
  const endDeletion = db.prepare('DELETE FROM deletions WHERE conversation = ?')
  const sessionKey = db.prepare('SELECT key FROM sessions WHERE id = ?')
  const first = db.prepare(`
    SELECT e.id & ${maxSeq} AS seq, e."check", e.running, e.reply, r.ended_at, r.ended_seq, c.id AS conversation
    FROM events e LEFT JOIN replies r ON r.id = e.reply
      LEFT JOIN conversations c ON c.id = r.conversation AND c.session = r.session
    WHERE e.id > ${eventId('?1', '0')} AND e.id <= ${eventId('?1', `${maxSeq}`)}
    ORDER BY e.id LIMIT ${maxEvents}`)
  const remove = db.prepare(`
    DELETE FROM events WHERE id > ${eventId(':session', '0')} AND id <= ${eventId(':session', ':seq')}`)
  const setTrimmed = db.prepare(`
    UPDATE sessions SET trimmed_seq = ?, trimmed_check = ?, trimmed_running = ? WHERE id = ?`)
  const setTold = db.prepare(
    'UPDATE sessions SET told_seq = ?, told_check = ?, told_running = ? WHERE id = ?',
  )
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
    // Of the events of deleted conversations nobody misses anything.
    const told = gone.findLast((row) => row['conversation'] !== null)
    if (told !== undefined) {
      const { seq, check } = toPlace(told)
      setTold.run(seq, check, told['running'] ?? null, session)
    }
    let count = 0
    for (const row of gone) {
      const conversation = integerOrNull(row['conversation'] ?? null)
      if (conversation !== null) markConversation.run(integer(row['seq']), conversation)
      if (row['ended_seq'] === row['seq']) count += Number(mark.run(integer(row['reply'])).changes)
    }
    const sessionId = string(sessionKey.get(session)?.['key']) as SessionId
    return { sessionId, upTo, count, hasMore: gone.length === maxEvents }
  }

  /** The last old reply that was looked at: all up to it wait for one that is to be kept. */
  let waiting = beginning

  return function trimLog({ endedBefore }) {
    const startedAt = now()
    const swept = deleted.all(endedBefore)
    const old = oldest.all({ ...waiting, before: endedBefore })
    const trimmed: Trimmed[] = []
    const met = new Set<number>()
    const looked = new Set<number>()
    let last: Row | undefined
    for (const row of [...old, ...swept]) {
      if (now() - startedAt > maxMs && last !== undefined) break
      last = row
      const session = integer(row['session'])
      if (met.has(session)) continue
      met.add(session)
      const gone = trimSession(session, endedBefore)
      if (gone !== undefined) trimmed.push(gone)
      if (gone?.hasMore !== true) looked.add(session)
    }
    // Where only events of deleted conversations went there is more to come as well.
    const count = trimmed.reduce((sum, gone) => sum + Math.max(gone.count, gone.hasMore ? 1 : 0), 0)
    const at = last === undefined ? -1 : old.indexOf(last)
    const isAll = old.length < maxReplies && (at === -1 || at === old.length - 1)
    // Else the replies of one session that all wait would keep those of all others.
    const goesOn = count === 0 && !isAll
    if (goesOn) {
      const { id, ended_at: from } = (at === -1 ? old.at(-1) : old[at]) ?? {}
      waiting = { id: integer(id), from: integer(from) }
    } else if (count === 0) waiting = beginning
    // What is left of their events goes with those of the replies that they wait for.
    for (const row of swept) {
      if (looked.has(integer(row['session']))) endDeletion.run(integer(row['conversation']))
    }
    return {
      count: goesOn ? 1 : count,
      trimmed: trimmed.map(({ sessionId, upTo }) => ({ sessionId, upTo })),
    }
  }
}

const beginning = { from: 0, id: 0 }

interface Trimmed {
  readonly sessionId: SessionId
  readonly upTo: EventPlace
  /** Replies whose last event went. */
  readonly count: number
  readonly hasMore: boolean
}

/** An event of a reply that has not ended, or ended too lately; those of deleted conversations are kept for nobody. */
function isKept(row: Row, before: number): boolean {
  if (row['conversation'] === null) return false
  const endedAt = integerOrNull(row['ended_at'] ?? null)
  return endedAt === null || endedAt >= before
}
