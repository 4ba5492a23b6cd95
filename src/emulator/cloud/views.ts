import type { Chat, ChatKind, PlatformConversation, PlatformMessage } from '../world.ts'

/** Stored things as the cloud shows them; `undefined` fields are absent on the wire. */

export function cloudConversationView(conversation: PlatformConversation): object {
  return {
    id: conversation.id,
    name: conversation.name,
    created_at: conversation.createdAt,
    updated_at: conversation.updatedAt,
    meta_data: conversation.metaData,
    creator_id: conversation.owner.creatorId,
    connector_id: conversation.connectorId,
    last_section_id: conversation.sectionId,
  }
}

export function cloudChatView(chat: Chat): object {
  const hasMetaData = Object.keys(chat.metaData).length > 0
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    bot_id: chat.botId,
    created_at: chat.createdAt,
    completed_at: chat.completedAt,
    failed_at: chat.failedAt,
    meta_data: hasMetaData ? chat.metaData : undefined,
    last_error: chat.lastError,
    status: chat.status,
    usage: chat.usage,
    section_id: chat.sectionId,
    required_action:
      chat.toolCalls.length > 0
        ? {
            type: 'submit_tool_outputs',
            submit_tool_outputs: { tool_calls: chat.toolCalls },
          }
        : undefined,
  }
}

export function messageView(message: PlatformMessage): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content: message.content,
    content_type: message.contentType,
    meta_data: message.metaData,
    chat_id: message.chatId,
    section_id: message.sectionId,
    created_at: message.createdAt,
    updated_at: message.updatedAt,
    reasoning_content: message.reasoningContent,
  }
}

/** A delta carries neither meta data nor, as a rule, times. */
export function deltaView(
  message: PlatformMessage,
  piece: { readonly content: string; readonly reasoning_content?: string },
): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    ...piece,
    content_type: message.contentType,
    chat_id: message.chatId,
    section_id: message.sectionId,
  }
}

/** The end of a message in a stream: the whole text and the times; it repeats no meta data. */
export function completedView(message: PlatformMessage, kind: ChatKind): object {
  const hasUpdate = kind === 'bot' || message.type === 'verbose'
  return {
    ...deltaView(message, { content: message.content }),
    reasoning_content: message.reasoningContent,
    created_at: message.createdAt,
    updated_at: hasUpdate ? message.updatedAt : undefined,
  }
}
