import { z } from 'zod'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { findOwned } from './conversations.ts'
import {
  checkMetaData,
  enterMessageSchema,
  keepEntered,
  metaDataSchema,
  parseRequest,
} from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { unixSeconds } from '../ids.ts'
import { messageView } from './views.ts'
import type { PlatformConversation, PlatformMessage } from '../world.ts'

const listSchema = z.object({
  order: z.enum(['asc', 'desc']).default('desc'),
  chat_id: z.string().optional(),
  before_id: z.string().optional(),
  after_id: z.string().optional(),
  limit: z.number().int().min(1).max(50).default(50),
})

const changeSchema = z.object({
  content: z.string().optional(),
  content_type: z.string().optional(),
  meta_data: metaDataSchema,
})

/** `POST /v1/conversation/message/list`: questions, answers and inserted messages; a flat envelope. */
export function listCloudMessages(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(listSchema, call.body ?? {})
  const chatId = request.chat_id || undefined
  const all = findQueried(call, context).messages.filter(
    (message) => isListed(message) && (chatId === undefined || message.chatId === chatId),
  )
  // `before_id` and `after_id` mean older and newer, whatever the order shown.
  const before = position(all, request.before_id) ?? all.length
  const after = position(all, request.after_id) ?? -1
  const range = all.slice(after + 1, before)
  const fromNewest = request.order === 'desc' && !request.after_id
  const rows = fromNewest ? range.slice(-request.limit) : range.slice(0, request.limit)
  if (request.order === 'desc') rows.reverse()
  return {
    data: rows.map(messageView),
    first_id: rows[0]?.id ?? '',
    last_id: rows.at(-1)?.id ?? '',
    has_more: rows.length < range.length,
  }
}

/** `POST /v1/conversation/message/create` */
export function createMessage(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(enterMessageSchema, call.body)
  checkMetaData(request.meta_data ?? {})
  const message = keepEntered(context, findQueried(call, context), request)
  return { data: messageView(message) }
}

/** `GET /v1/conversation/message/retrieve` */
export function retrieveMessage(call: OwnedCall, context: Context): Answer {
  return { data: messageView(findMessage(findQueried(call, context), call)) }
}

/** `POST /v1/conversation/message/modify`: answers under `message` instead of `data`. */
export function modifyMessage(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(changeSchema, call.body)
  checkMetaData(request.meta_data ?? {})
  const message = findMessage(findQueried(call, context), call)
  message.content = request.content ?? message.content
  message.contentType = request.content_type ?? message.contentType
  message.metaData = request.meta_data ?? message.metaData
  message.updatedAt = unixSeconds(context.clock)
  return { message: messageView(message) }
}

/** `POST /v1/conversation/message/delete`: an answer takes its chat's intermediate messages with it. */
export function deleteMessage(call: OwnedCall, context: Context): Answer {
  const conversation = findQueried(call, context)
  const message = findMessage(conversation, call)
  const goes = (other: PlatformMessage) =>
    other === message ||
    (message.type === 'answer' && other.chatId === message.chatId && !isListed(other))
  const kept = conversation.messages.filter((other) => !goes(other))
  conversation.messages.splice(0, Infinity, ...kept)
  return { data: messageView(message) }
}

function isListed({ type }: PlatformMessage): boolean {
  return type === 'question' || type === 'answer'
}

/** An empty or absent id is no bound; an unknown one is an error. */
function position(
  messages: readonly PlatformMessage[],
  id: string | null | undefined,
): number | undefined {
  if (!id) return undefined
  const at = messages.findIndex((message) => message.id === id)
  if (at === -1) throw new ApiError(4005, 'message not found')
  return at
}

function findQueried(call: OwnedCall, context: Context): PlatformConversation {
  return findOwned(call.query.get('conversation_id') ?? '', call, context)
}

function findMessage(conversation: PlatformConversation, { query }: OwnedCall): PlatformMessage {
  const id = query.get('message_id')
  const found = conversation.messages.find((message) => message.id === id)
  if (found === undefined || !isListed(found)) throw new ApiError(4005, 'message not found')
  return found
}
