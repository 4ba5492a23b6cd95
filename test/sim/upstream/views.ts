import type { Chat, StoredMessage } from './world.ts'

export function chatView(chat: Chat): object {
  return {
    id: chat.id,
    conversation_id: chat.conversation.id,
    section_id: chat.conversation.id,
    created_at: 1_700_000_000,
    status: chat.status,
    last_error: { code: chat.errorCode, msg: '' },
    usage: { token_count: 3, output_count: 2, input_count: 1 },
    ...(chat.status === 'requires_action' && { required_action: requiredAction(chat) }),
  }
}

export function requiredAction({ toolCallIds }: Chat): object {
  return {
    type: 'submit_tool_outputs',
    submit_tool_outputs: {
      tool_calls: toolCallIds.map((id) => ({
        id,
        type: 'function',
        function: { name: 'look', arguments: '{}' },
      })),
    },
  }
}

export function messageView(chat: Chat, id: string, content: string): object {
  return {
    id,
    conversation_id: chat.conversation.id,
    chat_id: chat.id,
    role: 'assistant',
    type: 'answer',
    content,
    content_type: 'text',
    section_id: chat.conversation.id,
  }
}

/** A stored message as lists give it. */
export function messageRow(message: StoredMessage): object {
  const { id, conversationId, chatId, role, type, content, metaData } = message
  return {
    id,
    conversation_id: conversationId,
    chat_id: chatId,
    role,
    type,
    content,
    content_type: 'text',
    meta_data: metaData,
  }
}
