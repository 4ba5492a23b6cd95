import { z } from 'zod'
import { detachRun, streamPlatformRun } from '../chat-answer.ts'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { findOwned } from './conversations.ts'
import {
  checkMetaData,
  connectorIdSchema,
  enterMessageSchema,
  metaDataSchema,
  parseRequest,
} from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { collectFacts } from '../facts.ts'
import { findChat } from './find-chat.ts'
import { assertIdle, startRun } from '../run.ts'
import { cloudChatView, messageView } from './views.ts'
import { type PlatformConversation, isRunning } from '../world.ts'

const requestSchema = z.object({
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
export async function botChat(call: OwnedCall, context: Context): Promise<Answer> {
  const request = parseRequest(requestSchema, call.body)
  const messages = request.additional_messages ?? []
  if (messages.length > 100) throw new ApiError(4004, 'additional_messages over limit')
  if (messages.length > 0 && messages.at(-1)?.role !== 'user') {
    throw new ApiError(4000, 'Request parameter error: the last message must be of role user')
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
  const facts = collectFacts(context, {
    messages,
    parameters: request.parameters ?? {},
    variables: request.custom_variables ?? {},
    metaData: request.meta_data ?? {},
    user: {
      owner: call.principal,
      userId: request.user_id,
      connectorId: request.connector_id,
      targetId: request.bot_id,
    },
  })
  const run = startRun(context, {
    kind: 'bot',
    conversation,
    owner: call.principal,
    botId: request.bot_id,
    metaData: request.meta_data ?? {},
    carried: {},
    saved: request.auto_save_history,
    messages,
    request: call.body,
    executeId: '',
    debugUrl: '',
    facts,
    cards: request.enable_card,
  })
  if (request.stream) return streamPlatformRun(run, call, context)
  detachRun(run, call, context)
  return { data: cloudChatView(run.chat) }
}

/** `GET` or `POST /v3/chat/retrieve` */
export function retrieveCloudChat(call: OwnedCall, context: Context): Answer {
  return {
    data: cloudChatView(findChat(call.query.get('chat_id'), findQueried(call, context), context)),
  }
}

/** `GET /v3/chat/message/list`: everything of the chat but the query. */
export function listCloudChatMessages(call: OwnedCall, context: Context): Answer {
  const conversation = findQueried(call, context)
  const chat = findChat(call.query.get('chat_id'), conversation, context)
  const rows = conversation.messages.filter(
    ({ chatId, role }) => chatId === chat.id && role !== 'user',
  )
  return { data: rows.map(messageView) }
}

/** `POST /v3/chat/cancel`: the state flips, the stream plays on, the chat leaves the context. */
export function cancelCloudChat(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(cancelSchema, call.body)
  const conversation = findOwned(request.conversation_id, call, context)
  const chat = findChat(request.chat_id, conversation, context)
  const waits = context.settings.switches.cancelsActionRequired && chat.status === 'requires_action'
  if (!isRunning(chat) && !waits)
    throw new ApiError(4104, 'The chat cannot be cancelled in this state.')
  chat.status = 'canceled'
  chat.toolCalls = []
  for (const message of conversation.messages) {
    if (message.chatId === chat.id) message.inContext = false
  }
  context.changes.notify()
  return { data: cloudChatView(chat) }
}

function openConversation(
  botId: string,
  connectorId: string,
  call: OwnedCall,
  context: Context,
): PlatformConversation {
  const id = call.query.get('conversation_id') ?? ''
  if (id === '') {
    const about = { owner: call.principal, appId: undefined, botId, connectorId }
    return context.world.addConversation({ ...about, name: '', metaData: {} })
  }
  const found = findOwned(id, call, context)
  const botFits = found.botId === undefined || found.botId === botId
  if (found.appId !== undefined || found.connectorId !== connectorId || !botFits) {
    throw new ApiError(context.settings.switches.ownerErrorCode, 'conversation not found')
  }
  return found
}

function findQueried(call: OwnedCall, context: Context): PlatformConversation {
  return findOwned(call.query.get('conversation_id') ?? '', call, context)
}
