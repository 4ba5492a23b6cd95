import { z } from 'zod'
import { runInBackground, sendRunStream } from '../chat-events.ts'
import { assertIdle, resumeRun, startRun } from '../chat-run.ts'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import {
  checkMetaData,
  connectorIdSchema,
  enterMessageSchema,
  metaDataSchema,
  parseRequest,
  type SentMessage,
} from '../request.ts'
import { type Chat, isRunning, type PlatformConversation } from '../storage/records.ts'
import { cloudChatView } from './chat-protocol.ts'
import { findOwned, findQueried } from './conversations.ts'
import { messageView } from './messages.ts'

/** `GET /v1/bots/{id}`: the configuration of a published Bot. */
export function retrieveCloudBot(
  { params, query }: AuthorizedCall,
  { settings }: Context,
): HandlerResult {
  const bot = settings.bots.find(({ botId }) => botId === params['bot_id'])
  if (bot === undefined) throw new ApiError(4006, 'bot not found')
  if (!bot.published && query.get('is_published') !== 'false') {
    throw new ApiError(4015, 'the bot is not published to the API')
  }
  return {
    data: {
      bot_id: bot.botId,
      name: 'Bot',
      description: '',
      onboarding_info: {
        prologue: bot.greeting,
        // Left out where suggestions are turned off.
        ...(bot.suggestedQuestions.length > 0 && { suggested_questions: bot.suggestedQuestions }),
      },
      bot_mode: 0,
    },
  }
}

const chatSchema = z.object({
  bot_id: z.string().min(1),
  user_id: z.string().min(1),
  stream: z.boolean().default(false),
  additional_messages: z.array(enterMessageSchema).optional(),
  auto_save_history: z.boolean().default(true),
  custom_variables: z.record(z.string(), z.string()).optional(),
  meta_data: metaDataSchema,
  parameters: z.record(z.string(), z.unknown()).optional(),
  enable_card: z.boolean().default(false),
  connector_id: connectorIdSchema,
})

const cancelSchema = z.object({ conversation_id: z.string(), chat_id: z.string() })

/** `POST /v3/chat`, streamed or not (docs/coze-platform.md#bot-chat). */
export async function botChat(call: AuthorizedCall, context: Context): Promise<HandlerResult> {
  const request = parseRequest(chatSchema, call.body)
  const messages = request.additional_messages ?? []
  if (messages.length > 100) throw new ApiError(4004, 'additional_messages over limit')
  if (messages.length > 0 && messages.at(-1)?.role !== 'user') {
    throw new ApiError(4000, 'Request parameter error: the last message must be of role user')
  }
  if (!messages.every((message) => isAllowed(message, request.auto_save_history))) {
    throw new ApiError(4000, 'Request parameter error: the type of a message')
  }
  if (!request.stream && !request.auto_save_history) {
    throw new ApiError(4007, 'auto_save_history must be true when stream is false')
  }
  checkMetaData(request.meta_data ?? {})
  for (const message of messages) checkMetaData(message.meta_data ?? {})
  const bot = context.settings.bots.find(({ botId }) => botId === request.bot_id)
  if (bot === undefined) throw new ApiError(4006, 'The bot does not exist.')
  if (!bot.published) throw new ApiError(4015, 'The bot is not published to the API channel.')

  const conversation = openConversation(request.bot_id, request.connector_id, call, context)
  assertIdle(context, conversation)
  if (messages.length === 0 && !conversation.messages.some(({ role }) => role === 'user')) {
    throw new ApiError(4000, 'Request parameter error: nothing was asked')
  }
  const run = startRun(
    context,
    conversation,
    {
      messages,
      parameters: request.parameters ?? {},
      variables: request.custom_variables ?? {},
      user: {
        owner: call.principal,
        userId: request.user_id,
        connectorId: request.connector_id,
        targetId: request.bot_id,
      },
    },
    {
      kind: 'bot',
      botId: request.bot_id,
      metaData: request.meta_data ?? {},
      messageMetaData: {},
      isSaved: request.auto_save_history,
      asksWithCards: request.enable_card,
      executeId: '',
      debugUrl: '',
      request: call.body,
    },
  )
  if (request.stream) return sendRunStream(run, call, context)
  runInBackground(run, call, context)
  return { data: cloudChatView(run.chat) }
}

/** Messages of tools are for chats that are not saved; a question is the user's (docs/coze-platform.md#bot-chat). */
function isAllowed({ role, type }: SentMessage, isSaved: boolean): boolean {
  if (type === undefined || type === 'answer') return true
  if (type === 'question') return role === 'user'
  return !isSaved && ['function_call', 'tool_output', 'tool_response'].includes(type)
}

/** `GET` or `POST /v3/chat/retrieve` */
export function retrieveCloudChat(call: AuthorizedCall, context: Context): HandlerResult {
  return {
    data: cloudChatView(findChat(call.query.get('chat_id'), findQueried(call, context), context)),
  }
}

/** `GET /v3/chat/message/list`: everything of the chat but the query. */
export function listCloudChatMessages(call: AuthorizedCall, context: Context): HandlerResult {
  const conversation = findQueried(call, context)
  const chat = findChat(call.query.get('chat_id'), conversation, context)
  const rows = conversation.messages.filter(
    ({ chatId, role }) => chatId === chat.id && role !== 'user',
  )
  return { data: rows.map(messageView) }
}

/** `POST /v3/chat/cancel`: the status changes, the stream goes on, the chat leaves the context. */
export function cancelCloudChat(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(cancelSchema, call.body)
  const conversation = findOwned(request.conversation_id, call, context)
  const chat = findChat(request.chat_id, conversation, context)
  const waits = context.settings.switches.cancelsActionRequired && chat.status === 'requires_action'
  if (!isRunning(chat) && !waits)
    throw new ApiError(4104, 'The chat cannot be cancelled in this state.')
  chat.status = 'canceled'
  chat.toolCalls = []
  for (const message of conversation.messages) {
    if (message.chatId === chat.id) message.isInContext = false
  }
  context.changes.notify()
  return { data: cloudChatView(chat) }
}

const toolOutputsSchema = z.object({
  tool_outputs: z.array(z.object({ tool_call_id: z.string(), output: z.string() })).min(1),
  stream: z.boolean().default(false),
})

/** `POST /v3/chat/submit_tool_outputs`: the chat is resumed, streamed or not (docs/coze-platform.md#bot-chat). */
export async function submitToolOutputs(
  call: AuthorizedCall,
  context: Context,
): Promise<HandlerResult> {
  const request = parseRequest(toolOutputsSchema, call.body)
  const conversation = findQueried(call, context)
  const chat = findChat(call.query.get('chat_id'), conversation, context)
  const outputs = new Map(
    request.tool_outputs.map(({ tool_call_id: id, output }) => [id, output] as const),
  )
  const waits = chat.status === 'requires_action' && chat.toolCalls.length === outputs.size
  if (!waits || !chat.toolCalls.every(({ id }) => outputs.has(id))) {
    throw new ApiError(4000, 'Request parameter error: tool_outputs')
  }
  const run = resumeRun(context, chat, conversation, outputs)
  if (request.stream) return sendRunStream(run, call, context)
  runInBackground(run, call, context)
  return { data: cloudChatView(run.chat) }
}

function openConversation(
  botId: string,
  connectorId: string,
  call: AuthorizedCall,
  context: Context,
): PlatformConversation {
  const id = call.query.get('conversation_id') ?? ''
  if (id === '') {
    const about = { owner: call.principal, appId: undefined, botId, connectorId }
    return context.records.addConversation({ ...about, name: '', metaData: {} })
  }
  const found = findOwned(id, call, context)
  const botFits = found.botId === undefined || found.botId === botId
  if (found.appId !== undefined || found.connectorId !== connectorId || !botFits) {
    throw new ApiError(context.settings.switches.ownerErrorCode, 'conversation not found')
  }
  return found
}

/** @throws {ApiError} 4001 */
function findChat(
  id: string | null,
  conversation: PlatformConversation,
  { records }: Context,
): Chat {
  const chat = records.chats.get(id ?? '')
  if (chat === undefined || chat.conversationId !== conversation.id || !chat.isSaved) {
    throw new ApiError(4001, 'chat not found')
  }
  return chat
}
