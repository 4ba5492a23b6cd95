import type { EventPlace, SessionId } from '../../domain.ts'
import {
  integer,
  integerOrNull,
  type StoredRow,
  string,
  stringOrNull,
  rowsOf,
} from '../engine/columns.ts'
import { toPlace } from '../engine/events.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import type { Lanes } from './lanes.ts'
import type { CallContext, Sessions } from './sessions.ts'
import type { SessionWrite } from './session-write.ts'
import { rows, sql } from './sql.ts'

/** Replies and events looked at in one call. */
const maxReplies = 100
const maxEvents = 200

/**
 * Ends the events of old replies. What goes is always a prefix of a session's log, so that one place says what is gone: an
 * old reply whose events lie after those of one still to be kept waits for that one.
 */
export function createTrim(
  db: Database,
  sessions: Sessions,
  lanes: Lanes,
): AsyncCalls<Pick<EngineCalls, 'trimLog'>> {
  /** The last old reply that was looked at: all up to it wait for one that is to be kept. */
  let waiting = beginning

  function trimSession(
    sessionId: SessionId,
    before: number,
    context: CallContext,
  ): Promise<Trimmed | undefined> {
    const first = rows(sql`
      SELECT e.seq, e."check", e.running, e.reply, r.ended_at, r.ended_seq, c.id AS conversation
      FROM events e LEFT JOIN replies r ON r.session = e.session AND r.id = e.reply
      LEFT JOIN conversations c ON c.session = r.session AND c.id = r.conversation
      WHERE e.session = s.id ORDER BY e.seq LIMIT ${maxEvents}`)
    return lanes.run(sessionId, () =>
      sessions.change(
        sessionId,
        { first, deleted: sql`s.deleted_at` },
        (found, write) => {
          const events = rowsOf(found['first'])
          const kept = events.findIndex((event) => isKept(event, before))
          const gone = kept === -1 ? events : events.slice(0, kept)
          const hasMore = gone.length === maxEvents
          // What is left of the events of deleted conversations goes with those of the replies that they wait for.
          if (found['deleted'] !== null && !hasMore) write.set({ deleted_at: null })
          const last = gone.at(-1)
          if (last === undefined) return undefined
          const count = removeEvents(write, gone, last)
          return { sessionId, upTo: toPlace(last), count, hasMore }
        },
        context,
      ),
    )
  }

  return {
    async trimLog({ endedBefore }, context) {
      const deleted = await db.query(sql`
        SELECT key AS session FROM sessions WHERE deleted_at < ${endedBefore} LIMIT ${maxReplies}`)
      const old = await db.query(sql`
        SELECT s.key AS session, r.ended_at, r.session AS number, r.id FROM replies r JOIN sessions s ON s.id = r.session
        WHERE r.trimmed = 0 AND r.ended_at IS NOT NULL AND r.ended_at < ${endedBefore}
          AND (r.ended_at, r.session, r.id) > (${waiting.endedAt}, ${waiting.session}, ${waiting.id})
        ORDER BY r.ended_at, r.session, r.id LIMIT ${maxReplies}`)
      const met = new Set([...old, ...deleted].map((row) => string(row['session']) as SessionId))
      const trimmed: Trimmed[] = []
      for (const sessionId of met) {
        const gone = await trimSession(sessionId, endedBefore, context)
        if (gone !== undefined) trimmed.push(gone)
      }
      // Where only events of deleted conversations went there is more to come as well.
      const count = trimmed.reduce(
        (sum, gone) => sum + Math.max(gone.count, gone.hasMore ? 1 : 0),
        0,
      )
      // Else the replies of one session that all wait would keep those of all others.
      const last = old.at(-1)
      const goesOn = count === 0 && old.length === maxReplies && last !== undefined
      if (goesOn) {
        waiting = {
          endedAt: integer(last['ended_at']),
          session: integer(last['number']),
          id: integer(last['id']),
        }
      } else if (count === 0) waiting = beginning
      return {
        count: goesOn ? 1 : count,
        trimmed: trimmed.map(({ sessionId, upTo }) => ({ sessionId, upTo })),
      }
    },
  }
}

const beginning = { endedAt: 0, session: 0, id: 0 }

interface Trimmed {
  readonly sessionId: SessionId
  readonly upTo: EventPlace
  /** Replies whose last event went. */
  readonly count: number
  readonly hasMore: boolean
}

/** Returns of how many replies the last event went. */
function removeEvents(write: SessionWrite, gone: readonly StoredRow[], last: StoredRow): number {
  const { seq, check } = toPlace(last)
  write.remove('events', sql`seq <= ${seq}`)
  write.set({
    trimmed_seq: seq,
    trimmed_check: check,
    trimmed_running: stringOrNull(last['running'] ?? null),
  })
  // Nobody misses the events of deleted conversations.
  const told = gone.findLast((event) => event['conversation'] !== null)
  if (told !== undefined) {
    const place = toPlace(told)
    write.set({
      told_seq: place.seq,
      told_check: place.check,
      told_running: stringOrNull(told['running'] ?? null),
    })
  }
  const conversations = new Map<number, number>()
  const ended: number[] = []
  for (const event of gone) {
    if (event['conversation'] === null) continue
    conversations.set(integer(event['conversation']), integer(event['seq']))
    if (event['ended_seq'] === event['seq']) ended.push(integer(event['reply']))
  }
  if (ended.length > 0) write.update('replies', { trimmed: 1 }, sql`id = ANY(${ended}::int[])`)
  if (conversations.size > 0) {
    write.add(sql`
      UPDATE conversations SET trimmed_seq = new.seq
      FROM guard, unnest(${[...conversations.keys()]}::int[], ${[...conversations.values()]}::int[]) AS new (id, seq)
      WHERE conversations.session = owner AND conversations.id = new.id`)
  }
  return ended.length
}

/** An event of a reply that has not ended, or ended too lately. */
function isKept(event: StoredRow, before: number): boolean {
  if (event['conversation'] === null) return false
  const endedAt = integerOrNull(event['ended_at'] ?? null)
  return endedAt === null || endedAt >= before
}
