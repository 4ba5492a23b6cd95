import type {
  AssistantId,
  Conversation,
  ConversationId,
  Message,
  MessageId,
  Reply,
  ReplyFailure,
  ReplyId,
  ReplyStatus,
  Session,
  SessionId,
  SessionName,
  StrategyKind,
  Usage,
} from '../../domain.ts'
import type { UpstreamBinding } from '../ledger.ts'
import { integer, integerOrNull, string, stringOrNull, type Row } from './columns.ts'
import type { RunningReplies } from './running.ts'

/** What was stored under a branded id was one when it was written; this is where it becomes one again. */
const assistantId = (row: Row) => string(row['assistant']) as AssistantId
export const conversationIdOf = (row: Row) => string(row['conversation']) as ConversationId
export const replyIdOf = (row: Row) => string(row['reply']) as ReplyId
const messageId = (row: Row) => string(row['message']) as MessageId

export function toSession(row: Row): Session {
  return {
    id: string(row['session_key']) as SessionId,
    name: string(row['session_name']) as SessionName,
  }
}

export const selectConversation = `
  SELECT c.id AS row, c.key AS conversation, c.assistant, c.created_at, c.last_used_at
  FROM conversations c`

export function toConversation(row: Row): Conversation {
  return {
    id: conversationIdOf(row),
    assistantId: assistantId(row),
    createdAt: integer(row['created_at']),
    lastUsedAt: integer(row['last_used_at']),
  }
}

export const selectMessage = `
  SELECT m.id AS row, m.key AS message, c.key AS conversation, r.key AS reply, m.role,
    coalesce(m.text, r.text) AS text, m.created_at
  FROM messages m
  JOIN conversations c ON c.id = m.conversation
  JOIN replies r ON r.id = coalesce(m.reply, m.id)`

export function toMessage(row: Row): Message {
  return {
    id: messageId(row),
    conversationId: conversationIdOf(row),
    replyId: replyIdOf(row),
    role: row['role'] === 'USER' ? 'USER' : 'ASSISTANT',
    text: string(row['text']),
    createdAt: integer(row['created_at']),
  }
}

export const selectReply = `
  SELECT r.id AS row, r.key AS reply, c.key AS conversation, c.assistant, m.key AS message, a.key AS answer,
    r.status, r.text, r.reasoning, r.usage, r.follow_ups, r.context_reset, r.failure, r.upstream_cancelled,
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
  const status = string(row['status']) as ReplyStatus
  const run = status === 'RUNNING' ? running.get(id) : undefined
  return {
    id,
    conversationId: conversationIdOf(row),
    assistantId: assistantId(row),
    messageId: messageId(row),
    answerId: stringOrNull(row['answer']) as MessageId | null,
    status,
    text: run?.answer ?? string(row['text']),
    reasoning: run?.reasoning ?? string(row['reasoning']),
    queuePosition: integerOrNull(row['queue_position']),
    usage: parseOrNull<Usage>(row['usage']),
    followUps: parseOrNull<string[]>(row['follow_ups']) ?? [],
    contextReset: row['context_reset'] === 1,
    failure: parseOrNull<ReplyFailure>(row['failure']),
    upstreamCancelled: row['upstream_cancelled'] === 1,
    createdAt: integer(row['created_at']),
    startedAt: integerOrNull(row['started_at']),
    endedAt: integerOrNull(row['ended_at']),
  }
}

export function toBinding(row: Row): UpstreamBinding | undefined {
  if (row['upstream'] === null) return undefined
  return {
    scope: { origin: string(row['origin']), account: string(row['account']) },
    strategy: string(row['strategy']) as StrategyKind,
    conversationId: string(row['upstream']),
  }
}

function parseOrNull<T>(value: Row[string] | undefined): T | null {
  const text = stringOrNull(value ?? null)
  if (text === null) return null
  const parsed: T = JSON.parse(text)
  return parsed
}
