import type { EventPlace, SessionId } from '../../domain.ts'
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
  async function loggedReplies(
    sessionId: SessionId,
    numbers: readonly number[],
    { replyId, conversationId }: EventFilter,
  ): Promise<readonly { readonly number: number; readonly reply: LoggedReply }[]> {
    if (numbers.length === 0) return []
    const found = await sessions.read(sessionId, {
      replies: rows(sql`
        SELECT r.id AS row, r.key AS reply, c.key AS conversation, r.ended_seq, ${findLengths}
        FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
        WHERE r.session = s.id AND r.id = ANY(${[...numbers]}::int[])`),
    })
    const replies = rowsOf(found?.['replies'])
    return (replies ?? []).flatMap((one) => {
      const reply: LoggedReply = {
        replyId: replyIdOf(one),
        conversationId: conversationIdOf(one),
        revisions: toRevisions(one),
        answerLength: integer(one['answer_length']),
        reasoningLength: integer(one['reasoning_length']),
        isEnded: one['ended_seq'] !== null,
      }
      const isWanted =
        (replyId === undefined || reply.replyId === replyId) &&
        (conversationId === undefined || reply.conversationId === conversationId)
      return isWanted ? [{ number: integer(one['row']), reply }] : []
    })
  }

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
      })
      if (found === undefined) return readNothing(after)
      // What ran at a place that was trimmed has its own events trimmed as well.
      const ran = runningAfter(found, after) ?? (isKnown ? [] : undefined)
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
      const numbers = [...new Set([...ran, ...events.map((one) => integer(one['row']))])]
      const logged = isNamed ? await loggedReplies(sessionId, numbers, filter) : []
      const replies = numbers.flatMap((number) => logged.filter((one) => one.number === number))
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
      const found = await sessions.read(
        sessionId,
        Object.fromEntries(pieces.map((piece, index) => [`piece_${index}`, selectPiece(piece)])),
      )
      return pieces.map(({ from, to }, index) => {
        const parts = rowsOf(found?.[`piece_${index}`])
        const start = parts[0] === undefined ? 0 : integer(parts[0]['start'])
        const text = parts.map((part) => string(part['text'])).join('')
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

/** Events of the session `s` with what they need of their reply. */
function selectEvents(after: number, { replyId, conversationId }: EventFilter): Sql {
  return sql`
    SELECT e.seq, e."check", e.type, e.payload, e.reply AS row, r.key AS reply, c.key AS conversation,
      r.usage, r.follow_ups, r.question, r.omitted, r.context_reset, r.failure, r.upstream_cancelled
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

/** The rows that hold a piece of a text of the session `s`. */
function selectPiece({ replyId, kind, from, to }: TextPiece): Sql {
  const number = textKinds[kind === 'ANSWER' ? 'answer' : 'reasoning']
  return rows(sql`
    SELECT t.start, t.text FROM replies r
    JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    JOIN texts t ON t.session = r.session AND t.reply = r.id AND t.kind = ${number}::int
    WHERE r.session = s.id AND r.key = ${replyId} AND t.start < ${to}::int AND t.start + t.length > ${from}::int
    ORDER BY t.start`)
}
