import { botChat, cancelCloudChat, listCloudChatMessages, retrieveCloudChat } from './bot-chat.ts'
import type { Handler } from '../dialect.ts'
import { retrieveCloudBot } from './bots.ts'
import {
  clearCloudConversation,
  createCloudConversation,
  deleteCloudConversation,
  listCloudConversations,
  renameCloudConversation,
  retrieveCloudConversation,
} from './conversations.ts'
import { giveCloudFeedback, withdrawCloudFeedback } from './feedback.ts'
import { retrieveFile, uploadCloudFile } from './files.ts'
import {
  createMessage,
  deleteMessage,
  listCloudMessages,
  modifyMessage,
  retrieveMessage,
} from './messages.ts'
import { submitToolOutputs } from './tool-outputs.ts'
import { listCloudVariables, setCloudVariables } from './variables.ts'
import { workflowChat } from './workflow-chat.ts'

export const cloudHandlers: Readonly<Record<string, Handler>> = {
  'POST /v1/workflows/chat': workflowChat,
  'POST /v3/chat': botChat,
  // The documentation says GET, two of the SDKs say POST.
  'GET /v3/chat/retrieve': retrieveCloudChat,
  'POST /v3/chat/retrieve': retrieveCloudChat,
  'GET /v3/chat/message/list': listCloudChatMessages,
  'POST /v3/chat/cancel': cancelCloudChat,
  'POST /v3/chat/submit_tool_outputs': submitToolOutputs,
  'POST /v1/conversation/create': createCloudConversation,
  'GET /v1/conversation/retrieve': retrieveCloudConversation,
  'GET /v1/conversations': listCloudConversations,
  'PUT /v1/conversations/:conversation_id': renameCloudConversation,
  'DELETE /v1/conversations/:conversation_id': deleteCloudConversation,
  'POST /v1/conversations/:conversation_id/clear': clearCloudConversation,
  'POST /v1/conversation/message/create': createMessage,
  'POST /v1/conversation/message/list': listCloudMessages,
  'GET /v1/conversation/message/retrieve': retrieveMessage,
  'POST /v1/conversation/message/modify': modifyMessage,
  'POST /v1/conversation/message/delete': deleteMessage,
  'POST /v1/conversations/:conversation_id/messages/:message_id/feedback': giveCloudFeedback,
  'DELETE /v1/conversations/:conversation_id/messages/:message_id/feedback': withdrawCloudFeedback,
  'POST /v1/files/upload': uploadCloudFile,
  'GET /v1/files/retrieve': retrieveFile,
  'GET /v1/variables': listCloudVariables,
  'PUT /v1/variables': setCloudVariables,
  'GET /v1/bots/:bot_id': retrieveCloudBot,
}
