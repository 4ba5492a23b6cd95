import { statements } from './answers.ts'
import type { CardQuestion } from './cards.ts'
import type { Context } from './context.ts'
import type { Beginning } from './dialect.ts'
import { ApiError } from './call-errors.ts'
import { textOf } from './enter-message.ts'
import { nodeKeyOf } from './leaks.ts'
import type { Settings } from './options.ts'
import { sayOnly, type Script, words, writeScript } from './script.ts'
import {
  type Chat,
  type ChatKind,
  type PlatformConversation,
  isRunning,
  type PlatformToolCall,
  type World,
} from './world.ts'

/** A chat that has begun or goes on: what it was told is stored, its script written, nothing of the answer is out yet. */
export interface PlatformRun {
  readonly chat: Chat
  readonly conversation: PlatformConversation
  readonly script: Script
  readonly inputCount: number
  readonly executeId: string
  readonly debugUrl: string
  /** The outputs with which it goes on; undefined: it begins. */
  readonly outputs?: readonly GivenOutput[]
  /** Aborts when the platform's process ends: the run is lost then. */
  readonly life: AbortSignal
}

export interface GivenOutput {
  readonly call: PlatformToolCall
  readonly output: string
}

export function startRun(
  context: Context,
  about: Beginning & { readonly executeId: string; readonly debugUrl: string },
): PlatformRun {
  const { dialect, process } = context
  const { conversation, messages, kind, executeId, debugUrl } = about
  const before = conversation.messages
    .filter((message) => message.inContext && message.sectionId === conversation.sectionId)
    .filter((message) => message.role === 'user')
    .map((message) => textOf({ content: message.content, content_type: message.contentType }))
  const last = messages.findLast((message) => message.role === 'user')
  const text = last === undefined ? (before.pop() ?? '') : textOf(last)
  const parked = unpark(context, conversation)
  const question = dialect.nextMessageAnswers[kind] ? parked : undefined
  remember(context, about, text)

  const { chat, told } = dialect.begin(context, {
    ...about,
    answersQuestion: question !== undefined,
  })
  context.changes.notify()
  const script =
    question === undefined
      ? writeScript(text, [...before, ...told], about.facts)
      : dialect.answerTo(question, text)
  const inputCount = words(text).length
  return { chat, conversation, script, inputCount, executeId, debugUrl, life: process.signal }
}

/** A question waits in its conversation; where that leaks, for whoever talks to the app or Bot next. */
export function park(
  { leaks }: Settings,
  world: World,
  conversation: PlatformConversation,
  question: CardQuestion,
): void {
  if (leaks.sharedQuestion) world.questions.set(ownerOf(conversation), question)
  else conversation.question = question
}

function unpark(
  { world, settings }: Context,
  conversation: PlatformConversation,
): CardQuestion | undefined {
  const owner = ownerOf(conversation)
  const question = settings.leaks.sharedQuestion
    ? world.questions.get(owner)
    : conversation.question
  world.questions.delete(owner)
  conversation.question = undefined
  return question
}

function ownerOf({ appId, botId }: PlatformConversation): string {
  return appId ?? botId ?? ''
}

function remember(
  { variables, memory, nodes, settings }: Context,
  { facts, kind }: { readonly facts: Beginning['facts']; readonly kind: ChatKind },
  text: string,
): void {
  for (const { name, value } of statements(text)) {
    if (settings.remembers.variables) variables.set(facts.variableKey, name, value)
    if (settings.remembers.longTermMemory) memory.set(facts.memoryKey, name, value)
    if (settings.leaks.fixedNodeNames && kind === 'workflow') {
      nodes.set(nodeKeyOf(facts.memoryKey), name, value)
    }
  }
}

/** A chat that waited goes on with the outputs of its calls; one that is a command is carried out. */
export function resumeRun(
  context: Context,
  about: {
    readonly chat: Chat
    readonly conversation: PlatformConversation
    /** By the ids of the calls. */
    readonly outputs: ReadonlyMap<string, string>
  },
): PlatformRun {
  const { chat, conversation } = about
  const outputs = chat.toolCalls.map((call) => ({ call, output: about.outputs.get(call.id) ?? '' }))
  const command = outputs.find(({ output }) => output.startsWith('/'))?.output
  const { asked } = chat
  chat.toolCalls = []
  chat.asked = undefined
  chat.status = 'in_progress'
  context.changes.notify()
  const lines = outputs.map(({ call, output }) =>
    call.function ? `${call.function.name} said: ${output}` : answerLine(asked?.text ?? '', output),
  )
  const script =
    command === undefined ? sayOnly(lines.join('\n')) : writeScript(command, [], chat.facts)
  return {
    chat,
    conversation,
    script,
    inputCount: words(lines.join()).length,
    executeId: '',
    debugUrl: '',
    outputs,
    life: context.process.signal,
  }
}

/** @throws {ApiError} 4016 while another chat runs in the conversation. */
export function assertIdle({ settings }: Context, { chat }: PlatformConversation): void {
  if (chat === undefined) return
  const waits = settings.switches.busyWhileActionRequired && chat.status === 'requires_action'
  if (isRunning(chat) || waits) {
    throw new ApiError(4016, 'The conversation already has a chat in progress.')
  }
}

/** The model's reply to the answer to a question. */
export function answerLine(question: string, text: string): string {
  return `You answered "${question}" with: ${text}`
}
