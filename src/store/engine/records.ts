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
import type { IsolationRecord } from '../../domain/isolation.ts'
import type { AnswerOrigin, OpenReply } from '../session-store.ts'
import type { StoredAttachment } from '../run-lease.ts'
import type { UpstreamAccount, UpstreamBinding } from '../../domain/upstream.ts'
import type { TextRevision } from '../reply-text.ts'
import type { ReplyRecord } from '../main-half/stored.ts'
import {
  type StoredRow,
  integer,
  integerOrNull,
  string,
  stringOrNull,
  json,
  jsonOrNull,
} from './columns.ts'

/** What was stored under a branded id was one when it was written; this is where it becomes one again. */
export const assistantIdOf = (row: StoredRow) => string(row['assistant']) as AssistantId

export const conversationIdOf = (row: StoredRow) => string(row['conversation']) as ConversationId

export const statusOf = (row: StoredRow) => string(row['status']) as ReplyStatus

export const replyIdOf = (row: StoredRow) => string(row['reply']) as ReplyId

const messageIdOf = (row: StoredRow) => string(row['message']) as MessageId

export function toSession(row: StoredRow): Session {
  return {
    id: string(row['session_key']) as SessionId,
    name: string(row['session_name']) as SessionName,
  }
}

export function toConversation(row: StoredRow): Conversation {
  return {
    id: conversationIdOf(row),
    assistantId: assistantIdOf(row),
    title: stringOrNull(row['title'] ?? null),
    createdAt: integer(row['created_at']),
    lastUsedAt: integer(row['last_used_at']),
    used: integer(row['used']),
  }
}

/** @param text the message's own, or that of the reply which it answers with */
export function toMessage(row: StoredRow, text: string, imageUrls: readonly string[]): Message {
  return {
    id: messageIdOf(row),
    conversationId: conversationIdOf(row),
    replyId: replyIdOf(row),
    role: row['role'] === 'USER' ? 'USER' : 'ASSISTANT',
    text,
    attachmentIds: jsonOrNull<AttachmentId[]>(row['attachments']) ?? [],
    imageUrls,
    rating: stringOrNull(row['rating'] ?? null) as Rating | null,
    createdAt: integer(row['created_at']),
  }
}

/** Mostly there are none, and nothing is stored. */
export function toExtras(text: string): MessageExtras {
  return text === '' ? { parameters: {}, metadata: {} } : json<MessageExtras>(text)
}

export function toAttachment(row: StoredRow): StoredAttachment {
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

export function toReplyRecord(row: StoredRow): ReplyRecord {
  return {
    id: replyIdOf(row),
    conversationId: conversationIdOf(row),
    assistantId: assistantIdOf(row),
    messageId: messageIdOf(row),
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

export function toToolCalls(row: StoredRow): readonly ToolCall[] {
  return jsonOrNull<ToolCall[]>(row['tool_calls']) ?? []
}

export function toRevisions(row: StoredRow): readonly TextRevision[] {
  return jsonOrNull<TextRevision[]>(row['revisions']) ?? []
}

export function toBinding(row: StoredRow): UpstreamBinding | undefined {
  if (row['upstream'] === null) return undefined
  return { ...toUpstreamAccount(row), conversationId: string(row['upstream']) }
}

export function toUpstreamAccount(row: StoredRow): UpstreamAccount {
  return {
    scope: { origin: string(row['origin']), account: string(row['account']) },
    strategy: string(row['strategy']) as StrategyKind,
  }
}

export function toIsolationRecord(row: StoredRow): IsolationRecord {
  return {
    target: {
      assistantId: string(row['assistant']) as AssistantId,
      strategy: string(row['strategy']) as StrategyKind,
    },
    proof: jsonOrNull(row['proof']),
    breach: jsonOrNull(row['breach']),
  }
}

export function toOpenReply(row: StoredRow): OpenReply {
  return {
    id: replyIdOf(row),
    conversationId: conversationIdOf(row),
    assistantId: assistantIdOf(row),
    status: statusOf(row),
  }
}

export function toOrigin(row: StoredRow): AnswerOrigin | undefined {
  const source = jsonOrNull<Readonly<Record<string, string>>>(row['source'])
  const upstream = source === null ? undefined : toBinding(source)
  if (upstream === undefined) return undefined
  return {
    assistantId: assistantIdOf(row),
    upstream,
    upstreamMessageId: string(source?.['message']),
  }
}
