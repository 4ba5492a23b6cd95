import { keepEntered, textOf } from '../enter-message.ts'
import type { Dialect, RefusedCall } from '../dialect.ts'
import { ApiError, DeadTokenError, NoSuchCallError, OAuthError } from '../call-errors.ts'
import type { Settings } from '../options.ts'
import { answerLine } from '../run.ts'
import { sayOnly } from '../script.ts'
import { cloudHandlers } from './handlers.ts'
import { createCloudTelling } from './telling.ts'

/** Coze's cloud, as its documentation, its SDKs and its own clients tell of it. */
export const cloud: Dialect = {
  handlers: cloudHandlers,
  exchangesTokens: true,
  logField: 'x-tt-logid',
  logId: (ids) => ids.logId(),
  envelope: (said, logid) => ({ code: 0, msg: '', ...said, detail: { logid } }),
  errorBody,
  refuse,
  framing: {
    workflow: {
      space: ' ',
      firstId: undefined,
      escapesHtml: false,
      headers: { 'cache-control': 'no-cache' },
    },
    bot: {
      space: '',
      firstId: undefined,
      escapesHtml: false,
      headers: { 'cache-control': 'no-cache' },
    },
  },
  playsOnUnread: { workflow: true, bot: true },
  nextMessageAnswers: { workflow: true, bot: false },
  forgetsCanceled: true,
  lostStatus: 'failed',
  begin(context, about) {
    const { conversation, messages } = about
    const chat = context.world.addChat(conversation, about)
    const place = { chatId: chat.id, botId: about.botId }
    for (const message of about.saved ? messages : []) {
      keepEntered(context, conversation, message, place)
    }
    const told = messages.filter((message) => message.role === 'user').map(textOf)
    return { chat, told: told.slice(0, -1) }
  },
  answerTo: (question, text) => sayOnly(answerLine(question.text, text)),
  telling: createCloudTelling,
}

function errorBody(code: number | string, msg: string, logid: string): object {
  return { code, msg, detail: { logid } }
}

function refuse(
  error: unknown,
  logId: string,
  { switches }: Pick<Settings, 'switches'>,
): RefusedCall {
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
    return error.lacks === 'path'
      ? { status: 404, body: errorBody(4200, 'no such API', logId) }
      : refuse(new ApiError(4000, `Request parameter error: ${error.message}`), logId, { switches })
  }
  if (error instanceof ApiError) {
    const status = switches.errorStatus === '200' ? 200 : suggestedStatus(error.code)
    return { status, body: errorBody(error.code, error.message, logId) }
  }
  return { status: 500, body: errorBody(5000, 'internal server error', logId) }
}

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

/** The HTTP status that an error code suggests. */
function suggestedStatus(code: number): number {
  return statuses.get(code) ?? 200
}
