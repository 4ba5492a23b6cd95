import type { Conversation, Message, Reply, Session } from '../../../src/domain.ts'
import {
  type ConversationRow,
  isOpen,
  type MessageRow,
  type ReplyRow,
  type SessionRow,
  type State,
} from './state.ts'

export function toSession({ id, name }: SessionRow): Session {
  return { id, name }
}

export function toConversation(row: ConversationRow): Conversation {
  const { id, assistantId, createdAt, lastUsedAt, used } = row
  const title = row.title ?? (row.firstText === null ? null : beginningOf(row.firstText))
  return { id, assistantId, title, createdAt, lastUsedAt, used }
}

/** Its beginning on one line, never cut inside a character. */
function beginningOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  const cut = line.slice(0, 80)
  return line.length <= 80 || cut.isWellFormed() ? cut : cut.slice(0, -1)
}

export function toMessage(state: State, row: MessageRow): Message {
  const { id, conversationId, replyId, role, attachmentIds, imageUrls, rating, createdAt } = row
  const text = role === 'USER' ? row.text : (state.replies.get(replyId)?.text.answer ?? '')
  return { id, conversationId, replyId, role, text, attachmentIds, imageUrls, rating, createdAt }
}

export function toReply(state: State, row: ReplyRow): Reply {
  const { id, conversationId, messageId, told, text } = row
  const conversation = state.conversations.get(conversationId)
  if (conversation === undefined) throw new TypeError('a reply lacks its conversation')
  return {
    ...told,
    id,
    conversationId,
    assistantId: conversation.assistantId,
    messageId,
    text: text.answer,
    reasoning: text.reasoning,
    queuePosition: told.status === 'QUEUED' ? queuePosition(state, row) : null,
  }
}

function queuePosition(state: State, row: ReplyRow): number {
  let before = 0
  for (const other of state.replies.values()) {
    if (other.conversationId !== row.conversationId || !isOpen(other)) continue
    if (other.told.status === 'QUEUED' && other.rank < row.rank) before += 1
  }
  return before
}
