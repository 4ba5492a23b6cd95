import type { DatabaseSync } from 'node:sqlite'
import type { EventPlace } from '../../../domain.ts'
import type { EventFilter } from '../../log.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { LoggedReply } from '../../main-half/stored.ts'
import { toEvent, toPlace } from '../../engine/events.ts'
import { eventId, maxSeq, selectEvent, type Events } from './events.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer, integerOrNull, jsonOrNull } from '../../engine/columns.ts'
import { firstEventOf, isTrimmed, readNothing } from '../../engine/log.ts'
import { conversationIdOf, replyIdOf, toRevisions } from '../../engine/records.ts'
import { type Row, findOwn } from './columns.ts'

/** Events looked at in one call, whether the filter lets them through or not. */
const maxLooked = 500

export interface LogParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly events: Events
}

type LogCalls = Pick<EngineCalls, 'readLog' | 'readTexts' | 'logEnd' | 'logStart' | 'checkPlace'>

/** What of a session's log the filter of a reader lets through: rows. */
interface Filter {
  readonly reply: number | undefined
  readonly conversation: number | undefined
}

/** Sessions' logs as they are on disk. */
export function createLog({ db, sessions, texts, events }: LogParts): LogCalls {
  const eventAt = db.prepare(`
    SELECT id & ${maxSeq} AS seq, "check", running FROM events WHERE id = ${eventId('?', '?')}`)
  const trimmedOf = db.prepare(`
    SELECT trimmed_seq AS seq, trimmed_check AS "check", trimmed_running AS running FROM sessions WHERE id = ?`)
  const toldOf = db.prepare(`
    SELECT told_seq AS seq, told_check AS "check", told_running AS running FROM sessions WHERE id = ?`)
  const before = db.prepare(`
    SELECT id & ${maxSeq} AS seq, "check" FROM events
    WHERE id > ${eventId(':session', '0')} AND id < ${eventId(':session', ':seq')} ORDER BY id DESC LIMIT 1`)
  const places = db.prepare(`
    SELECT id & ${maxSeq} AS seq, "check" FROM events
    WHERE id > ${eventId(':session', ':after')} AND id <= ${eventId(':session', `${maxSeq}`)}
    ORDER BY id LIMIT ${maxLooked}`)
  const eventsIn = db.prepare(`
    ${selectEvent}
    WHERE e.id > ${eventId(':session', ':after')} AND e.id <= ${eventId(':session', ':to')}
      AND (:reply IS NULL OR e.reply = :reply) AND (:conversation IS NULL OR r.conversation = :conversation)
    ORDER BY e.id LIMIT :limit`)
  const loggedReply = db.prepare(`
    SELECT r.id AS row, r.key AS reply, c.key AS conversation, r.conversation AS conversation_row, r.revisions, r.ended_seq
    FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session
    WHERE r.id = ? AND r.session = ?`)
  const findReply = findOwn(
    db,
    'r',
    `SELECT r.id, r.key, r.conversation, r.started_seq, r.ended_seq, r.trimmed
    FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session`,
  )
  const findConversation = findOwn(
    db,
    'c',
    'SELECT c.id, c.key, c.trimmed_seq FROM conversations c',
  )

  /** What ran after the event at a place; undefined: it is gone or another one. */
  function runningAfter(
    session: number,
    { seq, check }: EventPlace,
  ): readonly number[] | undefined {
    if (seq === 0) return check === '' ? [] : undefined
    const row =
      [trimmedOf.get(session), toldOf.get(session)].find((gone) => gone?.['seq'] === seq) ??
      eventAt.get(session, Math.min(seq, maxSeq))
    if (row?.['check'] !== check) return undefined
    return jsonOrNull<number[]>(row['running']) ?? []
  }

  /** Whether events after a place that the filter asks for were trimmed. */
  function lacks(session: number, after: number, filter: EventFilter): boolean {
    const trimmedTo = integer(trimmedOf.get(session)?.['seq'])
    if (after >= trimmedTo) return false
    if (filter.replyId !== undefined) {
      const found = findReply(filter.replyId, session)
      if (found === undefined || !isTrimmed(found, trimmedTo)) return false
      const last = integerOrNull(found['ended_seq'] ?? null)
      return last === null || last > after
    }
    if (filter.conversationId === undefined) return after < integer(toldOf.get(session)?.['seq'])
    const conversation = findConversation(filter.conversationId, session)
    return integer(conversation?.['trimmed_seq'] ?? 0) > after
  }

  function logged(row: Row): LoggedReply {
    const reply = integer(row['row'])
    return {
      replyId: replyIdOf(row),
      conversationId: conversationIdOf(row),
      revisions: toRevisions(row),
      answerLength: texts.length(reply, 'answer'),
      reasoningLength: texts.length(reply, 'reasoning'),
      isEnded: row['ended_seq'] !== null,
    }
  }

  return {
    readLog({ sessionId, after, isKnown, filter, limit }) {
      const owner = sessions.find(sessionId)
      if (owner === undefined) return readNothing(after)
      const { session } = owner
      // What ran at a place that was trimmed has its own events trimmed as well.
      const runningRows = runningAfter(session, after) ?? (isKnown ? [] : undefined)
      if (runningRows === undefined) return 'expired'
      if (lacks(session, after.seq, filter)) return 'expired'

      const filtered = rowsOf(session, filter)
      const looked = filtered === undefined ? [] : places.all({ session, after: after.seq })
      const isAll = looked.length < maxLooked
      const lookedTo = looked.at(-1)
      const found =
        filtered === undefined || lookedTo === undefined
          ? []
          : eventsIn.all({
              session,
              after: after.seq,
              to: integer(lookedTo['seq']),
              reply: filtered.reply ?? null,
              conversation: filtered.conversation ?? null,
              limit,
            })
      const isCut = found.length === limit
      const replies = new Map<number, LoggedReply>()
      const remember = (reply: number) => {
        const row = replies.has(reply) ? undefined : loggedReply.get(reply, session)
        if (row !== undefined && passes(row, filtered)) replies.set(reply, logged(row))
      }
      for (const reply of runningRows) remember(reply)
      const running = [...replies.values()].map(({ replyId }) => replyId)
      for (const row of found) remember(integer(row['row']))
      return {
        events: found.map(toEvent),
        readTo: toPlace((isCut ? found.at(-1) : lookedTo) ?? { ...after }),
        isEnd: isAll && !isCut,
        running,
        replies: [...replies.values()],
      }
    },

    readTexts({ sessionId, pieces }) {
      const session = sessions.find(sessionId)?.session
      return pieces.map(({ replyId, kind, from, to }) => {
        const found = session === undefined ? undefined : findReply(replyId, session)
        if (found === undefined) return ''
        const of = kind === 'ANSWER' ? 'answer' : 'reasoning'
        return texts.slice(integer(found['id']), of, from, to)
      })
    },

    logEnd({ sessionId }) {
      const session = sessions.find(sessionId)?.session
      return session === undefined ? { seq: 0, check: '' } : events.end(session)
    },

    logStart({ sessionId, replyId }) {
      const session = sessions.find(sessionId)?.session
      const found = session === undefined ? undefined : findReply(replyId, session)
      if (session === undefined || found === undefined) return undefined
      const first = firstEventOf(found)
      if (first === null) return events.end(session)
      const trimmed = trimmedOf.get(session)
      if (isTrimmed(found, integer(trimmed?.['seq']))) return 'expired'
      return toPlace(before.get({ session, seq: first }) ?? trimmed)
    },

    checkPlace({ sessionId, place }) {
      const session = sessions.find(sessionId)?.session
      if (session === undefined) return place.seq === 0 && place.check === '' ? 'ok' : 'expired'
      return runningAfter(session, place) === undefined ? 'expired' : 'ok'
    },
  }

  /** Undefined: it names what is not in this session, and lets nothing through. */
  function rowsOf(session: number, { replyId, conversationId }: EventFilter): Filter | undefined {
    const reply = replyId === undefined ? undefined : findReply(replyId, session)
    const conversation =
      conversationId === undefined ? undefined : findConversation(conversationId, session)
    if (replyId !== undefined && reply === undefined) return undefined
    if (conversationId !== undefined && conversation === undefined) return undefined
    return {
      reply: reply && integer(reply['id']),
      conversation: conversation && integer(conversation['id']),
    }
  }
}

function passes(row: Row, filter: Filter | undefined): boolean {
  if (filter === undefined) return false
  const { reply, conversation } = filter
  return (
    (reply === undefined || row['row'] === reply) &&
    (conversation === undefined || row['conversation_row'] === conversation)
  )
}
