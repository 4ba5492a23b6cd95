import { z } from 'zod'
import type { Answer, Context, OwnedCall } from '../context.ts'
import {
  checkMetaData,
  connectorIdSchema,
  type SentMessage,
  enterMessageSchema,
  keepEntered,
  metaDataSchema,
  optionalIdSchema,
  parseRequest,
} from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { mayUse, nameKeyOf } from '../leaks.ts'
import { cloudConversationView } from './views.ts'
import type { PlatformConversation, ConversationNameKey } from '../world.ts'

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
  { principal }: OwnedCall,
  context: Context,
): PlatformConversation {
  const found = context.world.conversations.get(id)
  if (found === undefined || !mayUse(principal, found, context.settings)) {
    throw new ApiError(context.settings.switches.ownerErrorCode, 'conversation not found')
  }
  return found
}

/** `POST /v1/conversation/create` */
export function createCloudConversation(call: OwnedCall, context: Context): Answer {
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
    const key = nameKeyOf(wanted, context.settings)
    const found = context.world.findNamed(key)
    const isTaken = request.get_or_create || context.settings.leaks.staticConversation
    if (found !== undefined && isTaken) return { data: cloudConversationView(found) }
    const about = { appId, connectorId, owner: key.owner, name: key.name, botId, metaData }
    return { data: cloudConversationView(begin(about, request.messages, context, key)) }
  }

  const about = { owner, appId, botId, connectorId, name: request.name ?? '', metaData }
  return { data: cloudConversationView(begin(about, request.messages, context)) }
}

function begin(
  about: Parameters<Context['world']['addConversation']>[0],
  messages: readonly SentMessage[] | undefined,
  context: Context,
  key?: ConversationNameKey,
): PlatformConversation {
  const conversation = context.world.addConversation(about, key)
  for (const message of messages ?? []) keepEntered(context, conversation, message)
  return conversation
}

/** `GET /v1/conversation/retrieve` */
export function retrieveCloudConversation(call: OwnedCall, context: Context): Answer {
  const found = findOwned(call.query.get('conversation_id') ?? '', call, context)
  return { data: cloudConversationView(found) }
}

const listSchema = z.object({
  bot_id: z.string().min(1),
  page_num: z.coerce.number().int().min(1).default(1),
  page_size: z.coerce.number().int().min(1).max(50).default(50),
  sort_order: z.enum(['ASC', 'DESC']).default('DESC'),
  connector_id: connectorIdSchema,
})

/** `GET /v1/conversations`: the caller's own of one bot, newest first. */
export function listCloudConversations(call: OwnedCall, context: Context): Answer {
  const request = parseRequest(listSchema, Object.fromEntries(call.query))
  const own = [...context.world.conversations.values()].filter(
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
export function renameCloudConversation(call: OwnedCall, context: Context): Answer {
  const { name } = parseRequest(z.object({ name: z.string().max(100) }), call.body)
  const found = findOwned(call.params['conversation_id'] ?? '', call, context)
  found.name = name
  return { data: cloudConversationView(found) }
}

/** `DELETE /v1/conversations/{id}` */
export function deleteCloudConversation(call: OwnedCall, context: Context): Answer {
  context.world.removeConversation(findOwned(call.params['conversation_id'] ?? '', call, context))
  return {}
}

/** `POST /v1/conversations/{id}/clear`: messages stay readable, but the context begins anew. */
export function clearCloudConversation(call: OwnedCall, context: Context): Answer {
  const found = findOwned(call.params['conversation_id'] ?? '', call, context)
  found.sectionId = context.ids.next()
  found.question = undefined
  return { data: { id: found.sectionId, conversation_id: found.id } }
}
