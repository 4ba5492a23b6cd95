import type { ToolCall, ToolOutput } from '../domain.ts'
import type {
  CozeClient,
  CozeTarget,
  StreamListener,
  StreamTimeouts,
  TakeCozeEvents,
} from './client.ts'
import { type EnterMessage, enterMessage } from './message-content.ts'
import type { CozeAnswer } from './envelope.ts'
import { type CozeMessage, readMessages } from './conversations.ts'
import { CozeError } from './errors.ts'
import { type ChatIds, type CozeUsage, decodeLastError, decodeUsage } from './events.ts'
import { findId, findObject } from './json.ts'
import { decodeToolCalls } from './tool-calls.ts'

export interface BotChatRequest {
  readonly botId: string
  readonly conversationId: string
  /** Keys variables and databases. */
  readonly userId: string
  /** Oldest first; the last one is the user's. At most 100. */
  readonly messages: readonly EnterMessage[]
  readonly customVariables?: Readonly<Record<string, string>> | undefined
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  readonly metaData?: Readonly<Record<string, string>> | undefined
  /** For plug-ins and Workflows; Studio returns them as the `meta_data` of every message of the run. */
  readonly extraParams?: Readonly<Record<string, string>> | undefined
  readonly connectorId?: string | undefined
  readonly timeouts: StreamTimeouts
  readonly listener?: StreamListener | undefined
}

export interface ToolOutputsRequest extends ChatIds {
  /** One for each call that the chat waits for. */
  readonly outputs: readonly ToolOutput[]
  readonly connectorId?: string | undefined
  readonly timeouts: StreamTimeouts
  readonly listener?: StreamListener | undefined
}

export type CozeChatStatus =
  | 'created'
  | 'in-progress'
  | 'completed'
  | 'failed'
  | 'requires-action'
  | 'cancelled'

export interface CozeChat extends ChatIds {
  readonly status: CozeChatStatus
  /** Why it failed; present exactly when `status` is `failed`. */
  readonly error: CozeError | undefined
  /** What it waits for; empty unless `status` is `requires-action`. */
  readonly toolCalls: readonly ToolCall[]
  readonly usage: CozeUsage | null
}

/** Runs a Bot and streams what it says. */
export function streamBotChat(
  client: CozeClient,
  target: CozeTarget,
  request: BotChatRequest,
  take: TakeCozeEvents,
  signal: AbortSignal,
): Promise<void> {
  return client.stream(
    {
      call: 'bot-chat',
      target,
      path: '/v3/chat',
      // In the body the platform ignores it silently, and opens a new conversation (docs/coze-platform.md#bot-chat).
      query: { conversation_id: request.conversationId },
      body: {
        bot_id: request.botId,
        user_id: request.userId,
        stream: true,
        auto_save_history: true,
        additional_messages: request.messages.map(enterMessage),
        custom_variables: request.customVariables,
        parameters: request.parameters,
        meta_data: request.metaData,
        extra_params: request.extraParams,
        connector_id: request.connectorId,
      },
      timeouts: request.timeouts,
      listener: request.listener,
    },
    take,
    signal,
  )
}

/** Answers what a chat asked of its client, and streams how it goes on (docs/coze-platform.md#bot-chat). */
export function streamToolOutputs(
  client: CozeClient,
  target: CozeTarget,
  request: ToolOutputsRequest,
  take: TakeCozeEvents,
  signal: AbortSignal,
): Promise<void> {
  return client.stream(
    {
      call: 'tool-outputs',
      target,
      path: '/v3/chat/submit_tool_outputs',
      query: { conversation_id: request.conversationId, chat_id: request.chatId },
      body: {
        tool_outputs: request.outputs.map(({ toolCallId, output }) => ({
          tool_call_id: toolCallId,
          output,
        })),
        // The platform's default is not to (docs/coze-platform.md#bot-chat).
        stream: true,
        connector_id: request.connectorId,
      },
      timeouts: request.timeouts,
      listener: request.listener,
    },
    take,
    signal,
  )
}

/** The chat's present state. */
export async function retrieveBotChat(
  client: CozeClient,
  target: CozeTarget,
  ids: ChatIds,
  signal: AbortSignal,
): Promise<CozeChat> {
  const query = { conversation_id: ids.conversationId, chat_id: ids.chatId }
  const path = '/v3/chat/retrieve'
  const call = 'retrieve-chat'
  return await client.request({ call, target, method: 'GET', path, query, read: readChat }, signal)
}

/** Everything a chat said; on Studio the question as well. Undefined: the answer holds no list. */
export async function listBotChatMessages(
  client: CozeClient,
  target: CozeTarget,
  ids: ChatIds,
  signal: AbortSignal,
): Promise<readonly CozeMessage[] | undefined> {
  const query = { conversation_id: ids.conversationId, chat_id: ids.chatId }
  const path = '/v3/chat/message/list'
  const call = 'list-chat-messages'
  const rows = { call, target, method: 'GET', path, query, read: readMessages } as const
  return await client.request(rows, signal)
}

/**
 * Tells the upstream to cancel: it neither stops the stream nor the bill (docs/coze-platform.md#bot-chat).
 *
 * @throws CozeError with the upstream code `4104`, or `103200005` of Studio, for a chat that is not running
 */
export async function cancelBotChat(
  client: CozeClient,
  target: CozeTarget,
  ids: ChatIds,
  signal: AbortSignal,
): Promise<CozeChat> {
  const body = { conversation_id: ids.conversationId, chat_id: ids.chatId }
  const path = '/v3/chat/cancel'
  const call = 'cancel-chat'
  return await client.request({ call, target, method: 'POST', path, body, read: readChat }, signal)
}

/** The wire's spellings. Studio writes a cancelled chat like the event that tells of it. */
const statuses: ReadonlyMap<unknown, CozeChatStatus> = new Map([
  ['created', 'created'],
  ['in_progress', 'in-progress'],
  ['completed', 'completed'],
  ['failed', 'failed'],
  ['requires_action', 'requires-action'],
  ['required_action', 'requires-action'],
  ['canceled', 'cancelled'],
  ['cancelled', 'cancelled'],
  ['conversation.chat.canceled', 'cancelled'],
  ['conversation.chat.cancelled', 'cancelled'],
])

/** Studio answers a cancel under a name of its own. */
function readChat({ body, logId }: CozeAnswer): CozeChat {
  const chat = findObject(body, 'data') ?? findObject(body, 'ChatV3ChatDetail') ?? {}
  const chatId = findId(chat, 'id')
  const conversationId = findId(chat, 'conversation_id')
  const status = statuses.get(chat['status'])
  if (chatId === undefined || conversationId === undefined || status === undefined) {
    throw new CozeError('protocol', 'a chat lacks its ids or status', { accepted: 'yes', logId })
  }
  return {
    chatId,
    conversationId,
    status,
    error: status === 'failed' ? decodeLastError(chat, logId) : undefined,
    toolCalls:
      status === 'requires-action' ? decodeToolCalls(chat, { accepted: 'yes', logId }) : [],
    usage: decodeUsage(chat),
  }
}
