import type { Chat, StoredMessage } from '../world.ts'

type MetaData = StoredMessage['metaData']

/** A run of `/v3/chat`. */
export function chatView(chat: Chat, status: string): object {
  return {
    id: chat.id,
    conversation_id: chat.conversation.id,
    bot_id: 'bot-1',
    created_at: 1_700_000_000,
    completed_at: 0,
    failed_at: 0,
    status,
    section_id: chat.conversation.id,
  }
}

/** How its record tells its status: a cancelled one by the name of the event. */
export function recordedStatus({ status }: Chat): string {
  return status === 'canceled' ? 'conversation.chat.cancelled' : status
}

export function botMessageView(
  chat: Chat,
  {
    id,
    content,
    metaData,
  }: { readonly id: string; readonly content: string; readonly metaData: MetaData },
): object {
  return {
    id,
    conversation_id: chat.conversation.id,
    bot_id: 'bot-1',
    role: 'assistant',
    type: 'answer',
    content,
    content_type: 'text',
    meta_data: metaData,
    chat_id: chat.id,
    section_id: chat.conversation.id,
    created_at: 1_700_000_000,
    reasoning_content: '',
  }
}

/** A run of `/v1/workflows/chat`. Its end alone names the app, and adds the output twice. */
export function flowView(chat: Chat, status: string): object {
  return {
    id: chat.id,
    conversation_id: chat.conversation.id,
    status,
    execute_id: chat.id,
    section_id: chat.conversation.id,
    ...(status === 'completed' && {
      bot_id: 'app-1',
      usage: { token_count: 14, output_count: 7, input_count: 11 },
    }),
  }
}

export function flowMessageView(chat: Chat, id: string, content: string): object {
  return {
    id,
    chat_id: chat.id,
    conversation_id: chat.conversation.id,
    section_id: chat.conversation.id,
    bot_id: '',
    role: 'assistant',
    type: 'answer',
    content_type: 'text',
    content,
  }
}

/** A stored message as lists give it. */
export function rowView(row: StoredMessage): object {
  const { id, conversationId, chatId, role, type, content, metaData, createdAt } = row
  return {
    id,
    conversation_id: conversationId,
    chat_id: chatId,
    role,
    type,
    content,
    content_type: 'text',
    meta_data: Object.keys(metaData).length > 0 ? metaData : null,
    created_at: createdAt,
    updated_at: createdAt,
    section_id: conversationId,
  }
}
