import { botChat, cancelChat, listChatMessages, retrieveChat } from './bot-chat.ts'
import type { Answer, Context, OwnedCall } from './context.ts'
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
import { type RoutePath, routePaths } from './route-paths.ts'
import { submitToolOutputs } from './tool-outputs.ts'
import { listVariables, setVariables } from './variables.ts'
import { workflowChat } from './workflow-chat.ts'

export type Handler = (call: OwnedCall, context: Context) => Answer | Promise<Answer>

export interface Match {
  readonly path: RoutePath
  readonly params: Readonly<Record<string, string>>
}

const patterns = routePaths.map((path) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`),
}))

export function findRoute(pathname: string): Match | undefined {
  for (const { path, pattern } of patterns) {
    const found = pattern.exec(pathname)
    if (found) return { path, params: { ...found.groups } }
  }
  return undefined
}

/** By method and path. The token endpoint is not among them: it asks for no access token. */
export const handlers: Readonly<Record<string, Handler>> = {
  'POST /v1/workflows/chat': workflowChat,
  'POST /v3/chat': botChat,
  // The documentation says GET, two of the SDKs say POST (coze-api.md §6).
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
}
