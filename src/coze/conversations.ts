import { compareDecimals, isDecimal } from '../lib/decimal.ts'
import type { CozeClient, CozeTarget } from './client.ts'
import type { CozeAnswer } from './envelope.ts'
import { CozeError } from './errors.ts'
import { type ContentType, type CozeUsage, decodeMessageUsage } from './events.ts'
import { findId, findObject, findString, type JsonObject } from './json.ts'
import { isJsonObject } from '../lib/json-object.ts'

export interface CozeConversation {
  readonly id: string
  readonly logId: string | undefined
}

/** A stored message. */
export interface CozeMessage {
  readonly id: string
  readonly conversationId: string
  /** Undefined: it was inserted, no chat made it. */
  readonly chatId: string | undefined
  /** `other`: a role that no message for users has. */
  readonly role: 'user' | 'assistant' | 'other'
  /** `question`, `answer`, `follow_up`, `verbose`, …: only answers are for users. */
  readonly type: string
  readonly contentType: ContentType
  readonly text: string
  readonly metaData: Readonly<Record<string, string>>
  /** Tokens that its run used, where the platform says so of an answer. */
  readonly usage: CozeUsage | null
  /** ms since the epoch; null: the platform did not say. */
  readonly createdAt: number | null
}

/** Begins an empty conversation of the token's identity. */
export async function createConversation(
  client: CozeClient,
  target: CozeTarget,
  request: {
    readonly botId?: string | undefined
    readonly connectorId?: string | undefined
    readonly metaData?: Readonly<Record<string, string>> | undefined
  },
  signal: AbortSignal,
): Promise<CozeConversation> {
  const body = {
    bot_id: request.botId,
    connector_id: request.connectorId,
    meta_data: request.metaData,
  }
  return await client.request({ ...creation(target), body }, signal)
}

/** The app's conversation of this name, begun if there is none (undocumented, but Coze's own SDK uses it: docs/coze-platform.md#conversations-of-an-app). */
export async function getOrCreateAppConversation(
  client: CozeClient,
  target: CozeTarget,
  request: {
    readonly appId: string
    readonly workflowId: string
    readonly name: string
    /** Default `1024`, the API channel: a conversation is used only in the one it was made for. */
    readonly connectorId?: string | undefined
  },
  signal: AbortSignal,
): Promise<CozeConversation> {
  const body = {
    app_id: request.appId,
    workflow_id: request.workflowId,
    conversation_name: request.name,
    get_or_create: true,
    draft_mode: false,
    connector_id: request.connectorId ?? '1024',
  }
  return await client.request({ ...creation(target), body }, signal)
}

/** @throws CozeError `conversation-gone` if it is not the token's own. */
export async function retrieveConversation(
  client: CozeClient,
  target: CozeTarget,
  conversationId: string,
  signal: AbortSignal,
): Promise<CozeConversation> {
  const query = { conversation_id: conversationId }
  const path = '/v1/conversation/retrieve'
  const call = 'retrieve-conversation'
  const request = { call, target, method: 'GET', path, query, read: readConversation } as const
  return await client.request(request, signal)
}

/**
 * Deletes a conversation for ever.
 *
 * @throws CozeError `conversation-gone` if it is not there, or not the token's own
 */
export async function deleteConversation(
  client: CozeClient,
  target: CozeTarget,
  conversationId: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/conversations/${encodeURIComponent(conversationId)}`
  const call = 'delete-conversation'
  await client.request({ call, target, method: 'DELETE', path, read: () => undefined }, signal)
}

/**
 * One page of stored questions and answers, newest first. Undefined: the answer holds no list. Studio says so of an empty
 * conversation, but it is no proof that there are none.
 */
export async function listMessages(
  client: CozeClient,
  target: CozeTarget,
  request: {
    readonly conversationId: string
    readonly chatId?: string | undefined
    /** Only messages older than one of this id; what is tried first to ask for them. Undefined: the newest. */
    readonly older?:
      | { readonly by: 'before_id' | 'after_id'; readonly than: string | undefined }
      | undefined
    /** 1 to 50. Undefined: 50. */
    readonly limit?: number | undefined
  },
  signal: AbortSignal,
): Promise<readonly CozeMessage[] | undefined> {
  const { conversationId, chatId, older, limit = 50 } = request
  const olderThan = older?.than
  const query = { conversation_id: conversationId }
  const path = '/v1/conversation/message/list'
  const call = 'list-messages'
  const list = async (bound: string) => {
    const body = { order: 'desc', chat_id: chatId, [bound]: olderThan, limit }
    const rows = { call, target, method: 'POST', path, query, body, read: readMessages } as const
    return await client.request(rows, signal)
  }
  const by = older?.by ?? 'before_id'
  const rows = await list(by)
  // Studio gives newer messages for `before_id`, and older ones for `after_id`: whichever was tried, the other one is.
  const isNewer = olderThan !== undefined && rows?.some(({ id }) => isLater(id, olderThan))
  return isNewer ? await list(by === 'before_id' ? 'after_id' : 'before_id') : rows
}

/** Ids are decimal numbers that rise with time. False where they are none. */
function isLater(id: string, than: string): boolean {
  return isDecimal(id) && isDecimal(than) && compareDecimals(id, than) > 0
}

function creation(target: CozeTarget) {
  return {
    call: 'create-conversation',
    target,
    method: 'POST',
    path: '/v1/conversation/create',
    read: readConversation,
  } as const
}

/** Studio answers a look-up under a name of its own. */
function readConversation({ body, logId }: CozeAnswer): CozeConversation {
  const found = findObject(body, 'data') ?? findObject(body, 'ConversationData')
  const id = found && findId(found, 'id')
  if (id !== undefined) return { id, logId }
  throw new CozeError('protocol', 'a conversation lacks its id', { accepted: 'yes', logId })
}

/** The rows of a list, which Studio has under `Messages` for one chat; undefined: there is no list. */
export function readMessages({ body, logId }: CozeAnswer): readonly CozeMessage[] | undefined {
  const rows: unknown = body['data'] ?? body['Messages'] ?? undefined
  if (rows === undefined) return undefined
  if (!Array.isArray(rows)) throw malformed()
  return rows.map((row: unknown) => {
    if (!isJsonObject(row)) throw malformed()
    const id = findId(row, 'id')
    const conversationId = findId(row, 'conversation_id')
    if (id === undefined || conversationId === undefined) throw malformed()
    const { role } = row
    return {
      id,
      conversationId,
      chatId: findId(row, 'chat_id'),
      role: role === 'user' || role === 'assistant' ? role : 'other',
      type: findString(row, 'type') ?? '',
      contentType: findString(row, 'content_type') ?? 'text',
      text: findString(row, 'content') ?? '',
      metaData: readMetaData(findObject(row, 'meta_data') ?? {}),
      usage: decodeMessageUsage(row),
      createdAt: readSeconds(row['created_at']),
    }
  })

  function malformed() {
    return new CozeError('protocol', 'a list of messages is malformed', { accepted: 'yes', logId })
  }
}

function readMetaData(from: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(from).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Seconds, as a number or as text (docs/coze-platform.md#hosts-and-envelopes). */
function readSeconds(value: unknown): number | null {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0
    ? seconds * 1000
    : null
}

/** What the session thinks of one of its answers (docs/coze-platform.md#conversations-messages-files). */
export interface UpstreamFeedback {
  readonly type: 'like' | 'unlike'
  /** At most 10 of 30 characters. */
  readonly reasons: readonly string[]
  /** At most 250 characters. */
  readonly comment: string | undefined
}

export interface AnswerReference {
  readonly conversationId: string
  readonly messageId: string
}

/** Rates an answer, in place of what was said of it before. */
export async function giveFeedback(
  client: CozeClient,
  target: CozeTarget,
  answer: AnswerReference,
  feedback: UpstreamFeedback,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    feedback_type: feedback.type,
    reason_types: feedback.reasons.length === 0 ? undefined : feedback.reasons,
    comment: feedback.comment,
  }
  const call = 'give-feedback'
  const path = feedbackPath(answer)
  await client.request({ call, target, method: 'POST', path, body, read: () => undefined }, signal)
}

export async function withdrawFeedback(
  client: CozeClient,
  target: CozeTarget,
  answer: AnswerReference,
  signal: AbortSignal,
): Promise<void> {
  const call = 'withdraw-feedback'
  const path = feedbackPath(answer)
  await client.request({ call, target, method: 'DELETE', path, read: () => undefined }, signal)
}

function feedbackPath({ conversationId, messageId }: AnswerReference): string {
  const conversation = encodeURIComponent(conversationId)
  return `/v1/conversations/${conversation}/messages/${encodeURIComponent(messageId)}/feedback`
}
