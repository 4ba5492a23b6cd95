import type { EventPlace } from '../../domain.ts'
import {
  integer,
  integerOrNull,
  jsonOrNull,
  type StoredRow,
  string,
  rowOf,
  rowsOf,
} from '../engine/columns.ts'
import { toEvent, toPlace } from '../engine/events.ts'
import { firstEventOf, isTrimmed, readNothing } from '../engine/log.ts'
import { conversationIdOf, replyIdOf, toRevisions } from '../engine/records.ts'
import type { EventFilter } from '../log.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { LoggedReply, TextPiece } from '../main-half/stored.ts'
import type { AsyncCalls } from './calls.ts'
import { findLengths } from './claims.ts'
import { textKinds } from './rows.ts'
import type { Sessions } from './sessions.ts'
import { row, rows, type Sql, sql, raw } from './sql.ts'

/** Events looked at in one call, whether the filter lets them through or not. */
const maxLooked = 500

export type LogCalls = Pick<
  EngineCalls,
  'readLog' | 'readTexts' | 'logEnd' | 'logStart' | 'checkPlace'
>

/** What is known of a place: of the session `s`, and of the event there. */
const findPlace = ({ seq }: EventPlace) => ({
  trimmed_seq: raw('s.trimmed_seq'),
  told_seq: raw('s.told_seq'),
  gone: rows(sql`
    SELECT * FROM (VALUES (s.trimmed_seq, s.trimmed_check, s.trimmed_running), (s.told_seq, s.told_check, s.told_running))
      AS gone (seq, "check", running) WHERE seq = ${seq}`),
  at: row(
    sql`SELECT e.seq, e."check", e.running FROM events e WHERE e.session = s.id AND e.seq = ${seq}`,
  ),
})

/** Sessions' logs as they are in the database. */
export function createLog(sessions: Sessions): AsyncCalls<LogCalls> {
  return {
    async readLog({ sessionId, after, isKnown, filter, limit }) {
      const { replyId, conversationId } = filter
      const seq = Math.min(after.seq, 2 ** 31 - 1)
      const found = await sessions.read(sessionId, {
        ...findPlace({ ...after, seq }),
        reply:
          replyId === undefined
            ? sql`NULL::json`
            : row(sql`
                SELECT r.id, r.started_seq, r.ended_seq, r.trimmed FROM replies r
                JOIN conversations c ON c.session = r.session AND c.id = r.conversation
                WHERE r.session = s.id AND r.key = ${replyId}`),
        conversation:
          conversationId === undefined
            ? sql`NULL::json`
            : row(
                sql`SELECT c.id, c.trimmed_seq FROM conversations c WHERE c.session = s.id AND c.key = ${conversationId}`,
              ),
        looked: row(sql`
          SELECT e.seq, e."check", e.looked FROM (
            SELECT seq, "check", count(*) OVER () AS looked FROM (
              SELECT seq, "check" FROM events WHERE session = s.id AND seq > ${seq} ORDER BY seq LIMIT ${maxLooked}) l
          ) e ORDER BY e.seq DESC LIMIT 1`),
        events: rows(sql`${selectEvents(seq, filter)} LIMIT ${limit}`),
        // Two of the places may be one: what ran there is found twice.
        ran: rows(sql`
          SELECT r.id AS row, r.key AS reply, c.key AS conversation, ${loggedColumns}
          FROM (
            SELECT e.running FROM events e WHERE e.session = s.id AND e.seq = ${seq}
            UNION ALL SELECT s.trimmed_running WHERE s.trimmed_seq = ${seq}
            UNION ALL SELECT s.told_running WHERE s.told_seq = ${seq}) place
          CROSS JOIN LATERAL json_array_elements_text(place.running::json) AS number
          JOIN replies r ON r.session = s.id AND r.id = number::int
          JOIN conversations c ON c.session = r.session AND c.id = r.conversation`),
      })
      if (found === undefined) return readNothing(after)
      // What ran at a place that was trimmed has its own events trimmed as well. Another place is not known any more.
      const mayBeGone = isKnown && wasTrimmed(found, seq)
      const ran = runningAfter(found, after) ?? (mayBeGone ? [] : undefined)
      if (ran === undefined) return 'expired'
      if (lacks(found, after.seq, filter)) return 'expired'
      const isNamed =
        (replyId === undefined || found['reply'] !== null) &&
        (conversationId === undefined || found['conversation'] !== null)
      const lookedTo = isNamed ? rowOf(found['looked']) : null
      const isAll = lookedTo === null || integer(lookedTo['looked']) < maxLooked
      const last = lookedTo === null ? 0 : integer(lookedTo['seq'])
      const events = rowsOf(found['events']).filter((one) => integer(one['seq']) <= last)
      const isCut = events.length === limit
      const logged = new Map(
        [...rowsOf(found['ran']), ...events].map((one) => [integer(one['row']), toLogged(one)]),
      )
      const numbers = isNamed ? new Set([...ran, ...events.map((one) => integer(one['row']))]) : []
      const replies = [...numbers].flatMap((number) => {
        const reply = logged.get(number)
        return reply !== undefined && isWanted(reply, filter) ? [{ number, reply }] : []
      })
      return {
        events: events.map(toEvent),
        readTo: toPlace((isCut ? events.at(-1) : lookedTo) ?? { ...after }),
        isEnd: isAll && !isCut,
        running: replies
          .filter(({ number }) => ran.includes(number))
          .map(({ reply }) => reply.replyId),
        replies: replies.map(({ reply }) => reply),
      }
    },

    async readTexts({ sessionId, pieces }) {
      const found = await sessions.read(sessionId, { parts: selectPieces(pieces) })
      const parts = Map.groupBy(rowsOf(found?.['parts']), (part) => integer(part['place']))
      return pieces.map(({ from, to }, index) => {
        const own = parts.get(index + 1) ?? []
        const start = own[0] === undefined ? 0 : integer(own[0]['start'])
        const text = own.map((part) => string(part['text'])).join('')
        return text.slice(from - start, to - start)
      })
    },

    async logEnd({ sessionId }) {
      const found = await sessions.read(sessionId, {
        seq: raw('s.last_seq'),
        '"check"': raw('s.last_check'),
      })
      return toPlace(found)
    },

    async logStart({ sessionId, replyId }) {
      const found = await sessions.read(sessionId, {
        trimmed_seq: raw('s.trimmed_seq'),
        end: row(sql`SELECT s.last_seq AS seq, s.last_check AS "check"`),
        reply: row(sql`
          SELECT r.started_seq, r.ended_seq, r.trimmed, ${row(sql`
            SELECT e.seq, e."check" FROM events e
            WHERE e.session = s.id AND e.seq < coalesce(r.started_seq, r.ended_seq) ORDER BY e.seq DESC LIMIT 1`)} AS before
          FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
          WHERE r.session = s.id AND r.key = ${replyId}`),
        trimmed: row(sql`SELECT s.trimmed_seq AS seq, s.trimmed_check AS "check"`),
      })
      const reply = rowOf(found?.['reply'])
      if (found === undefined || reply === null) return undefined
      if (firstEventOf(reply) === null) return toPlace(rowOf(found['end']) ?? undefined)
      if (isTrimmed(reply, integer(found['trimmed_seq']))) return 'expired'
      return toPlace(rowOf(reply['before'] ?? found['trimmed']) ?? undefined)
    },

    async checkPlace({ sessionId, place }) {
      const seq = Math.min(place.seq, 2 ** 31 - 1)
      const found = await sessions.read(sessionId, findPlace({ ...place, seq }))
      if (found === undefined) return place.seq === 0 && place.check === '' ? 'ok' : 'expired'
      return runningAfter(found, place) === undefined ? 'expired' : 'ok'
    },
  }
}

/** What a reader of the reply `r` needs to know of it. */
const loggedColumns = sql`r.ended_seq, ${findLengths}`

function toLogged(found: StoredRow): LoggedReply {
  return {
    replyId: replyIdOf(found),
    conversationId: conversationIdOf(found),
    revisions: toRevisions(found),
    answerLength: integer(found['answer_length']),
    reasoningLength: integer(found['reasoning_length']),
    isEnded: found['ended_seq'] !== null,
  }
}

function isWanted(
  reply: Pick<LoggedReply, 'replyId' | 'conversationId'>,
  { replyId = reply.replyId, conversationId = reply.conversationId }: EventFilter,
): boolean {
  return reply.replyId === replyId && reply.conversationId === conversationId
}

/** Events of the session `s` with what they need of their reply. */
function selectEvents(after: number, { replyId, conversationId }: EventFilter): Sql {
  return sql`
    SELECT e.seq, e."check", e.type, e.payload, e.reply AS row, r.key AS reply, c.key AS conversation,
      r.usage, r.follow_ups, r.question, r.omitted, r.context_reset, r.failure, r.upstream_cancelled, ${loggedColumns}
    FROM events e
    JOIN replies r ON r.session = e.session AND r.id = e.reply
    JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    WHERE e.session = s.id AND e.seq > ${after}
      ${replyId === undefined ? sql`` : sql`AND r.key = ${replyId}`}
      ${conversationId === undefined ? sql`` : sql`AND c.key = ${conversationId}`}
    ORDER BY e.seq`
}

/** What ran after the event at a place; undefined: it is gone or another one. */
function runningAfter(found: StoredRow, { seq, check }: EventPlace): readonly number[] | undefined {
  if (seq === 0) return check === '' ? [] : undefined
  const [gone] = rowsOf(found['gone'])
  const at = gone ?? rowOf(found['at'])
  if (at?.['check'] !== check) return undefined
  return jsonOrNull<number[]>(at['running']) ?? []
}

/** The event at a place was taken away by trimming; else, where it is not there, the database has lost it. */
function wasTrimmed(found: StoredRow, seq: number): boolean {
  const isThere = found['at'] !== null || rowsOf(found['gone']).length > 0
  return !isThere && seq < integer(found['trimmed_seq'])
}

/** Whether events after a place that the filter asks for were trimmed. */
function lacks(found: StoredRow, after: number, filter: EventFilter): boolean {
  const trimmedTo = integer(found['trimmed_seq'])
  if (after >= trimmedTo) return false
  if (filter.replyId !== undefined) {
    const reply = rowOf(found['reply'])
    if (reply === null || !isTrimmed(reply, trimmedTo)) return false
    const last = integerOrNull(reply['ended_seq'] ?? null)
    return last === null || last > after
  }
  if (filter.conversationId === undefined) return after < integer(found['told_seq'])
  const conversation = rowOf(found['conversation'])
  return integer(conversation?.['trimmed_seq'] ?? 0) > after
}

/** The rows that hold pieces of texts of the session `s`, each with the place of its piece. */
function selectPieces(pieces: readonly TextPiece[]): Sql {
  const kinds = pieces.map(({ kind }) => textKinds[kind === 'ANSWER' ? 'answer' : 'reasoning'])
  return rows(sql`
    SELECT piece.place, t.start, t.text FROM unnest(
      ${pieces.map(({ replyId }) => replyId)}::text[], ${kinds}::int[],
      ${pieces.map(({ from }) => from)}::int[], ${pieces.map(({ to }) => to)}::int[]
    ) WITH ORDINALITY AS piece (reply, kind, start, ends, place)
    JOIN replies r ON r.session = s.id AND r.key = piece.reply
    JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    JOIN texts t ON t.session = s.id AND t.reply = r.id AND t.kind = piece.kind
      AND t.start < piece.ends AND t.start + t.length > piece.start
    ORDER BY piece.place, t.start`)
}
