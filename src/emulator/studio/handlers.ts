import type { Handler } from '../dialect.ts'
import { retrieveBot } from './bots.ts'
import { cancelChat, chat, listChatMessages, retrieveChat } from './chat.ts'
import {
  clearConversation,
  createConversation,
  deleteConversation,
  listConversations,
  listMessages,
  renameConversation,
  retrieveConversation,
} from './conversations.ts'
import { uploadFile } from './files.ts'
import { flowChat } from './flow-chat.ts'

/** The calls that need a personal token; all else is behind the console's cookie. */
export const handlers: Readonly<Record<string, Handler>> = {
  'POST /v1/workflows/chat': flowChat,
  'POST /v3/chat': chat,
  'GET /v3/chat/retrieve': retrieveChat,
  'GET /v3/chat/message/list': listChatMessages,
  'POST /v3/chat/cancel': cancelChat,
  'POST /v1/conversation/create': createConversation,
  'GET /v1/conversation/retrieve': retrieveConversation,
  'GET /v1/conversations': listConversations,
  'PUT /v1/conversations/:conversation_id': renameConversation,
  'DELETE /v1/conversations/:conversation_id': deleteConversation,
  'POST /v1/conversations/:conversation_id/clear': clearConversation,
  'POST /v1/conversation/message/list': listMessages,
  'POST /v1/files/upload': uploadFile,
  'GET /v1/bots/:bot_id': retrieveBot,
}
