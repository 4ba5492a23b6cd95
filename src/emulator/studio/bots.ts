import { z } from 'zod'
import { runInBackground, sendRunStream } from '../chat-events.ts'
import { type PlatformRun, startRun } from '../chat-run.ts'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import { openPlatformStream } from '../event-stream.ts'
import { enterMessageSchema, optionalIdSchema, parseRequest } from '../request.ts'
import { type Chat, isRunning, type PlatformConversation } from '../storage/records.ts'
import { botMessageView, retrievedView, studioChatView } from './chat-protocol.ts'
import { channelOf } from './conversations.ts'
import { badRequest, internal, readId, statusText, textOnly } from './refusals.ts'

/** `GET /v1/bots/{id}`: the configuration of a published Bot. */
export function retrieveStudioBot(
  { params }: AuthorizedCall,
  { settings }: Context,
): HandlerResult {
  const bot = settings.bots.find(({ botId }) => botId === params['bot_id'])
  if (bot === undefined || !bot.published) throw internal()
  return {
    data: {
      bot_id: bot.botId,
      name: 'Bot',
      onboarding_info: { prologue: bot.greeting, suggested_questions: bot.suggestedQuestions },
      bot_mode: 0,
    },
    code: 0,
    msg: '',
    BaseResp: null,
  }
}

const requestSchema = z.object({
  bot_id: z.string().min(1),
  user_id: z.string(),
  stream: z.boolean().default(true),
  additional_messages: z.array(enterMessageSchema).default([]),
  custom_variables: z.record(z.string(), z.string()).default({}),
  meta_data: z.record(z.string(), z.string()).default({}),
  extra_params: z.record(z.string(), z.string()).default({}),
  parameters: z.record(z.string(), z.unknown()).default({}),
  connector_id: optionalIdSchema,
})

type Request = z.output<typeof requestSchema>

const runFailed = 103_100_001
/** The database column of the user's id holds so many characters. */
const maxUserId = 60

/** `POST /v3/chat`. A chat that is refused before it begins is a stream with one `error` event. */
export async function studioBotChat(
  call: AuthorizedCall,
  context: Context,
): Promise<HandlerResult> {
  const request = parseRequest(requestSchema, call.body)
  const asked = call.query.get('conversation_id')
  const wanted = asked === null ? undefined : readId(asked)
  const run = startBotRun(request, wanted, call, context)
  if (typeof run === 'string') {
    if (!request.stream) throw badRequest(run)
    const stream = openPlatformStream(call.res, context.dialect.framing.bot, call.faults, context)
    await stream.send({ name: 'error', data: { code: runFailed, msg: run } })
    await stream.end()
    return undefined
  }
  if (request.stream) return sendRunStream(run, call, context)
  runInBackground(run, call, context)
  return { data: studioChatView(run.chat), code: 0, msg: '', BaseResp: null }
}

/** The run, or the reason why there is none. */
function startBotRun(
  request: Request,
  wanted: string | undefined,
  call: AuthorizedCall,
  context: Context,
): PlatformRun | string {
  const { bot_id: botId, user_id: userId } = request
  const bot = context.settings.bots.find((known) => known.botId === botId)
  if (bot === undefined || !bot.published) {
    const reason = `agent not published, agentID=${botId} connectorID=1024`
    return statusText(100_000_000, `invalid parameter : ${reason}`)
  }
  const conversation = openConversation(request, wanted, call, context)
  if (conversation.owner.key !== call.principal.key) {
    return statusText(103_000_001, 'unauthorized access : user not match')
  }
  const isTooLong = userId.length > maxUserId
  try {
    const run = startRun(
      context,
      conversation,
      {
        messages: isTooLong ? [] : request.additional_messages,
        parameters: request.parameters,
        variables: request.custom_variables,
        user: {
          owner: call.principal,
          userId,
          connectorId: conversation.connectorId,
          targetId: botId,
        },
      },
      {
        kind: 'bot',
        botId,
        metaData: {},
        messageMetaData: request.extra_params,
        isSaved: true,
        asksWithCards: true,
        executeId: '',
        debugUrl: '',
        request: call.body,
      },
    )
    return isTooLong ? { ...run, script: tooLong } : run
  } catch (error) {
    if (error instanceof ApiError) return error.message
    throw error
  }
}

const tooLong = {
  wordsPerSecond: undefined,
  steps: [
    {
      kind: 'fail',
      code: runFailed,
      msg: "Error 1406 (22001): Data too long for column 'user_id' at row 1",
    },
  ],
} as const

/** An unknown id opens a new conversation, without a sign of it. */
function openConversation(
  { bot_id: botId, connector_id }: Request,
  wanted: string | undefined,
  { principal: owner }: AuthorizedCall,
  { records }: Context,
): PlatformConversation {
  const found = wanted === undefined ? undefined : records.conversations.get(wanted)
  const about = { owner, appId: undefined, botId, connectorId: channelOf(connector_id) }
  return found ?? records.addConversation({ ...about, name: '', metaData: {} })
}

/** `GET /v3/chat/retrieve` */
export function retrieveStudioChat(call: AuthorizedCall, context: Context): HandlerResult {
  const conversationId = readId(call.query.get('conversation_id'))
  const found = findChat(readId(call.query.get('chat_id')), context)
  if (found === undefined) throw textOnly('record not found')
  findConversation(conversationId, call, context)
  return { data: retrievedView(found), code: 0, msg: '', BaseResp: null }
}

/** `GET /v3/chat/message/list`: all messages of the chat, its question too. Without rows there is no `Messages`. */
export function listStudioChatMessages(call: AuthorizedCall, context: Context): HandlerResult {
  const conversationId = readId(call.query.get('conversation_id'))
  const chatId = readId(call.query.get('chat_id'))
  const { messages } = findConversation(conversationId, call, context)
  const rows = messages.filter((message) => message.chatId === chatId)
  return {
    ...(rows.length > 0 && { Messages: rows.map((row) => botMessageView(row)) }),
    code: 0,
    msg: '',
    BaseResp: null,
  }
}

const cancelSchema = z.object({ conversation_id: z.string(), chat_id: z.string() })

/** `POST /v3/chat/cancel`: only the record changes, until the chat completes. The chat goes on. */
export function cancelStudioChat(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(cancelSchema, call.body)
  const conversationId = readId(request.conversation_id)
  const found = findChat(readId(request.chat_id), context)
  if (found === undefined) throw badRequest('record not found')
  const { id } = findConversation(conversationId, call, context)
  if (found.conversationId !== id) {
    throw badRequest(statusText(103_000_001, 'unauthorized access : conversation not match'))
  }
  if (!isRunning(found)) {
    throw badRequest(statusText(103_200_005, 'in progress can not be cancelled'))
  }
  found.status = 'canceled'
  context.changes.notify()
  return { ChatV3ChatDetail: studioChatView(found), BaseResp: null }
}

function findChat(id: string, { records }: Context): Chat | undefined {
  return records.chats.get(id)
}

/** For an unknown conversation the platform follows a nil pointer, which ends the request with an empty text. */
function findConversation(
  id: string,
  { principal }: AuthorizedCall,
  { records }: Context,
): PlatformConversation {
  const found = records.conversations.get(id)
  if (found === undefined) throw textOnly('')
  if (found.owner.key !== principal.key) {
    throw textOnly(statusText(103_000_001, 'unauthorized access : user not match'))
  }
  return found
}
