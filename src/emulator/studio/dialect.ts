import type { AuthorizedCall, Context, Dialect, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import { replyToAnswer } from '../model/answers.ts'
import type { ChatQuestion } from '../model/cards.ts'
import { sayOnly, type Script } from '../model/script.ts'
import { readForm } from '../storage/files.ts'
import {
  cancelStudioChat,
  listStudioChatMessages,
  retrieveStudioBot,
  retrieveStudioChat,
  studioBotChat,
} from './bots.ts'
import { createStudioProtocol } from './chat-protocol.ts'
import {
  clearStudioConversation,
  createStudioConversation,
  deleteStudioConversation,
  listStudioConversations,
  listStudioMessages,
  renameStudioConversation,
  retrieveStudioConversation,
} from './conversations.ts'
import { openStudioChat } from './history.ts'
import { badRequest, missingText, studioErrorResponse } from './refusals.ts'
import { studioWorkflowChat } from './workflow-chat.ts'

/** A self-hosted Coze Studio, as its backend was seen to behave and as its source explains (docs/coze-platform.md). */
export const studio: Dialect = {
  // The calls that a personal token may make. Every other path is taken for a call of the console.
  routes: {
    'POST /v1/workflows/chat': studioWorkflowChat,
    'POST /v3/chat': studioBotChat,
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
  },
  pathId: /^\d+$/,
  scopes: {},
  exchangeToken: undefined,
  logIdHeader: 'X-Log-ID',
  createLogId: (ids) => ids.uuid(),
  successBody: (result) => result,
  errorBody: (code, msg) => ({ code, msg }),
  errorResponse: studioErrorResponse,
  framing: {
    workflow: {
      space: ' ',
      firstId: 1,
      escapesHtml: false,
      headers: {
        'cache-control': 'no-cache',
        connection: 'keep-alive',
        'access-control-allow-origin': '*',
      },
    },
    bot: {
      space: '',
      firstId: undefined,
      escapesHtml: true,
      headers: { 'x-accel-buffering': 'no' },
    },
  },
  // A Workflow stores its answer while it writes it to its reader: without a reader there is none.
  runsUnread: { workflow: false, bot: true },
  nextMessageAnswers: { workflow: true, bot: true },
  forgetsCanceled: false,
  statusAfterRestart: undefined,
  openChat: openStudioChat,
  replyToAnswer: (question, text) =>
    question.fields.length === 0
      ? sayOnly(replyToAnswer(question.text, text))
      : replyToForm(question, text),
  protocol: createStudioProtocol,
}

/** A form is answered by lines of `name:value`, and by nothing else. */
function replyToForm({ text: asked, fields }: ChatQuestion, text: string): Script {
  const lines = text.split('\n').map((line) => [line, line.indexOf(':')] as const)
  if (lines.some(([, colon]) => colon === -1)) {
    return failing(
      720_701_013,
      'Workflow execution failure: panic error: slice bounds out of range',
    )
  }
  const given = new Map(
    lines.map(([line, colon]) => [line.slice(0, colon), line.slice(colon + 1)] as const),
  )
  const missing = fields.find(({ name, required }) => required && !given.has(name))
  if (missing !== undefined) return failing(720_702_002, missingText(missing.name))
  return sayOnly(replyToAnswer(asked, text))
}

function failing(code: number, msg: string): Script {
  return { wordsPerSecond: undefined, steps: [{ kind: 'error', code, msg }] }
}

/** `POST /v1/files/upload` */
async function uploadStudioFile(call: AuthorizedCall, context: Context): Promise<HandlerResult> {
  try {
    const { name, bytes } = await readForm(call.req, context.settings)
    const file = context.files.add({ owner: call.principal, name, bytes })
    const uri = `tos-cn-i-v4nquku3lp/${file.id}`
    return {
      data: {
        uri,
        bytes,
        created_at: file.createdAt,
        file_name: name,
        url: `http://studio.example/${uri}`,
        id: file.id,
      },
      code: 0,
      msg: '',
      BaseResp: null,
    }
  } catch (error) {
    throw error instanceof ApiError ? badRequest(error.message) : error
  }
}
