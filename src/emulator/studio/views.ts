import type { PlatformRun } from '../run.ts'
import type {
  Chat,
  ChatStatus,
  PlatformConversation,
  PlatformMessage,
  MetaData,
  PlatformUsage,
} from '../world.ts'

/** Stored things as Studio shows them. */

export function studioConversationView(conversation: PlatformConversation): object {
  return {
    id: conversation.id,
    created_at: conversation.createdAt,
    meta_data: orNull(conversation.metaData),
    connector_id: conversation.connectorId,
    last_section_id: conversation.sectionId,
  }
}

/** A run of `/v3/chat`. */
export function studioChatView(chat: Chat, status: string = statusOf(chat.status)): object {
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    bot_id: chat.botId,
    created_at: chat.createdAt,
    completed_at: chat.completedAt ?? 0,
    failed_at: chat.failedAt ?? 0,
    status,
    section_id: chat.sectionId,
  }
}

/** The same once it is asked for, with what it used. */
export function retrievedView(chat: Chat): object {
  const { usage } = chat
  return usage.token_count === 0 ? studioChatView(chat) : { ...studioChatView(chat), usage }
}

/** The column of a cancelled run holds the name of the event. */
function statusOf(status: ChatStatus): string {
  return status === 'canceled' ? 'conversation.chat.cancelled' : status
}

/** A message of `/v3/chat`, in its stream and in the list of its run. */
export function botMessageView(message: PlatformMessage, content = message.content): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content,
    content_type: message.contentType,
    meta_data: orAbsent(message.metaData),
    chat_id: message.chatId,
    section_id: message.sectionId,
    created_at: message.createdAt,
    reasoning_content: message.reasoningContent ?? '',
  }
}

/** A row of a conversation's list. */
export function rowView(message: PlatformMessage): object {
  return {
    id: message.id,
    bot_id: message.botId,
    role: message.role,
    content: message.content,
    conversation_id: message.conversationId,
    meta_data: orNull(message.metaData),
    created_at: message.createdAt,
    updated_at: message.updatedAt,
    chat_id: message.chatId,
    content_type: message.contentType,
    type: message.type,
    section_id: message.sectionId,
    reasoning_content: message.reasoningContent ?? '',
  }
}

/** A run of `/v1/workflows/chat`. */
export function flowView({ chat, executeId }: PlatformRun, status: string): object {
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    status,
    execute_id: executeId,
    section_id: chat.sectionId,
  }
}

/** The same at its end: the only event that names the app or Bot. */
export function completedFlowView(run: PlatformRun, usage: PlatformUsage): object {
  const { input_count, output_count } = usage
  return {
    bot_id: run.chat.botId,
    // Studio adds the output twice.
    usage: { token_count: output_count + output_count, output_count, input_count },
    ...flowView(run, 'completed'),
  }
}

export function flowMessageView(message: PlatformMessage, content = message.content): object {
  return {
    id: message.id,
    chat_id: message.chatId,
    conversation_id: message.conversationId,
    section_id: message.sectionId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content_type: message.contentType,
    content,
  }
}

function orNull(metaData: MetaData): MetaData | null {
  return orAbsent(metaData) ?? null
}

function orAbsent(metaData: MetaData): MetaData | undefined {
  return Object.keys(metaData).length > 0 ? metaData : undefined
}
