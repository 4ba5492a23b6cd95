import { z } from 'zod'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import { unixSeconds } from '../ids.ts'
import { checkMetaData, enterMessageSchema, metaDataSchema, parseRequest } from '../request.ts'
import type { PlatformConversation, PlatformMessage } from '../storage/records.ts'
import { addRequestMessage, findOwned, findQueried } from './conversations.ts'

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
export function listCloudMessages(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(listSchema, call.body ?? {})
  const chatId = request.chat_id || undefined
  const all = findQueried(call, context).messages.filter(
    (message) => isListed(message) && (chatId === undefined || message.chatId === chatId),
  )
  // `before_id` and `after_id` mean older and newer messages in both orders.
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
export function createMessage(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(enterMessageSchema, call.body)
  checkMetaData(request.meta_data ?? {})
  const message = addRequestMessage(context, findQueried(call, context), request)
  return { data: messageView(message) }
}

/** `GET /v1/conversation/message/retrieve` */
export function retrieveMessage(call: AuthorizedCall, context: Context): HandlerResult {
  return { data: messageView(findMessage(findQueried(call, context), call)) }
}

/** `POST /v1/conversation/message/modify`: the result is under `message` instead of `data`. */
export function modifyMessage(call: AuthorizedCall, context: Context): HandlerResult {
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
export function deleteMessage(call: AuthorizedCall, context: Context): HandlerResult {
  const conversation = findQueried(call, context)
  const message = findMessage(conversation, call)
  const goes = (other: PlatformMessage) =>
    other === message ||
    (message.type === 'answer' && other.chatId === message.chatId && !isListed(other))
  const kept = conversation.messages.filter((other) => !goes(other))
  conversation.messages.splice(0, Infinity, ...kept)
  return { data: messageView(message) }
}

const feedbackSchema = z.object({
  feedback_type: z.enum(['like', 'unlike']),
  reason_types: z.array(z.string().min(1).max(30)).max(10).optional(),
  comment: z.string().max(250).optional(),
})

/** `POST /v1/conversations/{id}/messages/{id}/feedback`: replaces earlier feedback. */
export function giveCloudFeedback(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(feedbackSchema, call.body)
  findAnswer(call, context).feedback = {
    type: request.feedback_type,
    reasons: request.reason_types ?? [],
    comment: request.comment ?? '',
  }
  context.changes.notify()
  return {}
}

/** `DELETE /v1/conversations/{id}/messages/{id}/feedback` */
export function withdrawCloudFeedback(call: AuthorizedCall, context: Context): HandlerResult {
  findAnswer(call, context).feedback = undefined
  context.changes.notify()
  return {}
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

function findMessage(
  conversation: PlatformConversation,
  { query }: AuthorizedCall,
): PlatformMessage {
  const id = query.get('message_id')
  const found = conversation.messages.find((message) => message.id === id)
  if (found === undefined || !isListed(found)) throw new ApiError(4005, 'message not found')
  return found
}

function findAnswer(call: AuthorizedCall, context: Context): PlatformMessage {
  const { conversation_id: conversationId = '', message_id: messageId } = call.params
  const { messages } = findOwned(conversationId, call, context)
  const found = messages.find(({ id, type }) => id === messageId && type === 'answer')
  if (found === undefined) throw new ApiError(4005, 'message not found')
  return found
}

/** A message as the cloud shows it in lists. */
export function messageView(message: PlatformMessage): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content: message.content,
    content_type: message.contentType,
    meta_data: message.metaData,
    chat_id: message.chatId,
    section_id: message.sectionId,
    created_at: message.createdAt,
    updated_at: message.updatedAt,
    reasoning_content: message.reasoningContent,
  }
}
