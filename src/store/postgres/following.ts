import type { SessionId } from '../../domain.ts'
import { integer, integerOrNull, type StoredRow, rowsOf, string } from '../engine/columns.ts'
import { toPlace } from '../engine/events.ts'
import { conversationIdOf, replyIdOf, toRevisions } from '../engine/records.ts'
import type { TextPart } from '../followed-text.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { SessionSnapshot } from '../session-log.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import { type TextKind, textKinds } from './rows.ts'
import type { WritingInstance } from './session-write.ts'
import { rows, sql, raw } from './sql.ts'
import { maxPieceLength } from './texts.ts'

/** The pieces of a text of the reply `r` that reach beyond what is known of it. */
const piecesOf = (kind: TextKind) => sql`
  SELECT t.start, t.text FROM texts t
  WHERE t.session = r.session AND t.reply = r.id AND t.kind = ${textKinds[kind]}::int
    AND t.start > ${raw(`known.${kind}`)} - ${maxPieceLength}::int AND t.start + t.length > ${raw(`known.${kind}`)}
  ORDER BY t.start`

/** What others write in sessions that are read here. */
export function createFollowing(
  db: Database,
  { name }: WritingInstance,
): AsyncCalls<Pick<EngineCalls, 'follow'>> {
  return {
    async follow({ sessions, idle, texts }) {
      const found = await db.query(sql`
        WITH met AS (
          SELECT s.id FROM sessions s WHERE s.key = ANY(${[...sessions]}::text[])
          UNION
          SELECT s.id FROM replies r JOIN sessions s ON s.id = r.session
          WHERE r.status IN ('RUNNING', 'ACTION_REQUIRED') AND r.instance <> ${name}
            AND s.key = ANY(${[...idle]}::text[])),
        held AS (
          SELECT * FROM unnest(
            ${texts.map(({ replyId }) => replyId)}::text[], ${texts.map(({ revision }) => revision)}::text[],
            ${texts.map(({ answer }) => answer)}::int[], ${texts.map(({ reasoning }) => reasoning)}::int[]
          ) AS held (reply, revision, answer, reasoning))
        SELECT s.key AS session, s.last_seq AS seq, s.last_check AS "check", s.generation, s.deleted_at, ${rows(sql`
          SELECT r.key AS reply, c.key AS conversation, r.instance, r.revisions,
            known.answer AS answer_from, ${rows(piecesOf('answer'))} AS answer,
            known.reasoning AS reasoning_from, ${rows(piecesOf('reasoning'))} AS reasoning
          FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
          LEFT JOIN held ON held.reply = r.key AND held.revision = r.revisions::json -> -1 ->> 'name'
          CROSS JOIN LATERAL (
            SELECT CASE WHEN r.instance = ${name} THEN ${maxLength}::int ELSE coalesce(held.answer, 0) END AS answer,
              CASE WHEN r.instance = ${name} THEN ${maxLength}::int ELSE coalesce(held.reasoning, 0) END AS reasoning
          ) known
          WHERE r.session = s.id AND r.ended_at IS NULL AND r.status <> 'QUEUED' AND r.started_seq IS NOT NULL
          ORDER BY r.started_seq`)} AS running
        FROM met JOIN sessions s ON s.id = met.id`)
      return found.map((one) => toSnapshot(one, name))
    },
  }
}

/** No text is longer: of what runs here nothing is asked for. */
const maxLength = 2 ** 30

function toSnapshot(found: StoredRow, name: string): SessionSnapshot {
  const deletedAt = integerOrNull(found['deleted_at'] ?? null)
  return {
    sessionId: string(found['session']) as SessionId,
    end: toPlace(found),
    mark: `${integer(found['generation'])}.${deletedAt ?? ''}`,
    running: rowsOf(found['running']).map((one) => ({
      replyId: replyIdOf(one),
      conversationId: conversationIdOf(one),
      instance: string(one['instance']),
      text:
        one['instance'] === name
          ? undefined
          : {
              revisions: toRevisions(one),
              answer: toPart(one, 'answer'),
              reasoning: toPart(one, 'reasoning'),
            },
    })),
  }
}

function toPart(found: StoredRow, kind: TextKind): TextPart {
  const pieces = rowsOf(found[kind])
  const from = pieces[0] === undefined ? found[`${kind}_from`] : pieces[0]['start']
  return { from: integer(from), text: pieces.map((piece) => string(piece['text'])).join('') }
}
