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
} from '../../domain.ts'
import type { StoredAttachment, UpstreamBinding, UpstreamPlace } from '../ledger.ts'
import { integer, integerOrNull, jsonOrNull, string, stringOrNull, type Row } from './columns.ts'
import type { RunningReplies } from './running.ts'

/** What was stored under a branded id was one when it was written; this is where it becomes one again. */
const assistantId = (row: Row) => string(row['assistant']) as AssistantId
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
    assistantId: assistantId(row),
    title: stringOrNull(row['title'] ?? null),
    createdAt: integer(row['created_at']),
    lastUsedAt: integer(row['last_used_at']),
    used: integer(row['used']),
  }
}

/** Whatever is joined is of one session: a damaged row is missing rather than another's (F34). */
const fromMessages = `
  FROM messages m
  JOIN conversations c ON c.id = m.conversation AND c.session = m.session
  JOIN replies r ON r.id = coalesce(m.reply, m.id) AND r.session = m.session`

export const selectMessage = `
  SELECT m.id AS row, m.key AS message, c.key AS conversation, r.key AS reply, m.role,
    coalesce(m.text, r.text) AS text, m.attachments, m.extras, m.rating, m.created_at
  ${fromMessages}`

/** Which messages there are, without a byte of their texts. */
export const selectMessageRow = `SELECT m.id AS row ${fromMessages}`

export function toMessage(row: Row): Message {
  return {
    id: messageId(row),
    conversationId: conversationIdOf(row),
    replyId: replyIdOf(row),
    role: row['role'] === 'USER' ? 'USER' : 'ASSISTANT',
    text: string(row['text']),
    attachmentIds: jsonOrNull<AttachmentId[]>(row['attachments']) ?? [],
    rating: stringOrNull(row['rating'] ?? null) as Rating | null,
    createdAt: integer(row['created_at']),
  }
}

export function toExtras(row: Row): MessageExtras {
  return jsonOrNull<MessageExtras>(row['extras']) ?? { parameters: {}, metadata: {} }
}

export const selectAttachment = `
  SELECT f.key AS attachment, f.assistant, f.origin, f.account, f.upstream, f.name, f.media_type, f.bytes, f.created_at
  FROM attachments f`

export function toAttachment(row: Row): StoredAttachment {
  return {
    id: string(row['attachment']) as AttachmentId,
    assistantId: assistantId(row),
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
    r.status, r.text, r.reasoning, r.usage, r.follow_ups, r.question, r.omitted, r.tool_calls,
    r.action_expires_at, r.explanation, r.context_reset, r.failure, r.upstream_cancelled,
    r.created_at, r.started_at, r.ended_at,
    CASE r.status WHEN 'QUEUED' THEN (
      SELECT count(*) FROM replies q
      WHERE q.conversation = r.conversation AND q.ended_at IS NULL AND q.status = 'QUEUED' AND q.rank < r.rank
    ) END AS queue_position
  FROM replies r
  JOIN conversations c ON c.id = r.conversation
  JOIN messages m ON m.id = r.id
  LEFT JOIN messages a ON a.id = r.answer`

export function toReply(row: Row, running: RunningReplies): Reply {
  const id = replyIdOf(row)
  const status = statusOf(row)
  const isAtWork = status === 'RUNNING' || status === 'ACTION_REQUIRED'
  const run = isAtWork ? running.get(id) : undefined
  return {
    id,
    conversationId: conversationIdOf(row),
    assistantId: assistantId(row),
    messageId: messageId(row),
    answerId: stringOrNull(row['answer']) as MessageId | null,
    status,
    text: run?.answer.value ?? string(row['text']),
    reasoning: run?.reasoning.value ?? string(row['reasoning']),
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

export function toToolCalls(row: Row): readonly ToolCall[] {
  return jsonOrNull<ToolCall[]>(row['tool_calls']) ?? []
}

export function toBinding(row: Row): UpstreamBinding | undefined {
  if (row['upstream'] === null) return undefined
  return { ...toUpstreamPlace(row), conversationId: string(row['upstream']) }
}

export function toUpstreamPlace(row: Row): UpstreamPlace {
  return {
    scope: { origin: string(row['origin']), account: string(row['account']) },
    strategy: string(row['strategy']) as StrategyKind,
  }
}
