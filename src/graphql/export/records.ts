import type { Attachment, Conversation, JsonValue, Reply } from '../../domain.ts'
import type { MessageRecord } from './walk.ts'
import { encodeGlobal } from '../global-id.ts'

export function exportedConversation(
  { id, assistantId, title, createdAt, lastUsedAt }: Conversation,
  messages: readonly JsonValue[],
): JsonValue {
  return {
    id: encodeGlobal('Conversation', id),
    assistantId: encodeGlobal('Assistant', assistantId),
    title,
    createdAt: instant(createdAt),
    lastUsedAt: instant(lastUsedAt),
    messages,
  }
}

export function exportedMessage({ message, attachments, reply }: MessageRecord): JsonValue {
  const { id, replyId, role, text, imageUrls, rating, createdAt } = message
  return {
    id: encodeGlobal('Message', id),
    role,
    text,
    createdAt: instant(createdAt),
    ...(role === 'USER'
      ? {
          attachments: attachments.map(exportedAttachment),
          imageUrls,
          reply: reply ? exportedReply(reply) : null,
        }
      : { replyId: encodeGlobal('Reply', replyId), rating }),
  }
}

function exportedAttachment({ id, name, mediaType, bytes, createdAt }: Attachment): JsonValue {
  return {
    id: encodeGlobal('Attachment', id),
    name,
    mediaType,
    byteSize: bytes,
    createdAt: instant(createdAt),
  }
}

/** Without data for operators. The text of a completed reply is a message of its own. */
function exportedReply(reply: Reply): JsonValue {
  const { usage, question, failure } = reply
  return {
    id: encodeGlobal('Reply', reply.id),
    status: reply.status,
    text: reply.answerId === null ? reply.text : null,
    reasoning: reply.reasoning,
    usage: usage && { ...usage },
    followUps: reply.followUps,
    question: question && {
      ...question,
      fields: question.fields.map(({ required, ...field }) => ({ ...field, isRequired: required })),
    },
    omitted: reply.omitted,
    toolCalls: reply.toolCalls.map(({ id, ...call }) => ({ callId: id, ...call })),
    contextReset: reply.contextReset,
    failure: failure && { ...failure },
    upstreamCancelled: reply.upstreamCancelled,
    createdAt: instant(reply.createdAt),
    startedAt: reply.startedAt === null ? null : instant(reply.startedAt),
    endedAt: reply.endedAt === null ? null : instant(reply.endedAt),
  }
}

function instant(at: number): string {
  return new Date(at).toISOString()
}
