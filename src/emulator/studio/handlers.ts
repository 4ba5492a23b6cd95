import type { Handler } from '../dialect.ts'
import { retrieveStudioBot } from './bots.ts'
import { cancelStudioChat, chat, listStudioChatMessages, retrieveStudioChat } from './chat.ts'
import {
  clearStudioConversation,
  createStudioConversation,
  deleteStudioConversation,
  listStudioConversations,
  listStudioMessages,
  renameStudioConversation,
  retrieveStudioConversation,
} from './conversations.ts'
import { uploadStudioFile } from './files.ts'
import { flowChat } from './flow-chat.ts'

/** The calls that need a personal token; all else is behind the console's cookie. */
export const studioHandlers: Readonly<Record<string, Handler>> = {
  'POST /v1/workflows/chat': flowChat,
  'POST /v3/chat': chat,
  'GET /v3/chat/retrieve': retrieveStudioChat,
  'GET /v3/chat/message/list': listStudioChatMessages,
  'POST /v3/chat/cancel': cancelStudioChat,
  'POST /v1/conversation/create': createStudioConversation,
  'GET /v1/conversation/retrieve': retrieveStudioConversation,
  'GET /v1/conversations': listStudioConversations,
  'PUT /v1/conversations/:conversation_id': renameStudioConversation,
  'DELETE /v1/conversations/:conversation_id': deleteStudioConversation,
  'POST /v1/conversations/:conversation_id/clear': clearStudioConversation,
  'POST /v1/conversation/message/list': listStudioMessages,
  'POST /v1/files/upload': uploadStudioFile,
  'GET /v1/bots/:bot_id': retrieveStudioBot,
}
