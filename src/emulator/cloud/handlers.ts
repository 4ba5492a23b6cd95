import { botChat, cancelChat, listChatMessages, retrieveChat } from './bot-chat.ts'
import type { Handler } from '../dialect.ts'
import { retrieveBot } from './bots.ts'
import {
  clearConversation,
  createConversation,
  deleteConversation,
  listConversations,
  renameConversation,
  retrieveConversation,
} from './conversations.ts'
import { giveFeedback, withdrawFeedback } from './feedback.ts'
import { retrieveFile, uploadFile } from './files.ts'
import {
  createMessage,
  deleteMessage,
  listMessages,
  modifyMessage,
  retrieveMessage,
} from './messages.ts'
import { submitToolOutputs } from './tool-outputs.ts'
import { listVariables, setVariables } from './variables.ts'
import { workflowChat } from './workflow-chat.ts'

export const handlers: Readonly<Record<string, Handler>> = {
  'POST /v1/workflows/chat': workflowChat,
  'POST /v3/chat': botChat,
  // The documentation says GET, two of the SDKs say POST.
  'GET /v3/chat/retrieve': retrieveChat,
  'POST /v3/chat/retrieve': retrieveChat,
  'GET /v3/chat/message/list': listChatMessages,
  'POST /v3/chat/cancel': cancelChat,
  'POST /v3/chat/submit_tool_outputs': submitToolOutputs,
  'POST /v1/conversation/create': createConversation,
  'GET /v1/conversation/retrieve': retrieveConversation,
  'GET /v1/conversations': listConversations,
  'PUT /v1/conversations/:conversation_id': renameConversation,
  'DELETE /v1/conversations/:conversation_id': deleteConversation,
  'POST /v1/conversations/:conversation_id/clear': clearConversation,
  'POST /v1/conversation/message/create': createMessage,
  'POST /v1/conversation/message/list': listMessages,
  'GET /v1/conversation/message/retrieve': retrieveMessage,
  'POST /v1/conversation/message/modify': modifyMessage,
  'POST /v1/conversation/message/delete': deleteMessage,
  'POST /v1/conversations/:conversation_id/messages/:message_id/feedback': giveFeedback,
  'DELETE /v1/conversations/:conversation_id/messages/:message_id/feedback': withdrawFeedback,
  'POST /v1/files/upload': uploadFile,
  'GET /v1/files/retrieve': retrieveFile,
  'GET /v1/variables': listVariables,
  'PUT /v1/variables': setVariables,
  'GET /v1/bots/:bot_id': retrieveBot,
}
