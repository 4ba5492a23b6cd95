import type { ChatProtocol } from '../dialect.ts'
import type { NamedEvent } from '../event-stream.ts'
import type {
  Chat,
  ChatStatus,
  MetaData,
  PlatformMessage,
  PlatformUsage,
} from '../storage/records.ts'

/** Studio's codes of each kind of failure. */
const modelFailed = 103_200_002
const runFailed = 103_100_001
const flowFailed = 720_701_013

const noTools = { code: modelFailed, msg: 'no call takes the outputs of functions' }

export function createStudioProtocol(chat: Chat): ChatProtocol {
  return chat.kind === 'bot' ? botProtocol(chat) : workflowProtocol(chat)
}

function botProtocol(chat: Chat): ChatProtocol {
  const chatEvent = (name: string, status: string): NamedEvent => ({
    name: `conversation.chat.${name}`,
    data: studioChatView(chat, status),
  })
  const doneEvent = { name: 'conversation.stream.done', data: '' }
  return {
    sendsReasoning: true,
    sendsAudio: false,
    toolCallError: noTools,
    finishNote: verbose('generate_answer_finish', '{"finish_reason":0,"fin_data":""}'),
    messageMetaData: (usage) => ({
      ...chat.messageMetaData,
      bot_state: botState(chat.botId ?? ''),
      ...(usage && usageOf(usage)),
    }),
    // Both events are written once the run is in progress.
    firstEvents: () => [
      chatEvent('created', 'in_progress'),
      chatEvent('in_progress', 'in_progress'),
    ],
    deltaEvent: (message, { content, reasoning_content = '' }) => ({
      name: 'conversation.message.delta',
      data: { ...botMessageView(message, content), reasoning_content },
    }),
    completedEvent: (message) => ({
      name: 'conversation.message.completed',
      data: botMessageView(message),
    }),
    questionEnd: { status: 'completed', note: verbose('interrupt', '{}') },
    // A cancel changes the record only, and the end of the run overwrites it.
    end: (wanted) => ({ kept: wanted, shown: wanted }),
    endEvent: (shown) => chatEvent(shown, shown),
    statusAfterFailure: (kind) => (kind === 'fail' ? 'failed' : 'completed'),
    failureEvents: (kind, { code, msg }) =>
      kind === 'fail'
        ? [{ name: 'error', data: { code: ownCode(code) ?? runFailed, msg } }]
        : [
            { name: 'error', data: { code: ownCode(code) ?? modelFailed, msg } },
            chatEvent('completed', 'completed'),
            doneEvent,
          ],
    doneEvent,
  }
}

function workflowProtocol(chat: Chat): ChatProtocol {
  const { debugUrl } = chat
  return {
    sendsReasoning: false,
    sendsAudio: false,
    toolCallError: noTools,
    finishNote: undefined,
    messageMetaData: () => ({}),
    firstEvents: () => [
      { name: 'conversation.chat.created', data: flowView(chat, 'created') },
      { name: 'conversation.chat.in_progress', data: flowView(chat, 'in_progress') },
    ],
    deltaEvent: (message, { content }) => ({
      name: 'conversation.message.delta',
      data: flowMessageView(message, content),
    }),
    completedEvent: (message) => ({
      name: 'conversation.message.completed',
      data: flowMessageView(message),
    }),
    questionEnd: { status: 'requires_action' },
    end: (wanted) => ({ kept: wanted, shown: wanted }),
    endEvent: (shown) => ({
      name: `conversation.chat.${shown}`,
      data: shown === 'completed' ? completedFlowView(chat) : flowView(chat, shown),
    }),
    statusAfterFailure: () => 'failed',
    failureEvents(_kind, { code, msg }) {
      const own = ownCode(code)
      const text = own === undefined ? `Workflow execution failure: ${msg}` : msg
      const data = { code: String(own ?? flowFailed), msg: text, debug_url: debugUrl }
      return [{ name: 'error', data }]
    },
    doneEvent: { name: 'done', data: { debug_url: debugUrl } },
  }
}

/** Studio's own codes have nine digits. Any other code of a command becomes the code of its kind of failure. */
function ownCode(code: number): number | undefined {
  return String(code).length === 9 ? code : undefined
}

function verbose(kind: string, data: string): string {
  return JSON.stringify({ msg_type: kind, data, from_unit: '' })
}

function botState(botId: string): string {
  return JSON.stringify({ bot_id: botId, agent_name: '', agent_id: botId, awaiting: botId })
}

function usageOf({ input_count, output_count, token_count }: PlatformUsage): MetaData {
  return {
    input_tokens: String(input_count),
    output_tokens: String(output_count),
    time_cost: '0.0',
    token: String(token_count),
  }
}

/** A chat of `/v3/chat`. */
export function studioChatView(chat: Chat, status: string = statusOf(chat.status)): object {
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    bot_id: chat.botId,
    created_at: chat.createdAt,
    completed_at: chat.completedAt ?? 0,
    failed_at: chat.failedAt ?? 0,
    status,
    section_id: chat.sectionId,
  }
}

/** The same for `/v3/chat/retrieve`, with its usage. */
export function retrievedView(chat: Chat): object {
  const { usage } = chat
  return usage.token_count === 0 ? studioChatView(chat) : { ...studioChatView(chat), usage }
}

/** The record of a cancelled chat holds the name of the event. */
function statusOf(status: ChatStatus): string {
  return status === 'canceled' ? 'conversation.chat.cancelled' : status
}

/** A message of `/v3/chat`, in its stream and in its list. */
export function botMessageView(message: PlatformMessage, content = message.content): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content,
    content_type: message.contentType,
    meta_data: isEmpty(message.metaData) ? undefined : message.metaData,
    chat_id: message.chatId,
    section_id: message.sectionId,
    created_at: message.createdAt,
    reasoning_content: message.reasoningContent ?? '',
  }
}

/** A chat of `/v1/workflows/chat`. */
function flowView(chat: Chat, status: string): object {
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    status,
    execute_id: chat.executeId,
    section_id: chat.sectionId,
  }
}

/** The same at the end of the chat: the only event that names the app or Bot. */
function completedFlowView(chat: Chat): object {
  const { input_count, output_count } = chat.usage
  return {
    bot_id: chat.botId,
    // Studio adds the output twice.
    usage: { token_count: output_count + output_count, output_count, input_count },
    ...flowView(chat, 'completed'),
  }
}

function flowMessageView(message: PlatformMessage, content = message.content): object {
  return {
    id: message.id,
    chat_id: message.chatId,
    conversation_id: message.conversationId,
    section_id: message.sectionId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    content_type: message.contentType,
    content,
  }
}

function isEmpty(metaData: MetaData): boolean {
  return Object.keys(metaData).length === 0
}
