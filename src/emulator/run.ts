import { statements } from './answers.ts'
import type { Context } from './context.ts'
import { ApiError } from './errors.ts'
import { checkMetaData, type EnterMessage, keepEntered, textOf } from './enter-message.ts'
import type { Facts } from './facts.ts'
import { type Script, words, writeScript } from './script.ts'
import type { Dialect } from './stream.ts'
import {
  type Chat,
  type Conversation,
  isRunning,
  type MetaData,
  type Principal,
  type ToolCall,
} from './world.ts'

/** A chat that has begun or goes on: what it was told is stored, its script written, nothing of the answer is out yet. */
export interface Run {
  readonly chat: Chat
  readonly conversation: Conversation
  readonly script: Script
  readonly inputCount: number
  readonly debugUrl: string
  /** The outputs with which it goes on; undefined: it begins. */
  readonly outputs?: readonly ToolOutput[]
}

export interface ToolOutput {
  readonly call: ToolCall
  readonly output: string
}

/** @throws {ApiError} 4003 */
export function startRun(
  context: Context,
  about: {
    readonly kind: Dialect
    readonly conversation: Conversation
    readonly owner: Principal
    readonly botId: string | undefined
    readonly metaData: MetaData
    readonly saved: boolean
    readonly messages: readonly EnterMessage[]
    readonly request: unknown
    readonly debugUrl: string
    readonly facts: Facts
    readonly cards: boolean
  },
): Run {
  const { conversation, messages, kind } = about
  for (const message of messages) checkMetaData(message.meta_data ?? {})
  const before = conversation.messages
    .filter((message) => message.inContext && message.sectionId === conversation.sectionId)
    .filter((message) => message.role === 'user')
    .map((message) => textOf({ content: message.content, content_type: message.contentType }))
  const told = messages.filter((message) => message.role === 'user').map(textOf)
  const text = told.pop() ?? before.pop() ?? ''
  const question = unpark(context, conversation)
  remember(context, about.facts, text)

  const chat = context.world.addChat(conversation, about)
  const place = { chatId: chat.id, botId: about.botId }
  for (const message of about.saved ? messages : []) {
    keepEntered(context, conversation, message, place)
  }
  context.changes.notify()

  const script =
    question !== undefined && kind === 'workflow'
      ? sayOnly(answerTo(question, text))
      : writeScript(text, [...before, ...told], about.facts)
  return { chat, conversation, script, inputCount: words(text).length, debugUrl: about.debugUrl }
}

/** A question waits in its conversation; where that leaks, for whoever talks to the app or Bot next. */
export function park({ world, settings }: Context, conversation: Conversation, text: string) {
  if (settings.leaks.sharedQuestion) world.questions.set(ownerOf(conversation), text)
  else conversation.question = text
}

function unpark({ world, settings }: Context, conversation: Conversation): string | undefined {
  const owner = ownerOf(conversation)
  const question = settings.leaks.sharedQuestion
    ? world.questions.get(owner)
    : conversation.question
  world.questions.delete(owner)
  conversation.question = undefined
  return question
}

function ownerOf({ appId, botId }: Conversation): string {
  return appId ?? botId ?? ''
}

function remember({ variables, memory, settings }: Context, facts: Facts, text: string): void {
  for (const { name, value } of statements(text)) {
    if (settings.remembers.variables) variables.set(facts.variableKey, name, value)
    if (settings.remembers.longTermMemory) memory.set(facts.memoryKey, name, value)
  }
}

/** A chat that waited goes on with the outputs of its calls; one that is a command is carried out. */
export function resumeRun(
  context: Context,
  about: {
    readonly chat: Chat
    readonly conversation: Conversation
    /** By the ids of the calls. */
    readonly outputs: ReadonlyMap<string, string>
  },
): Run {
  const { chat, conversation } = about
  const outputs = chat.toolCalls.map((call) => ({ call, output: about.outputs.get(call.id) ?? '' }))
  const command = outputs.find(({ output }) => output.startsWith('/'))?.output
  const { asked } = chat
  chat.toolCalls = []
  chat.asked = undefined
  chat.status = 'in_progress'
  context.changes.notify()
  const lines = outputs.map(({ call, output }) =>
    call.function ? `${call.function.name} said: ${output}` : answerTo(asked ?? '', output),
  )
  const script =
    command === undefined ? sayOnly(lines.join('\n')) : writeScript(command, [], chat.facts)
  return {
    chat,
    conversation,
    script,
    inputCount: words(lines.join()).length,
    debugUrl: '',
    outputs,
  }
}

/** @throws {ApiError} 4016 while another chat runs in the conversation. */
export function assertIdle({ settings }: Context, { chat }: Conversation): void {
  if (chat === undefined) return
  const waits = settings.switches.busyWhileActionRequired && chat.status === 'requires_action'
  if (isRunning(chat) || waits) {
    throw new ApiError(4016, 'The conversation already has a chat in progress.')
  }
}

function sayOnly(text: string): Script {
  return { wordsPerSecond: undefined, steps: [{ kind: 'say', text, reasoning: '' }] }
}

function answerTo(question: string, text: string): string {
  return `You answered "${question}" with: ${text}`
}
