import type { DatabaseSync } from 'node:sqlite'
import type { EventPlace, SessionId } from '../../../domain.ts'
import type { NewId } from '../../../lib/id.ts'
import type { StoredEvent, WrittenEvent } from '../../main-half/stored.ts'
import { string } from '../../engine/columns.ts'
import { type EventBody, newCheck, toPayload, toPlace } from '../../engine/events.ts'

/** The number of an event is so many bits of its row id, which has 53 at most: more than that a number here cannot hold. */
export const seqBits = 27
export const maxSeq = 2 ** seqBits - 1

/** Two parts of one SQL expression: the row id of an event. */
export const eventId = (session: string, seq: string) =>
  `((${session} << ${seqBits}) | CAST(${seq} AS INTEGER))`

/** What an event is of: rows, and the ids of the same. */
export interface EventOwner {
  readonly session: number
  readonly sessionId: SessionId
  readonly reply: number
  readonly replyId: StoredEvent['replyId']
  readonly conversationId: StoredEvent['conversationId']
}

export interface Events {
  /** Numbers and stores an event. The reply's own row says already whether it runs after it. */
  append(owner: EventOwner, body: EventBody): number
  /** What was appended since it was last asked for. */
  taken(): readonly WrittenEvent[]
  /** The session's last event, whether it is still there or not. */
  end(session: number): EventPlace
}

export function createEvents(db: DatabaseSync, newId: NewId): Events {
  const last = db.prepare(`
    SELECT id & ${maxSeq} AS seq, "check" FROM events
    WHERE id > ${eventId('?1', '0')} AND id <= ${eventId('?1', `${maxSeq}`)} ORDER BY id DESC LIMIT 1`)
  const trimmed = db.prepare(
    'SELECT trimmed_seq AS seq, trimmed_check AS "check" FROM sessions WHERE id = ?',
  )
  const running = db.prepare(`
    SELECT json_group_array(id) AS running FROM (
      SELECT id FROM replies
      WHERE session = ? AND ended_at IS NULL AND status <> 'QUEUED' AND started_seq IS NOT NULL
      ORDER BY started_seq)`)
  const insert = db.prepare(`
    INSERT INTO events (id, "check", reply, type, payload, running)
    VALUES (${eventId(':session', ':seq')}, :check, :reply, :type, :payload, :running)`)
  const setStarted = db.prepare('UPDATE replies SET started_seq = ? WHERE id = ?')
  const setEnded = db.prepare('UPDATE replies SET ended_seq = ? WHERE id = ?')
  let written: WrittenEvent[] = []

  function end(session: number): EventPlace {
    return toPlace(last.get(session) ?? trimmed.get(session))
  }

  return {
    end,
    append({ session, sessionId, reply, replyId, conversationId }, body) {
      const seq = end(session).seq + 1
      if (seq > maxSeq) throw new RangeError('a session has too many events')
      const check = newCheck(newId)
      if (body.type === 'started') setStarted.run(seq, reply)
      else if (body.type !== 'action-required') setEnded.run(seq, reply)
      const others = string(running.get(session)?.['running'])
      insert.run({
        session,
        seq,
        check,
        reply,
        type: body.type,
        payload: toPayload(body),
        running: others === '[]' ? null : others,
      })
      const event: StoredEvent = { seq, check, replyId, conversationId, ...body }
      written.push({ sessionId, event })
      return seq
    },
    taken() {
      const taken = written
      written = []
      return taken
    },
  }
}

/** Events with what they need of their reply. A damaged row is missing rather than another session's. */
export const selectEvent = `
  SELECT e.id & ${maxSeq} AS seq, e."check", e.type, e.payload, e.reply AS row, r.key AS reply, c.key AS conversation,
    r.usage, r.follow_ups, r.question, r.omitted, r.context_reset, r.failure, r.upstream_cancelled
  FROM events e
  JOIN replies r ON r.id = e.reply AND r.session = (e.id >> ${seqBits})
  JOIN conversations c ON c.id = r.conversation AND c.session = r.session`
