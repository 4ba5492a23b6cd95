import { z } from 'zod'
import { detachRun, streamPlatformRun } from '../chat-answer.ts'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { enterMessageSchema, optionalIdSchema, parseRequest } from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { collectFacts } from '../facts.ts'
import { type PlatformRun, startRun } from '../run.ts'
import { openPlatformStream } from '../stream.ts'
import { type Chat, type PlatformConversation, isRunning } from '../world.ts'
import { channelOf } from './conversations.ts'
import { badRequest, readId, statusText, textOnly } from './refusals.ts'
import { botMessageView, studioChatView, retrievedView } from './views.ts'

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
/** The column of the user's name holds so many characters. */
const maxUserId = 60

/** `POST /v3/chat`: what is refused before the run is told in the stream of a run that never was. */
export async function chat(call: OwnedCall, context: Context): Promise<Answer> {
  const request = parseRequest(requestSchema, call.body)
  const asked = call.query.get('conversation_id')
  const wanted = asked === null ? undefined : readId(asked)
  const begun = beginRun(request, wanted, call, context)
  if (typeof begun === 'string') {
    if (!request.stream) throw badRequest(begun)
    const stream = openPlatformStream(call.res, context.dialect.framing.bot, call.faults, context)
    await stream.send({ name: 'error', data: { code: runFailed, msg: begun } })
    await stream.end()
    return undefined
  }
  if (request.stream) return streamPlatformRun(begun, call, context)
  detachRun(begun, call, context)
  return { data: studioChatView(begun.chat), code: 0, msg: '', BaseResp: null }
}

/** The run, or why there is none. */
function beginRun(
  request: Request,
  wanted: string | undefined,
  call: OwnedCall,
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
  const { connectorId } = conversation
  const isTooLong = userId.length > maxUserId
  try {
    const about = { parameters: request.parameters, variables: request.custom_variables }
    const user = { owner: call.principal, userId, connectorId, targetId: botId }
    const messages = request.additional_messages
    const facts = collectFacts(context, { messages, ...about, metaData: {}, user })
    const run = startRun(context, {
      kind: 'bot',
      conversation,
      owner: call.principal,
      botId,
      metaData: {},
      carried: request.extra_params,
      saved: true,
      messages: isTooLong ? [] : messages,
      request: call.body,
      executeId: '',
      debugUrl: '',
      facts,
      cards: true,
    })
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

/** An id of no conversation opens a new one, without a word. */
function openConversation(
  { bot_id: botId, connector_id }: Request,
  wanted: string | undefined,
  { principal: owner }: OwnedCall,
  { world }: Context,
): PlatformConversation {
  const found = wanted === undefined ? undefined : world.conversations.get(wanted)
  const about = { owner, appId: undefined, botId, connectorId: channelOf(connector_id) }
  return found ?? world.addConversation({ ...about, name: '', metaData: {} })
}

/** `GET /v3/chat/retrieve` */
export function retrieveStudioChat(call: OwnedCall, context: Context): Answer {
  const conversationId = readId(call.query.get('conversation_id'))
  const found = findChat(readId(call.query.get('chat_id')), context)
  if (found === undefined) throw textOnly('record not found')
  findConversation(conversationId, call, context)
  return { data: retrievedView(found), code: 0, msg: '', BaseResp: null }
}

/** `GET /v3/chat/message/list`: everything of the run, its question too. Without rows there is no `Messages`. */
export function listStudioChatMessages(call: OwnedCall, context: Context): Answer {
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

/** `POST /v3/chat/cancel`: the record changes until the run completes; the run goes on. */
export function cancelStudioChat(call: OwnedCall, context: Context): Answer {
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

function findChat(id: string, { world }: Context): Chat | undefined {
  return world.chats.get(id)
}

/** One that is not there is looked into all the same, which ends the request without a word. */
function findConversation(
  id: string,
  { principal }: OwnedCall,
  { world }: Context,
): PlatformConversation {
  const found = world.conversations.get(id)
  if (found === undefined) throw textOnly('')
  if (found.owner.key !== principal.key) {
    throw textOnly(statusText(103_000_001, 'unauthorized access : user not match'))
  }
  return found
}
