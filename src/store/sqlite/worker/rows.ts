import type {
  AssistantId,
  AttachmentId,
  Conversation,
  ConversationId,
  Message,
  MessageExtras,
  MessageId,
  OmittedContent,
  Question,
  Rating,
  Reply,
  ReplyExplanation,
  ReplyFailure,
  ReplyId,
  ReplyStatus,
  Session,
  SessionId,
  SessionName,
  StrategyKind,
  ToolCall,
  Usage,
} from '../../../domain.ts'
import type { StoredAttachment } from '../../run-lease.ts'
import type { UpstreamAccount, UpstreamBinding } from '../../../domain/upstream.ts'
import type { TextRevision } from '../../reply-text.ts'
import type { ReplyRecord } from '../../main-half/stored.ts'
import type { Texts } from './texts.ts'
import {
  type Row,
  integer,
  integerOrNull,
  string,
  stringOrNull,
  json,
  jsonOrNull,
} from './columns.ts'

// Every row that is shown is read by its row id and belongs, by its own columns, to the session that asks and to what it was
// found for: an index that is damaged leads to nothing of another session.

/** What was stored under a branded id was one when it was written; this is where it becomes one again. */
export const assistantIdOf = (row: Row) => string(row['assistant']) as AssistantId

export const conversationIdOf = (row: Row) => string(row['conversation']) as ConversationId

export const statusOf = (row: Row) => string(row['status']) as ReplyStatus

export const replyIdOf = (row: Row) => string(row['reply']) as ReplyId

const messageId = (row: Row) => string(row['message']) as MessageId

export function toSession(row: Row): Session {
  return {
    id: string(row['session_key']) as SessionId,
    name: string(row['session_name']) as SessionName,
  }
}

export const selectConversation = `
  SELECT c.id AS row, c.key AS conversation, c.assistant, coalesce(c.title, c.first_words) AS title, c.created_at,
    c.last_used_at, c.used
  FROM conversations c`

export function toConversation(row: Row): Conversation {
  return {
    id: conversationIdOf(row),
    assistantId: assistantIdOf(row),
    title: stringOrNull(row['title'] ?? null),
    createdAt: integer(row['created_at']),
    lastUsedAt: integer(row['last_used_at']),
    used: integer(row['used']),
  }
}

export const selectMessage = `
  SELECT m.id AS row, m.key AS message, c.key AS conversation, r.id AS reply_row, r.key AS reply, m.role, m.attachments,
    m.images_length, m.rating, m.created_at
  FROM messages m
  JOIN conversations c ON c.id = m.conversation AND c.session = m.session
  JOIN replies r ON r.id = coalesce(m.reply, m.id) AND r.session = m.session AND r.conversation = m.conversation`

export function toMessage(row: Row, texts: Texts): Message {
  const isUser = row['role'] === 'USER'
  const reply = integer(row['reply_row'])
  const length = integer(row['images_length'])
  return {
    id: messageId(row),
    conversationId: conversationIdOf(row),
    replyId: replyIdOf(row),
    role: isUser ? 'USER' : 'ASSISTANT',
    text: texts.read(reply, isUser ? 'message' : 'answer'),
    attachmentIds: jsonOrNull<AttachmentId[]>(row['attachments']) ?? [],
    imageUrls: length === 0 ? [] : json<string[]>(texts.slice(reply, 'extras', 0, length)),
    rating: stringOrNull(row['rating'] ?? null) as Rating | null,
    createdAt: integer(row['created_at']),
  }
}

/** Mostly there are none, and nothing is stored. */
export function toExtras(text: string): MessageExtras {
  return text === '' ? { parameters: {}, metadata: {} } : json<MessageExtras>(text)
}

export const selectAttachment = `
  SELECT f.key AS attachment, f.assistant, f.origin, f.account, f.upstream, f.name, f.media_type, f.bytes, f.created_at
  FROM attachments f`

export function toAttachment(row: Row): StoredAttachment {
  return {
    id: string(row['attachment']) as AttachmentId,
    assistantId: assistantIdOf(row),
    name: string(row['name']),
    mediaType: string(row['media_type']),
    bytes: integer(row['bytes']),
    createdAt: integer(row['created_at']),
    scope: { origin: string(row['origin']), account: string(row['account']) },
    upstreamId: string(row['upstream']),
  }
}

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

export function toReplyRecord(row: Row): ReplyRecord {
  return {
    id: replyIdOf(row),
    conversationId: conversationIdOf(row),
    assistantId: assistantIdOf(row),
    messageId: messageId(row),
    answerId: stringOrNull(row['answer']) as MessageId | null,
    status: statusOf(row),
    queuePosition: integerOrNull(row['queue_position']),
    usage: jsonOrNull<Usage>(row['usage']),
    followUps: jsonOrNull<string[]>(row['follow_ups']) ?? [],
    question: jsonOrNull<Question>(row['question']),
    omitted: jsonOrNull<OmittedContent[]>(row['omitted']) ?? [],
    toolCalls: toToolCalls(row),
    actionExpiresAt: integerOrNull(row['action_expires_at'] ?? null),
    contextReset: row['context_reset'] === 1,
    failure: jsonOrNull<ReplyFailure>(row['failure']),
    upstreamCancelled: row['upstream_cancelled'] === 1,
    explanation: jsonOrNull<ReplyExplanation>(row['explanation']),
    createdAt: integer(row['created_at']),
    startedAt: integerOrNull(row['started_at']),
    endedAt: integerOrNull(row['ended_at']),
  }
}

export function toReply(row: Row, texts: Texts): Reply {
  const reply = integer(row['row'])
  return {
    ...toReplyRecord(row),
    text: texts.read(reply, 'answer'),
    reasoning: texts.read(reply, 'reasoning'),
  }
}

export function toToolCalls(row: Row): readonly ToolCall[] {
  return jsonOrNull<ToolCall[]>(row['tool_calls']) ?? []
}

export function toRevisions(row: Row): readonly TextRevision[] {
  return jsonOrNull<TextRevision[]>(row['revisions']) ?? []
}

export function toBinding(row: Row): UpstreamBinding | undefined {
  if (row['upstream'] === null) return undefined
  return { ...toUpstreamAccount(row), conversationId: string(row['upstream']) }
}

export function toUpstreamAccount(row: Row): UpstreamAccount {
  return {
    scope: { origin: string(row['origin']), account: string(row['account']) },
    strategy: string(row['strategy']) as StrategyKind,
  }
}
