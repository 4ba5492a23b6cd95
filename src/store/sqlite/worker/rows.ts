import type { Message, Reply } from '../../../domain.ts'
import { integer, json } from '../../engine/columns.ts'
import { toMessage, toReplyRecord } from '../../engine/records.ts'
import type { Row } from './columns.ts'
import type { Texts } from './texts.ts'

// Every row that is shown is read by its row id and belongs, by its own columns, to the session that asks and to what it was
// found for: an index that is damaged leads to nothing of another session.

export const selectConversation = `
  SELECT c.id AS row, c.key AS conversation, c.assistant, coalesce(c.title, c.first_words) AS title, c.created_at,
    c.last_used_at, c.used
  FROM conversations c`

export const selectMessage = `
  SELECT m.id AS row, m.key AS message, c.key AS conversation, r.id AS reply_row, r.key AS reply, m.role, m.attachments,
    m.images_length, m.rating, m.created_at
  FROM messages m
  JOIN conversations c ON c.id = m.conversation AND c.session = m.session
  JOIN replies r ON r.id = coalesce(m.reply, m.id) AND r.session = m.session AND r.conversation = m.conversation`

export function messageOf(row: Row, texts: Texts): Message {
  const reply = integer(row['reply_row'])
  const length = integer(row['images_length'])
  return toMessage(
    row,
    texts.read(reply, row['role'] === 'USER' ? 'message' : 'answer'),
    length === 0 ? [] : json<string[]>(texts.slice(reply, 'extras', 0, length)),
  )
}

export const selectAttachment = `
  SELECT f.key AS attachment, f.assistant, f.origin, f.account, f.upstream, f.name, f.media_type, f.bytes, f.created_at
  FROM attachments f`

export const selectReply = `
  SELECT r.id AS row, r.key AS reply, c.key AS conversation, c.assistant, m.key AS message, a.key AS answer,
    r.status, r.usage, r.follow_ups, r.question, r.omitted, r.tool_calls, r.action_expires_at, r.explanation,
    r.context_reset, r.failure, r.upstream_cancelled, r.created_at, r.started_at, r.ended_at,
    CASE r.status WHEN 'QUEUED' THEN (
      SELECT count(*) FROM replies q
      WHERE q.session = r.session AND q.conversation = r.conversation AND q.ended_at IS NULL
        AND q.status = 'QUEUED' AND q.rank < r.rank
    ) END AS queue_position
  FROM replies r
  JOIN conversations c ON c.id = r.conversation AND c.session = r.session
  JOIN messages m ON m.id = r.id AND m.session = r.session
  LEFT JOIN messages a ON a.id = r.answer AND a.session = r.session AND a.reply = r.id`

export function replyOf(row: Row, texts: Texts): Reply {
  const reply = integer(row['row'])
  return {
    ...toReplyRecord(row),
    text: texts.read(reply, 'answer'),
    reasoning: texts.read(reply, 'reasoning'),
  }
}
