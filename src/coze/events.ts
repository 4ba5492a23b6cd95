import type { ToolCall } from '../domain.ts'
import { type CozeErrorDetails, CozeError, createUpstreamError } from './errors.ts'
import { findCode, findId, findObject, findString, type JsonObject, parseObject } from './json.ts'
import { isJsonObject } from '../lib/json-object.ts'
import { decodeToolCalls } from './tool-calls.ts'

export interface CozeUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
}

/** Which run an event belongs to. Always present and never `""` or `"0"`: their absence is a protocol error. */
export interface ChatIds {
  readonly chatId: string
  readonly conversationId: string
}

/** `text` on the wire; others (`object_string`, `card`, `audio`) are passed on for the strategy to judge. */
export type ContentType = string

/** A piece of an answer message, or of the thinking before it. */
export interface CozeDelta extends ChatIds {
  readonly type: 'delta'
  readonly messageId: string
  readonly kind: 'ANSWER' | 'REASONING'
  readonly contentType: ContentType
  readonly text: string
}

/** What an upstream chat says, in either dialect (docs/coze-platform.md#events-of-a-workflow). Events that carry no ids carry no text. */
export type CozeEvent =
  | ({ readonly type: 'created' | 'in-progress' } & ChatIds)
  | CozeDelta
  /** The whole of one answer message: repeats its deltas. */
  | ({
      readonly type: 'answer'
      readonly messageId: string
      readonly contentType: ContentType
      readonly text: string
      /** Tokens of the whole run, where the platform says so here: Studio's Bots say it nowhere else. */
      readonly usage?: CozeUsage
    } & ChatIds)
  /** The platform's note that the answer is whole: no more of it follows. */
  | ({ readonly type: 'answer-finished' } & ChatIds)
  /** Any other message that is not for users (the platform's notes, tool calls): only whose it is counts. */
  | ({ readonly type: 'other' } & ChatIds)
  /** A tool that the assistant called, or what it returned: not for users either. */
  | ({ readonly type: 'tool-output' } & ChatIds)
  /** A piece of speech, which is not kept. May come after the chat's end as well (docs/coze-platform.md#bot-chat). */
  | ({ readonly type: 'audio' } & ChatIds)
  | ({ readonly type: 'follow-up'; readonly messageId: string; readonly text: string } & ChatIds)
  | ({ readonly type: 'completed'; readonly usage: CozeUsage | null } & ChatIds)
  | ({ readonly type: 'requires-action'; readonly toolCalls: readonly ToolCall[] } & ChatIds)
  | ({ readonly type: 'cancelled' } & ChatIds)
  | ({ readonly type: 'failed'; readonly error: CozeError } & ChatIds)
  /** The stream itself failed. Terminal. */
  | { readonly type: 'error'; readonly error: CozeError }
  /** The end of the stream, after its terminal event. */
  | { readonly type: 'done' }

/** What an event means beyond its own bytes: whose call it answers, and whether a chat has been heard of. */
export type EventContext = Pick<CozeErrorDetails, 'logId' | 'accepted'>

export type FrameKind = 'chat' | 'message' | 'audio' | 'error' | 'done' | 'unknown'

/** What a frame is, by its name alone. */
export function frameKind(name: string): FrameKind {
  switch (name) {
    case 'conversation.message.delta':
    case 'conversation.message.completed':
      return 'message'
    case 'conversation.audio.delta':
      return 'audio'
    case 'error':
      return 'error'
    case 'done':
    case 'conversation.stream.done':
      return 'done'
    default:
      return chatTypes.has(name) ? 'chat' : 'unknown'
  }
}

/**
 * Appends what a frame says to `into`: two deltas where thinking and answer
 * come together.
 *
 * @throws CozeError `protocol` for broken JSON or a missing id
 */
export function decodeFrame(
  name: string,
  data: string,
  context: EventContext,
  into: CozeEvent[],
): void {
  switch (name) {
    case 'conversation.message.delta':
      decodeDelta(parse(data, context), context, into)
      return
    case 'conversation.message.completed':
      decodeMessage(parse(data, context), context, into)
      return
    case 'conversation.audio.delta':
      into.push({ type: 'audio', ...chatIds(parse(data, context), context) })
      return
    case 'error':
      into.push({ type: 'error', error: decodeError(data, context) })
      return
    case 'done':
    case 'conversation.stream.done':
      into.push({ type: 'done' })
      return
    default: {
      const type = chatTypes.get(name)
      if (type !== undefined) into.push(decodeChat(type, parse(data, context), context))
    }
  }
}

type ChatType = Exclude<
  Extract<CozeEvent, { conversationId: string; messageId?: never }>['type'],
  'other' | 'audio' | 'tool-output' | 'answer-finished'
>

/** The cloud and Studio spell cancelled differently (docs/coze-platform.md#studio-on-the-wire). */
const chatTypes: ReadonlyMap<string, ChatType> = new Map([
  ['conversation.chat.created', 'created'],
  ['conversation.chat.in_progress', 'in-progress'],
  ['conversation.chat.completed', 'completed'],
  ['conversation.chat.failed', 'failed'],
  ['conversation.chat.requires_action', 'requires-action'],
  ['conversation.chat.canceled', 'cancelled'],
  ['conversation.chat.cancelled', 'cancelled'],
])

/** Every piece of text passes here: no intermediate objects. */
function decodeDelta(message: JsonObject, context: EventContext, into: CozeEvent[]) {
  if (message['type'] !== 'answer') {
    into.push({ type: 'other', ...chatIds(message, context) })
    return
  }
  const messageId = requireId(message, 'id', context)
  const chatId = requireId(message, 'chat_id', context)
  const conversationId = requireId(message, 'conversation_id', context)
  const reasoning = message['reasoning_content']
  if (typeof reasoning === 'string' && reasoning !== '') {
    into.push({
      type: 'delta',
      chatId,
      conversationId,
      messageId,
      kind: 'REASONING',
      contentType: 'text',
      text: reasoning,
    })
  }
  const text = message['content']
  if (typeof text !== 'string' || text === '') return
  const contentType = findString(message, 'content_type') ?? 'text'
  into.push({ type: 'delta', chatId, conversationId, messageId, kind: 'ANSWER', contentType, text })
}

function decodeMessage(message: JsonObject, context: EventContext, into: CozeEvent[]) {
  const type = message['type']
  const text = findString(message, 'content') ?? ''
  if (type === 'answer') {
    const contentType = findString(message, 'content_type') ?? 'text'
    const usage = decodeMessageUsage(message)
    const ids = messageIds(message, context)
    into.push({ type: 'answer', ...ids, contentType, text, ...(usage !== null && { usage }) })
  } else if (type === 'follow_up') {
    into.push({ type: 'follow-up', ...messageIds(message, context), text })
  } else {
    into.push({ type: noteType(type, text), ...chatIds(message, context) })
  }
}

function noteType(type: unknown, text: string): 'tool-output' | 'answer-finished' | 'other' {
  if (typeof type === 'string' && toolMessages.has(type)) return 'tool-output'
  return type === 'verbose' && isFinishNote(text) ? 'answer-finished' : 'other'
}

/** Messages of tools: the platform writes the last one both ways. */
export const toolMessages: ReadonlySet<string> = new Set([
  'function_call',
  'tool_output',
  'tool_response',
])

/** Whether the text of a `verbose` message says that the answer is whole. */
export function isFinishNote(text: string): boolean {
  return parseObject(text)?.['msg_type'] === 'generate_answer_finish'
}

function decodeChat(type: ChatType, chat: JsonObject, context: EventContext): CozeEvent {
  const ids = {
    chatId: requireId(chat, 'id', context),
    conversationId: requireId(chat, 'conversation_id', context),
  }
  if (type === 'completed') return { type, ...ids, usage: decodeUsage(chat) }
  if (type === 'failed') return { type, ...ids, error: decodeLastError(chat, context.logId) }
  if (type === 'requires-action') {
    return { type, ...ids, toolCalls: decodeToolCalls(chat, context) }
  }
  return { type, ...ids }
}

/** Why a chat failed. A chat that failed had been accepted. */
export function decodeLastError(chat: JsonObject, logId: string | undefined): CozeError {
  const lastError = findObject(chat, 'last_error') ?? {}
  return createUpstreamError({
    upstreamCode: findCode(lastError, 'code'),
    logId,
    accepted: 'yes',
    text: findString(lastError, 'msg'),
  })
}

export function decodeUsage(chat: JsonObject): CozeUsage | null {
  const usage = chat['usage']
  if (!isJsonObject(usage)) return null
  const { input_count: input, output_count: output, token_count: total } = usage
  return isCount(input) && isCount(output) && isCount(total)
    ? { inputTokens: input, outputTokens: output, totalTokens: totalOf(input, output, total) }
    : null
}

/** Studio counts the output twice for the total of a Workflow: a total that is less than its parts is none. */
function totalOf(input: number, output: number, total: number): number {
  return Math.min(maxCount, Math.max(total, input + output))
}

/** The usage of a run, as Studio writes it into the `meta_data` of an answer: counts as texts. */
export function decodeMessageUsage(message: JsonObject): CozeUsage | null {
  const {
    input_tokens: input,
    output_tokens: output,
    token: total,
  } = findObject(message, 'meta_data') ?? {}
  const [inputTokens, outputTokens, totalTokens] = [input, output, total].map((count) =>
    typeof count === 'string' && /^\d+$/.test(count) ? Number(count) : undefined,
  )
  return isCount(inputTokens) && isCount(outputTokens) && isCount(totalTokens)
    ? { inputTokens, outputTokens, totalTokens }
    : null
}

/** As our own contract can tell it: a GraphQL Int, and not less than nothing. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= maxCount
}

const maxCount = 2 ** 31 - 1

/** The data of an error may be `{}` or bare text (docs/coze-platform.md#streams), which hold no code. */
function decodeError(data: string, context: EventContext): CozeError {
  const body = parseObject(data) ?? {}
  return createUpstreamError({
    ...context,
    upstreamCode: findCode(body, 'code') ?? findCode(body, 'error_code'),
    text: findString(body, 'msg'),
  })
}

function parse(data: string, context: EventContext): JsonObject {
  const value = parseObject(data)
  if (value === undefined)
    throw new CozeError('protocol', 'an event is not JSON that can be read', context)
  return value
}

function messageIds(message: JsonObject, context: EventContext) {
  return { messageId: requireId(message, 'id', context), ...chatIds(message, context) }
}

function chatIds(message: JsonObject, context: EventContext): ChatIds {
  return {
    chatId: requireId(message, 'chat_id', context),
    conversationId: requireId(message, 'conversation_id', context),
  }
}

function requireId(from: JsonObject, key: string, context: EventContext): string {
  const id = findId(from, key)
  if (id === undefined) throw new CozeError('protocol', `an event lacks a usable ${key}`, context)
  return id
}
