import type { Context } from './dialect.ts'
import { ApiError } from './errors.ts'
import { replyToAnswer, statements, words } from './model/answers.ts'
import type { ChatQuestion } from './model/cards.ts'
import { sayOnly, type Script, writeScript } from './model/script.ts'
import { collectModelInput, type RequestData } from './model-input.ts'
import type { Settings } from './options.ts'
import { textOf } from './request.ts'
import { memoryKey, sharedKey, variableKey, type VariableKey } from './storage/ownership.ts'
import {
  type Chat,
  type ChatKind,
  isRunning,
  type NewChat,
  type PlatformConversation,
  type PlatformToolCall,
  type Records,
} from './storage/records.ts'

/** A chat that begins or is resumed. Its request is stored and its script written; nothing of the answer is sent yet. */
export interface PlatformRun {
  readonly chat: Chat
  readonly conversation: PlatformConversation
  readonly script: Script
  readonly inputCount: number
  /** The outputs with which a chat is resumed. Undefined: it begins. */
  readonly outputs?: readonly GivenOutput[]
  /** Aborts when the platform's process ends: the run is lost then. */
  readonly processEnd: AbortSignal
}

export interface GivenOutput {
  readonly call: PlatformToolCall
  readonly output: string
}

/** @throws {ApiError} 4000 for a file that is not there. */
export function startRun(
  context: Context,
  conversation: PlatformConversation,
  data: RequestData,
  about: Omit<NewChat, 'owner' | 'modelInput' | 'variableKey'>,
): PlatformRun {
  const { dialect, settings } = context
  const { messages, user } = data
  const modelInput = collectModelInput(context, data, about.metaData)
  const before = conversation.messages
    .filter((message) => message.isInContext && message.sectionId === conversation.sectionId)
    .filter((message) => message.role === 'user')
    .map((message) => textOf({ content: message.content, content_type: message.contentType }))
  const last = messages.findLast((message) => message.role === 'user')
  const text = last === undefined ? (before.pop() ?? '') : textOf(last)
  const asked = takeQuestion(context, conversation)
  const question = dialect.nextMessageAnswers[about.kind] ? asked : undefined
  remember(context, user, about.kind, text)

  const { chat, earlier } = dialect.openChat(
    context,
    conversation,
    { ...about, owner: user.owner, modelInput, variableKey: variableKey(user, settings) },
    { messages, answersQuestion: question !== undefined },
  )
  context.changes.notify()
  const script =
    question === undefined
      ? writeScript(text, [...before, ...earlier], modelInput)
      : dialect.replyToAnswer(question, text)
  const inputCount = words(text).length
  return { chat, conversation, script, inputCount, processEnd: context.processEnd() }
}

/** Stores a question for the next message: of its conversation, or of anybody to the app or Bot where that leaks. */
export function storeQuestion(
  { leaks }: Settings,
  records: Records,
  conversation: PlatformConversation,
  question: ChatQuestion,
): void {
  if (leaks.sharedQuestion) records.sharedQuestions.set(targetOf(conversation), question)
  else conversation.question = question
}

function takeQuestion(
  { records, settings }: Context,
  conversation: PlatformConversation,
): ChatQuestion | undefined {
  const target = targetOf(conversation)
  const question = settings.leaks.sharedQuestion
    ? records.sharedQuestions.get(target)
    : conversation.question
  records.sharedQuestions.delete(target)
  conversation.question = undefined
  return question
}

function targetOf({ appId, botId }: PlatformConversation): string {
  return appId ?? botId ?? ''
}

/** Keeps what the user states, where the model keeps it beside the conversation. */
function remember(
  { variables, memory, nodeMemory, settings }: Context,
  user: VariableKey,
  kind: ChatKind,
  text: string,
): void {
  const { remembers, leaks } = settings
  for (const { name, value } of statements(text)) {
    if (remembers.variables) variables.set(variableKey(user, settings), name, value)
    if (remembers.longTermMemory) memory.set(memoryKey(user, settings), name, value)
    if (leaks.fixedNodeNames && kind === 'workflow') nodeMemory.set(sharedKey(user), name, value)
  }
}

/** Resumes a chat with the outputs of its tool calls. An output that is a command is carried out. */
export function resumeRun(
  context: Context,
  chat: Chat,
  conversation: PlatformConversation,
  outputsById: ReadonlyMap<string, string>,
): PlatformRun {
  const outputs = chat.toolCalls.map((call) => ({ call, output: outputsById.get(call.id) ?? '' }))
  const command = outputs.find(({ output }) => output.startsWith('/'))?.output
  const { question } = chat
  chat.toolCalls = []
  chat.question = undefined
  chat.status = 'in_progress'
  context.changes.notify()
  const lines = outputs.map(({ call, output }) =>
    call.function
      ? `${call.function.name} said: ${output}`
      : replyToAnswer(question?.text ?? '', output),
  )
  const script =
    command === undefined ? sayOnly(lines.join('\n')) : writeScript(command, [], chat.modelInput)
  return {
    chat,
    conversation,
    script,
    inputCount: words(lines.join()).length,
    outputs,
    processEnd: context.processEnd(),
  }
}

/** @throws {ApiError} 4016 while another chat runs in the conversation. */
export function assertIdle({ settings }: Context, { latestChat }: PlatformConversation): void {
  if (latestChat === undefined) return
  const waits = settings.switches.busyWhileActionRequired && latestChat.status === 'requires_action'
  if (isRunning(latestChat) || waits) {
    throw new ApiError(4016, 'The conversation already has a chat in progress.')
  }
}
