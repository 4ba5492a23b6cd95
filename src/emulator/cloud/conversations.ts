import { z } from 'zod'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import {
  checkMetaData,
  connectorIdSchema,
  enterMessageSchema,
  metaDataSchema,
  optionalIdSchema,
  parseRequest,
  type SentMessage,
} from '../request.ts'
import { type ConversationNameKey, conversationNameKey, mayUse } from '../storage/ownership.ts'
import type { NewConversation, PlatformConversation, PlatformMessage } from '../storage/records.ts'

const createSchema = z.object({
  bot_id: optionalIdSchema,
  name: z.string().max(100).optional(),
  messages: z.array(enterMessageSchema).max(16).optional(),
  meta_data: metaDataSchema,
  connector_id: connectorIdSchema,
  // What Coze's own Chat SDK sends for an app; not in the public documentation (docs/coze-platform.md#conversations-of-an-app).
  app_id: optionalIdSchema,
  conversation_name: z.string().min(1).optional(),
  get_or_create: z.boolean().default(false),
  draft_mode: z.boolean().optional(),
  workflow_id: z.string().optional(),
})

/** @throws {ApiError} 4002, also for a conversation of somebody else: it must look like none. */
export function findOwned(
  id: string,
  { principal }: AuthorizedCall,
  context: Context,
): PlatformConversation {
  const found = context.records.conversations.get(id)
  if (found === undefined || !mayUse(principal, found, context.settings)) {
    throw new ApiError(context.settings.switches.ownerErrorCode, 'conversation not found')
  }
  return found
}

/** The conversation that the query names. */
export function findQueried(call: AuthorizedCall, context: Context): PlatformConversation {
  return findOwned(call.query.get('conversation_id') ?? '', call, context)
}

/** `POST /v1/conversation/create` */
export function createCloudConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(createSchema, call.body ?? {})
  const { app_id: appId, bot_id: botId, connector_id: connectorId } = request
  const owner = call.principal
  const metaData = request.meta_data ?? {}
  checkMetaData(metaData)
  for (const message of request.messages ?? []) checkMetaData(message.meta_data ?? {})

  if (appId !== undefined) {
    if (context.settings.switches.createWithAppId === 'refused-4000') {
      throw new ApiError(4000, 'Request parameter error: app_id')
    }
    const name = request.conversation_name ?? 'Default'
    const wanted = { targetId: appId, connectorId, owner, name }
    const key = conversationNameKey(wanted, context.settings)
    const found = context.records.findNamed(key)
    const isReused = request.get_or_create || context.settings.leaks.staticConversation
    if (found !== undefined && isReused) return { data: cloudConversationView(found) }
    const about = { appId, connectorId, owner: key.owner, name: key.name, botId, metaData }
    return { data: cloudConversationView(addConversation(about, request.messages, context, key)) }
  }

  const about = { owner, appId, botId, connectorId, name: request.name ?? '', metaData }
  return { data: cloudConversationView(addConversation(about, request.messages, context)) }
}

function addConversation(
  about: NewConversation,
  messages: readonly SentMessage[] | undefined,
  context: Context,
  key?: ConversationNameKey,
): PlatformConversation {
  const conversation = context.records.addConversation(about, key)
  for (const message of messages ?? []) addRequestMessage(context, conversation, message)
  return conversation
}

/** Adds a message of a request to a conversation. */
export function addRequestMessage(
  { records }: Context,
  conversation: PlatformConversation,
  sent: SentMessage,
  place: Partial<Pick<PlatformMessage, 'chatId' | 'botId'>> = {},
): PlatformMessage {
  const message = records.draftMessage(conversation, {
    ...place,
    role: sent.role,
    type: sent.type ?? (sent.role === 'user' ? 'question' : 'answer'),
    content: sent.content ?? '',
    contentType: sent.content_type ?? 'text',
    metaData: sent.meta_data ?? {},
  })
  records.addMessage(conversation, message)
  return message
}

/** `GET /v1/conversation/retrieve` */
export function retrieveCloudConversation(call: AuthorizedCall, context: Context): HandlerResult {
  return { data: cloudConversationView(findQueried(call, context)) }
}

const listSchema = z.object({
  bot_id: z.string().min(1),
  page_num: z.coerce.number().int().min(1).default(1),
  page_size: z.coerce.number().int().min(1).max(50).default(50),
  sort_order: z.enum(['ASC', 'DESC']).default('DESC'),
  connector_id: connectorIdSchema,
})

/** `GET /v1/conversations`: the caller's own of one bot, newest first. */
export function listCloudConversations(call: AuthorizedCall, context: Context): HandlerResult {
  const request = parseRequest(listSchema, Object.fromEntries(call.query))
  const own = [...context.records.conversations.values()].filter(
    ({ owner, botId, connectorId }) =>
      owner.key === call.principal.key &&
      botId === request.bot_id &&
      connectorId === request.connector_id,
  )
  if (request.sort_order === 'DESC') own.reverse()
  const start = (request.page_num - 1) * request.page_size
  const rows = own.slice(start, start + request.page_size).map(cloudConversationView)
  return { data: { has_more: start + rows.length < own.length, conversations: rows } }
}

/** `PUT /v1/conversations/{id}` */
export function renameCloudConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const { name } = parseRequest(z.object({ name: z.string().max(100) }), call.body)
  const found = findOwned(call.params['conversation_id'] ?? '', call, context)
  found.name = name
  return { data: cloudConversationView(found) }
}

/** `DELETE /v1/conversations/{id}` */
export function deleteCloudConversation(call: AuthorizedCall, context: Context): HandlerResult {
  context.records.removeConversation(findOwned(call.params['conversation_id'] ?? '', call, context))
  return {}
}

/** `POST /v1/conversations/{id}/clear`: messages stay readable, but leave the context. */
export function clearCloudConversation(call: AuthorizedCall, context: Context): HandlerResult {
  const found = findOwned(call.params['conversation_id'] ?? '', call, context)
  found.sectionId = context.ids.next()
  found.question = undefined
  return { data: { id: found.sectionId, conversation_id: found.id } }
}

function cloudConversationView(conversation: PlatformConversation): object {
  return {
    id: conversation.id,
    name: conversation.name,
    created_at: conversation.createdAt,
    updated_at: conversation.updatedAt,
    meta_data: conversation.metaData,
    creator_id: conversation.owner.creatorId,
    connector_id: conversation.connectorId,
    last_section_id: conversation.sectionId,
  }
}
