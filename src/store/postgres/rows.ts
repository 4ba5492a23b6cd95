import type { Reply } from '../../domain.ts'
import { json, type StoredRow, string, stringOrNull } from '../engine/columns.ts'
import { toMessage, toReplyRecord } from '../engine/records.ts'
import { type Sql, sql, raw } from './sql.ts'

// Every table of a session is joined by the session's number: a row of another session is nowhere in reach.

/** Numbers that stand for the two texts of a reply. */
export const textKinds = { answer: 0, reasoning: 1 } as const
export type TextKind = keyof typeof textKinds

/** The whole text of the reply `r`. */
const textOf = (kind: TextKind) =>
  raw(`coalesce((
  SELECT string_agg(t.text, '' ORDER BY t.start) FROM texts t
  WHERE t.session = r.session AND t.reply = r.id AND t.kind = ${textKinds[kind]}), '')`)

/** What is stored of a text of the reply `r`. */
export const storedLength = (kind: TextKind) =>
  raw(`coalesce((
  SELECT t.start + t.length FROM texts t
  WHERE t.session = r.session AND t.reply = r.id AND t.kind = ${textKinds[kind]}
  ORDER BY t.start DESC LIMIT 1), 0)`)

export const selectConversation = sql`
  SELECT c.id AS row, c.key AS conversation, c.assistant, coalesce(c.title, c.first_words) AS title, c.created_at,
    c.last_used_at, c.used
  FROM conversations c`

/** The columns of the message `m` of the reply `r`. */
export const messageColumns = sql`
  m.id AS row, m.key AS message, c.key AS conversation, r.key AS reply, m.role,
  CASE m.role WHEN 'USER' THEN m.text ELSE ${textOf('answer')} END AS text,
  m.attachments, m.images, m.extras, m.rating, m.created_at`

export const selectMessage = sql`
  SELECT ${messageColumns} FROM messages m
  JOIN conversations c ON c.session = m.session AND c.id = m.conversation
  JOIN replies r ON r.session = m.session AND r.id = m.reply AND r.conversation = m.conversation`

export function messageOf(found: StoredRow) {
  const images = stringOrNull(found['images'] ?? null)
  return toMessage(found, string(found['text']), images === null ? [] : json<string[]>(images))
}

export const selectAttachment = sql`
  SELECT f.key AS attachment, f.assistant, f.origin, f.account, f.upstream, f.name, f.media_type, f.bytes, f.created_at
  FROM attachments f`

const replyColumns = raw(`
  r.id AS row, r.key AS reply, c.key AS conversation, c.assistant, m.key AS message, a.key AS answer,
  r.status, r.usage, r.follow_ups, r.question, r.omitted, r.tool_calls, r.action_expires_at, r.explanation,
  r.context_reset, r.failure, r.upstream_cancelled, r.created_at, r.started_at, r.ended_at,
  CASE r.status WHEN 'QUEUED' THEN (
    SELECT count(*) FROM replies q
    WHERE q.session = r.session AND q.conversation = r.conversation AND q.ended_at IS NULL
      AND q.status = 'QUEUED' AND q.rank < r.rank
  ) END AS queue_position`)

const replyTables = raw(`
  replies r
  JOIN conversations c ON c.session = r.session AND c.id = r.conversation
  JOIN messages m ON m.session = r.session AND m.id = r.id
  LEFT JOIN messages a ON a.session = r.session AND a.id = r.answer`)

/** Nothing of its texts is read. @param columns of `r` and `c`, more than the record needs */
export function selectReplyRecord(columns?: Sql): Sql {
  return sql`SELECT ${replyColumns}${columns === undefined ? raw('') : sql`, ${columns}`} FROM ${replyTables}`
}

export const replyTexts = sql`${textOf('answer')} AS answer_text, ${textOf('reasoning')} AS reasoning_text`

export const selectReply = sql`SELECT ${replyColumns}, ${replyTexts} FROM ${replyTables}`

export function replyOf(found: StoredRow): Reply {
  const { answer: text, reasoning } = textsOf(found)
  return { ...toReplyRecord(found), text, reasoning }
}

export function textsOf(found: StoredRow) {
  return { answer: string(found['answer_text']), reasoning: string(found['reasoning_text']) }
}
