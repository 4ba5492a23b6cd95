import type { ChatProtocol } from '../dialect.ts'
import type { NamedEvent } from '../event-stream.ts'
import type { Settings } from '../options.ts'
import {
  type Chat,
  type ChatKind,
  type ChatStatus,
  isRunning,
  type PlatformMessage,
} from '../storage/records.ts'

const finishNote =
  '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"FinData\\":\\"\\"}","from_module":null,"from_unit":null}'

export function createCloudProtocol(chat: Chat, { switches }: Settings): ChatProtocol {
  const { doneAfterError, resumedStreamBegins, canceledEnding } = switches
  const isBot = chat.kind === 'bot'
  const debug = JSON.stringify({ debug_url: chat.debugUrl }).replaceAll('&', '\\u0026')
  const doneEvent = { name: 'done', data: isBot ? '"[DONE]"' : debug }
  const chatEvent = (name: string, status: ChatStatus): NamedEvent => ({
    name: `conversation.chat.${name}`,
    data: cloudChatView({ ...chat, status }),
  })

  return {
    sendsReasoning: true,
    sendsAudio: true,
    toolCallError: isBot ? undefined : { code: 4000, msg: 'No client plugin in a workflow chat.' },
    finishNote,
    messageMetaData: () => ({}),
    firstEvents(isResumed) {
      const inProgress = chatEvent('in_progress', 'in_progress')
      if (!isResumed) return [chatEvent('created', 'created'), inProgress]
      return resumedStreamBegins === 'in_progress' ? [inProgress] : []
    },
    deltaEvent: (message, piece) => ({
      name: 'conversation.message.delta',
      data: deltaView(message, piece),
    }),
    completedEvent: (message) => ({
      name: 'conversation.message.completed',
      data: completedView(message, chat.kind),
    }),
    questionEnd: { status: 'requires_action' },
    /** A cancelled chat stays cancelled, whatever its stream shows. */
    end(wanted) {
      if (isRunning(chat)) return { kept: wanted, shown: wanted }
      const shown = canceledEnding === 'none' ? undefined : canceledEnding
      return { kept: chat.status, shown }
    },
    endEvent: (shown) => chatEvent(shown, shown),
    statusAfterFailure: () => (isRunning(chat) ? 'failed' : chat.status),
    /** The code of an error event is a string in a Workflow's stream, a number in a Bot's. */
    failureEvents(kind, { code, msg }) {
      const error = isBot ? { code, msg } : { code: String(code), msg, debug_url: chat.debugUrl }
      const event =
        kind === 'fail' ? chatEvent('failed', chat.status) : { name: 'error', data: error }
      return doneAfterError ? [event, doneEvent] : [event]
    },
    doneEvent,
  }
}

/** A chat as the cloud shows it. Fields that are `undefined` are absent on the wire, here and below. */
export function cloudChatView(chat: Chat): object {
  const hasMetaData = Object.keys(chat.metaData).length > 0
  return {
    id: chat.id,
    conversation_id: chat.conversationId,
    bot_id: chat.botId,
    created_at: chat.createdAt,
    completed_at: chat.completedAt,
    failed_at: chat.failedAt,
    meta_data: hasMetaData ? chat.metaData : undefined,
    last_error: chat.lastError,
    status: chat.status,
    usage: chat.usage,
    section_id: chat.sectionId,
    required_action:
      chat.toolCalls.length > 0
        ? { type: 'submit_tool_outputs', submit_tool_outputs: { tool_calls: chat.toolCalls } }
        : undefined,
  }
}

/** A delta carries neither meta data nor, as a rule, times. */
function deltaView(
  message: PlatformMessage,
  piece: { readonly content: string; readonly reasoning_content?: string },
): object {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    bot_id: message.botId,
    role: message.role,
    type: message.type,
    ...piece,
    content_type: message.contentType,
    chat_id: message.chatId,
    section_id: message.sectionId,
  }
}

/** The end of a message in a stream has the whole text and the times. It repeats no meta data. */
function completedView(message: PlatformMessage, kind: ChatKind): object {
  const hasUpdate = kind === 'bot' || message.type === 'verbose'
  return {
    ...deltaView(message, { content: message.content }),
    reasoning_content: message.reasoningContent,
    created_at: message.createdAt,
    updated_at: hasUpdate ? message.updatedAt : undefined,
  }
}
