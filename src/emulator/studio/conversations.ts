import { z } from 'zod'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { optionalIdSchema, parseRequest } from '../request.ts'
import type { MetaData, PlatformConversation, PlatformMessage } from '../storage/records.ts'
import { internal, readId, refusedWith } from './refusals.ts'

const success = { code: 0, msg: '', BaseResp: null }
const notFound = 103_000_002

/** 1024 is the API's own channel. The only other one that can be chosen is that of the Web SDK. */
export function channelOf(wanted: string | undefined): string {
  return wanted === '999' ? '999' : '1024'
}

const createSchema = z.object({
  bot_id: optionalIdSchema,
  meta_data: z.record(z.string(), z.string()).optional(),
  connector_id: optionalIdSchema,
  user_id: z.string().optional(),
})

/** `POST /v1/conversation/create`: of a Bot; the fields of an app are ignored. */
export function createStudioConversation(
  call: AuthorizedCall,
  { records }: Context,
): HandlerResult {
  const request = parseRequest(createSchema, call.body ?? {})
  const conversation = records.addConversation({
    owner: call.principal,
    appId: undefined,
    botId: request.bot_id,
    connectorId: channelOf(request.connector_id),
    name: '',
    metaData: request.meta_data ?? {},
  })
  return { code: 0, msg: '', data: studioConversationView(conversation) }
}

/** `GET /v1/conversation/retrieve`, also of one that was deleted. */
export function retrieveStudioConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const found = findOwned(call.query.get('conversation_id'), call, context)
  const about = { creator_d: found.owner.creatorId, name: found.name }
  return { ConversationData: { ...studioConversationView(found), ...about }, ...success }
}

const listSchema = z.object({
  bot_id: z.string().min(1),
  page_num: z.coerce.number().int().default(0),
  page_size: z.coerce.number().int().default(0),
  sort_order: z.string().default(''),
  connector_id: optionalIdSchema,
})

/** `GET /v1/conversations`: the caller's of one Bot that were not deleted. */
export function listStudioConversations(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(listSchema, Object.fromEntries(call.query))
  const own = [...context.records.conversations.values()].filter(
    ({ owner, botId, connectorId, isHidden }) =>
      owner.key === call.principal.key &&
      botId === request.bot_id &&
      connectorId === channelOf(request.connector_id) &&
      !isHidden,
  )
  if (request.sort_order.toLowerCase() !== 'asc') own.reverse()
  const size = request.page_size > 0 ? request.page_size : own.length
  const start = Math.max(0, request.page_num - 1) * size
  const rows = own.slice(start, start + size)
  const conversations = rows.map((row) => ({ ...studioConversationView(row), name: row.name }))
  const hasMore = start + rows.length < own.length
  return {
    code: 0,
    msg: '',
    data: { conversations: rows.length > 0 ? conversations : null, has_more: hasMore },
    BaseResp: null,
  }
}

/** `PUT /v1/conversations/{id}` */
export function renameStudioConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(z.object({ name: z.string().optional() }), call.body ?? {})
  const found = findOwned(call.params['conversation_id'], call, context)
  found.name = request.name || found.name
  return { data: { ...studioConversationView(found), name: found.name }, ...success }
}

/** `DELETE /v1/conversations/{id}`: it leaves the list. Everything else stays, and the model still recalls it. */
export function deleteStudioConversation(call: AuthorizedCall, context: Context): HandlerResult {
  findOwned(call.params['conversation_id'], call, context).isHidden = true
  return success
}

/** `POST /v1/conversations/{id}/clear` */
export function clearStudioConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const found = findOwned(call.params['conversation_id'], call, context)
  found.sectionId = context.ids.next()
  return {
    code: 0,
    msg: '',
    data: { id: found.sectionId, conversation_id: found.id },
    BaseResp: null,
  }
}

const messagesSchema = z.object({
  order: z.string().optional(),
  chat_id: z.string().optional(),
  before_id: z.string().optional(),
  after_id: z.string().optional(),
  limit: z.number().int().default(50),
})

/**
 * `POST /v1/conversation/message/list`: `before_id` gives newer rows, oldest first; `after_id` gives older ones, newest
 * first; `order` is ignored. Without rows there is no `data`.
 */
export function listStudioMessages(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(messagesSchema, call.body ?? {})
  const { messages } = findOwned(call.query.get('conversation_id'), call, context)
  const chatId = request.chat_id === undefined ? undefined : readId(request.chat_id)
  const range = (
    request.before_id === undefined
      ? messages.slice(0, position(messages, request.after_id)).toReversed()
      : messages.slice((position(messages, request.before_id) ?? -1) + 1)
  ).filter((message) => isListed(message) && (chatId === undefined || message.chatId === chatId))
  const rows = range.slice(0, request.limit)
  return {
    ...(rows.length > 0 && { data: rows.map(rowView) }),
    has_more: rows.length < range.length,
    first_id: rows[0]?.id ?? '0',
    last_id: rows.at(-1)?.id ?? '0',
    code: 0,
    msg: '',
  }
}

/** The position of a row. The id 0 is no row. */
function position(
  messages: readonly PlatformMessage[],
  text: string | undefined,
): number | undefined {
  const id = text === undefined ? '0' : readId(text)
  if (id === '0') return undefined
  const at = messages.findIndex((message) => message.id === id)
  if (at === -1) throw internal()
  return at
}

function isListed({ type }: PlatformMessage): boolean {
  return type === 'question' || type === 'answer'
}

/** @throws {StudioRefusal} also for a conversation of somebody else */
function findOwned(
  id: string | null | undefined,
  { principal }: AuthorizedCall,
  { records }: Context,
): PlatformConversation {
  const found = records.conversations.get(readId(id))
  if (found === undefined || found.owner.key !== principal.key) {
    throw refusedWith(notFound, 'conversation not found')
  }
  return found
}

function studioConversationView(conversation: PlatformConversation): object {
  return {
    id: conversation.id,
    created_at: conversation.createdAt,
    meta_data: metaDataView(conversation.metaData),
    connector_id: conversation.connectorId,
    last_section_id: conversation.sectionId,
  }
}

/** A row of a conversation's list. */
function rowView(message: PlatformMessage): object {
  return {
    id: message.id,
    bot_id: message.botId,
    role: message.role,
    content: message.content,
    conversation_id: message.conversationId,
    meta_data: metaDataView(message.metaData),
    created_at: message.createdAt,
    updated_at: message.updatedAt,
    chat_id: message.chatId,
    content_type: message.contentType,
    type: message.type,
    section_id: message.sectionId,
    reasoning_content: message.reasoningContent ?? '',
  }
}

function metaDataView(metaData: MetaData): MetaData | null {
  return Object.keys(metaData).length > 0 ? metaData : null
}
