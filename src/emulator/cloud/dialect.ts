import type { AuthorizedCall, Context, Dialect, HandlerResult } from '../dialect.ts'
import { ApiError, DeadTokenError, NoSuchCallError, OAuthError } from '../errors.ts'
import { replyToAnswer } from '../model/answers.ts'
import { sayOnly } from '../model/script.ts'
import type { Settings } from '../options.ts'
import { textOf } from '../request.ts'
import type { ErrorResponse } from '../response.ts'
import { readForm, type StoredFile } from '../storage/files.ts'
import {
  botChat,
  cancelCloudChat,
  listCloudChatMessages,
  retrieveCloudBot,
  retrieveCloudChat,
  submitToolOutputs,
} from './bots.ts'
import { createCloudProtocol } from './chat-protocol.ts'
import {
  addRequestMessage,
  clearCloudConversation,
  createCloudConversation,
  deleteCloudConversation,
  listCloudConversations,
  renameCloudConversation,
  retrieveCloudConversation,
} from './conversations.ts'
import {
  createMessage,
  deleteMessage,
  giveCloudFeedback,
  listCloudMessages,
  modifyMessage,
  retrieveMessage,
  withdrawCloudFeedback,
} from './messages.ts'
import { exchangeToken } from './oauth.ts'
import { listCloudVariables, setCloudVariables } from './variables.ts'
import { workflowChat } from './workflow-chat.ts'

const maxNameLength = 100

const framing = { firstId: undefined, escapesHtml: false, headers: { 'cache-control': 'no-cache' } }

/** Coze's cloud, as its documentation, its SDKs and its own clients describe it (docs/coze-platform.md). */
export const cloud: Dialect = {
  routes: {
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
    'DELETE /v1/conversations/:conversation_id/messages/:message_id/feedback':
      withdrawCloudFeedback,
    'POST /v1/files/upload': uploadFile,
    'GET /v1/files/retrieve': retrieveFile,
    'GET /v1/variables': listCloudVariables,
    'PUT /v1/variables': setCloudVariables,
    'GET /v1/bots/:bot_id': retrieveCloudBot,
  },
  pathId: /^/,
  scopes: {
    'POST /v1/workflows/chat': 'run',
    'POST /v3/chat': 'chat',
    'POST /v3/chat/submit_tool_outputs': 'chat',
    'GET /v3/chat/retrieve': 'getChat',
    'POST /v3/chat/retrieve': 'getChat',
    'GET /v3/chat/message/list': 'getChat',
    'POST /v3/chat/cancel': 'cancelChat',
    'POST /v1/conversation/create': 'createConversation',
    'GET /v1/conversation/retrieve': 'retrieveConversation',
    'GET /v1/conversations': 'listConversation',
    'PUT /v1/conversations/:conversation_id': 'editConversation',
    'DELETE /v1/conversations/:conversation_id': 'editConversation',
    'POST /v1/conversations/:conversation_id/clear': 'editConversation',
    'POST /v1/conversation/message/list': 'listMessage',
    'POST /v1/conversations/:conversation_id/messages/:message_id/feedback': 'feedback',
    'DELETE /v1/conversations/:conversation_id/messages/:message_id/feedback': 'feedback',
    'POST /v1/files/upload': 'uploadFile',
    'GET /v1/bots/:bot_id': 'getMetadata',
  },
  exchangeToken,
  logIdHeader: 'x-tt-logid',
  createLogId: (ids) => ids.logId(),
  successBody: (result, logid) => ({ code: 0, msg: '', ...result, detail: { logid } }),
  errorBody,
  errorResponse,
  framing: { workflow: { ...framing, space: ' ' }, bot: { ...framing, space: '' } },
  runsUnread: { workflow: true, bot: true },
  nextMessageAnswers: { workflow: true, bot: false },
  forgetsCanceled: true,
  statusAfterRestart: 'failed',
  openChat(context, conversation, about, { messages }) {
    const chat = context.records.addChat(conversation, about)
    for (const message of about.isSaved ? messages : []) {
      addRequestMessage(context, conversation, message, { chatId: chat.id, botId: about.botId })
    }
    const said = messages.filter((message) => message.role === 'user').map(textOf)
    // The first message names a conversation that has no name.
    if (about.isSaved) conversation.name ||= said.at(-1)?.slice(0, maxNameLength) ?? ''
    return { chat, earlier: said.slice(0, -1) }
  },
  replyToAnswer: (question, text) => sayOnly(replyToAnswer(question.text, text)),
  protocol: createCloudProtocol,
}

function errorBody(code: number | string, msg: string, logid: string): object {
  return { code, msg, detail: { logid } }
}

function errorResponse(
  error: unknown,
  logId: string,
  { switches }: Pick<Settings, 'switches'>,
): ErrorResponse {
  if (error instanceof OAuthError) {
    const body = { error_code: error.code, error_message: error.message, error: error.code }
    return { status: error.status, body }
  }
  if (error instanceof DeadTokenError) {
    return switches.deadToken === '401-4100'
      ? { status: 401, body: errorBody(4100, 'authentication is invalid', logId) }
      : { status: 200, body: errorBody(700012006, 'access token invalid', logId) }
  }
  if (error instanceof NoSuchCallError) {
    if (error.lacks === 'path') return { status: 404, body: errorBody(4200, 'no such API', logId) }
    const refusal = new ApiError(4000, `Request parameter error: ${error.message}`)
    return errorResponse(refusal, logId, { switches })
  }
  if (error instanceof ApiError) {
    const status = switches.errorStatus === '200' ? 200 : (statuses.get(error.code) ?? 200)
    return { status, body: errorBody(error.code, error.message, logId) }
  }
  return { status: 500, body: errorBody(5000, 'internal server error', logId) }
}

/** The HTTP statuses that codes suggest. */
const statuses: ReadonlyMap<number, number> = new Map([
  [4000, 400],
  [4003, 400],
  [4004, 400],
  [4007, 400],
  [4009, 503],
  [4101, 403],
  [4200, 404],
  [5000, 500],
])

/** `POST /v1/files/upload`: a form with one part, `file`. */
async function uploadFile(call: AuthorizedCall, context: Context): Promise<HandlerResult> {
  const form = await readForm(call.req, context.settings)
  return { data: fileView(context.files.add({ owner: call.principal, ...form })) }
}

/** `GET /v1/files/retrieve` */
function retrieveFile({ query, principal }: AuthorizedCall, { files }: Context): HandlerResult {
  const file = files.find(query.get('file_id') ?? '', principal)
  if (file === undefined) throw new ApiError(4200, 'file not found')
  return { data: fileView(file) }
}

function fileView({ id, name, bytes, createdAt }: StoredFile): object {
  return { id, bytes, created_at: createdAt, file_name: name }
}
