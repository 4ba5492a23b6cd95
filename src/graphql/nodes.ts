import type {
  AssistantInfo,
  AttachmentId,
  ConversationId,
  Message,
  MessageId,
  ReplyId,
} from '../domain.ts'
import { GatewayError, NotFoundError } from '../errors.ts'
import { builder } from './builder.ts'

/** A message as clients see it: our own record, or one that only the assistant's platform still has. */
export interface ShownMessage extends Pick<Message, 'role' | 'text' | 'attachmentIds' | 'rating'> {
  readonly id: string
  readonly replyId: ReplyId | null
  readonly createdAt: number | null
}

/**
 * The types that refer to each other, by reference; each is implemented in its own file. A loader makes one store call
 * for all ids that a tick asks for, and lives as long as its context object: one request, or one subscription event.
 */
export const ConversationNode = builder.loadableNodeRef('Conversation', {
  load: async (ids: ConversationId[], { store }) => (await store.conversations(ids)).map(found),
  id: { resolve: (conversation) => conversation.id },
})

export const MessageNode = builder.loadableNodeRef('Message', {
  load: async (ids: MessageId[], { store }) =>
    (await store.messages(ids)).map((row): ShownMessage | NotFoundError => found(row)),
  id: { resolve: (message) => message.id },
})

export const ReplyNode = builder.loadableNodeRef('Reply', {
  load: async (ids: ReplyId[], { store }) => (await store.replies(ids)).map(found),
  id: { resolve: (reply) => reply.id },
})

export const AttachmentNode = builder.loadableNodeRef('Attachment', {
  load: async (ids: AttachmentId[], { store }) => (await store.attachments(ids)).map(found),
  id: { resolve: (attachment) => attachment.id },
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
