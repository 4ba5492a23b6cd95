import type { Attachment, Conversation, Message, MessageId, Reply } from '../../domain.ts'
import type { SessionStore } from '../../store/session-store.ts'
import type { ExportPosition } from './cursor.ts'

const conversationsPerRead = 50
const messagesPerRead = 8

/** A message with its reply and files, or the end of its conversation. */
export interface ExportStep {
  readonly conversation: Conversation
  readonly message: MessageRecord | undefined
}

export interface MessageRecord {
  readonly message: Message
  readonly attachments: readonly Attachment[]
  /** The reply to the message. Undefined for an answer. */
  readonly reply: Reply | undefined
}

/**
 * Everything of a session after a position. The least recently used conversations come first: one that is used meanwhile
 * moves
 * to the end and is exported again there. In the opposite order it could be missed.
 */
export async function* walkSession(
  store: SessionStore,
  after: ExportPosition | undefined,
): AsyncGenerator<ExportStep, void, undefined> {
  let done = after?.used ?? 0
  let bound = after && { id: after.conversationId, used: after.used }
  if (after?.messageId != null) {
    const [conversation] = await store.conversations([after.conversationId])
    if (conversation?.used === after.used) {
      yield* walkConversation(store, conversation, after.messageId)
    } else bound = undefined
  }
  for (;;) {
    const page = await store.conversationPage({
      direction: 'backward',
      limit: conversationsPerRead,
      after: undefined,
      before: bound?.id,
    })
    const [known] = bound ? await store.conversations([bound.id]) : []
    if (bound && known?.used !== bound.used) {
      // The conversation was deleted or has moved in the list, so continue after the conversations that are done.
      bound = undefined
      continue
    }
    for (const conversation of page?.rows.toReversed() ?? []) {
      if (conversation.used < done) continue
      done = conversation.used
      yield* walkConversation(store, conversation, undefined)
    }
    bound = page?.rows[0]
    if (!page?.hasPreviousPage) return
  }
}

async function* walkConversation(
  store: SessionStore,
  conversation: Conversation,
  from: MessageId | undefined,
): AsyncGenerator<ExportStep, void, undefined> {
  for (let after = from; ;) {
    const page = await store.messagePage(conversation.id, {
      direction: 'forward',
      limit: messagesPerRead,
      after,
      before: undefined,
    })
    for (const record of await recordsOf(store, page?.rows ?? [])) {
      yield { conversation, message: record }
      after = record.message.id
    }
    // Undefined: the message of the position was deleted. The rest of the conversation is exported from its start.
    if (!page && after !== undefined) after = undefined
    else if (!page?.hasNextPage) break
  }
  yield { conversation, message: undefined }
}

async function recordsOf(
  store: SessionStore,
  messages: readonly Message[],
): Promise<readonly MessageRecord[]> {
  const attachments = await store.attachments(messages.flatMap((row) => row.attachmentIds))
  const asked = messages.filter(({ role }) => role === 'USER')
  const replyIds = asked.map(({ replyId }) => replyId)
  const replies: (Reply | undefined)[] = []
  while (replies.length < replyIds.length) {
    replies.push(...(await store.replies(replyIds.slice(replies.length))))
  }
  const attachmentOf = new Map(attachments.map((row) => [row?.id, row]))
  const replyOf = new Map(replies.map((row) => [row?.messageId, row]))
  return messages.map((message) => ({
    message,
    attachments: message.attachmentIds.flatMap((id) => attachmentOf.get(id) ?? []),
    reply: replyOf.get(message.id),
  }))
}
