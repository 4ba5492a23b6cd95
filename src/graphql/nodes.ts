import type { AssistantInfo, ConversationId, MessageId, ReplyId } from '../domain.ts'
import { GatewayError, NotFoundError } from '../errors.ts'
import { builder } from './builder.ts'

/**
 * The types that refer to each other, by reference; each is implemented in its own file. A loader makes one store call
 * for all ids that a tick asks for, and lives as long as its context object: one request, or one subscription event.
 */
export const ConversationNode = builder.loadableNodeRef('Conversation', {
  load: async (ids: ConversationId[], { store }) => (await store.conversations(ids)).map(found),
  id: { resolve: (conversation) => conversation.id },
})

export const MessageNode = builder.loadableNodeRef('Message', {
  load: async (ids: MessageId[], { store }) => (await store.messages(ids)).map(found),
  id: { resolve: (message) => message.id },
})

export const ReplyNode = builder.loadableNodeRef('Reply', {
  load: async (ids: ReplyId[], { store }) => (await store.replies(ids)).map(found),
  id: { resolve: (reply) => reply.id },
})

export const AssistantNode = builder.objectRef<AssistantInfo>('Assistant')

/** Null instead of NOT_FOUND. */
export async function orNull<Row>(loading: Promise<Row>): Promise<Row | null> {
  try {
    return await loading
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

function found<Row>(row: Row | undefined): Row | NotFoundError {
  return row ?? new NotFoundError('Not found.')
}
