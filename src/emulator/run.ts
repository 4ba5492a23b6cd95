import type { Context } from './context.ts'
import { ApiError } from './errors.ts'
import { checkMetaData, type EnterMessage, keepEntered, textOf } from './enter-message.ts'
import { unixSeconds } from './ids.ts'
import { type Script, words, writeScript } from './script.ts'
import type { Dialect, WireEvent } from './stream.ts'
import { chatView, completedView, deltaView } from './views.ts'
import {
  type Chat,
  type Conversation,
  isRunning,
  type Message,
  type MetaData,
  type Principal,
} from './world.ts'

/** A chat that has begun: its question is stored, its script written, nothing of the answer is out yet. */
export interface Run {
  readonly chat: Chat
  readonly conversation: Conversation
  readonly script: Script
  readonly inputCount: number
  readonly debugUrl: string
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
  const { question } = conversation
  conversation.question = undefined

  const chat = context.world.addChat(conversation, about)
  const place = { chatId: chat.id, botId: about.botId }
  for (const message of about.saved ? messages : []) {
    keepEntered(context, conversation, message, place)
  }
  context.changes.notify()

  const script =
    question !== undefined && kind === 'workflow'
      ? writeScript(`/say You answered "${question}" with: ${text}`, [])
      : writeScript(text, [...before, ...told])
  return { chat, conversation, script, inputCount: words(text).length, debugUrl: about.debugUrl }
}

/** @throws {ApiError} 4016 while another chat runs in the conversation. */
export function assertIdle({ settings }: Context, { chat }: Conversation): void {
  if (chat === undefined) return
  const waits = settings.switches.busyWhileActionRequired && chat.status === 'requires_action'
  if (isRunning(chat) || waits) {
    throw new ApiError(4016, 'The conversation already has a chat in progress.')
  }
}

/**
 * Plays a chat to its end and yields its events (coze-api.md §4.4, §6).
 * State is changed before the event that tells of it is yielded.
 */
export async function* play(run: Run, context: Context): AsyncGenerator<WireEvent> {
  const { chat, conversation, script } = run
  const { clock, ids, lifetime, settings, world, changes } = context
  const pace = createPace(context, script.wordsPerSecond ?? settings.wordsPerSecond)
  const followUps: string[] = []
  let outputCount = 0

  yield { name: 'conversation.chat.created', data: chatView(chat) }
  if (chat.status === 'created') chat.status = 'in_progress'
  yield {
    name: 'conversation.chat.in_progress',
    data: chatView({ ...chat, status: 'in_progress' }),
  }

  for (const step of script.steps) {
    switch (step.kind) {
      case 'say':
        yield* say(step.text, step.reasoning)
        break
      case 'silence':
        await clock.sleep(step.ms, lifetime)
        break
      case 'followUps':
        followUps.push(...step.texts)
        break
      case 'fail':
        yield* fail(step.code, step.msg)
        return
      case 'error':
        yield* breakOff(step.code, step.msg)
        return
      case 'callTool':
        if (chat.kind === 'workflow') yield* breakOff(4000, 'No client plugin in a workflow chat.')
        else yield* callTool(step.name)
        return
      case 'ask':
        yield* ask(step.question)
        return
    }
  }

  const finish =
    '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"FinData\\":\\"\\"}","from_module":null,"from_unit":null}'
  yield keep(draft('verbose', finish))
  for (const text of followUps) yield keep(draft('follow_up', text))
  yield* end('completed')
  yield done()

  /** An unsaved chat's messages exist on the wire only. */
  function keep(message: Message): WireEvent {
    message.inContext = message.type === 'answer' && chat.status !== 'canceled'
    if (chat.saved) world.keepMessage(conversation, message)
    return { name: 'conversation.message.completed', data: completedView(message, chat.kind) }
  }

  function draft(type: string, content: string, reasoningContent?: string): Message {
    const about = { chatId: chat.id, sectionId: chat.sectionId, botId: chat.botId }
    return world.draftMessage(conversation, {
      ...about,
      role: 'assistant',
      type,
      content,
      reasoningContent,
    })
  }

  async function* say(text: string, reasoning: string): AsyncGenerator<WireEvent> {
    const name = 'conversation.message.delta'
    const message = draft('answer', text, reasoning === '' ? undefined : reasoning)
    for (const word of words(reasoning)) {
      await pace()
      yield { name, data: deltaView(message, { content: '', reasoning_content: word }) }
    }
    for (const word of words(text)) {
      await pace()
      outputCount += 1
      yield { name, data: deltaView(message, { content: word }) }
    }
    yield keep(message)
  }

  function* end(status: 'completed' | 'requires_action'): Generator<WireEvent> {
    const input_count = run.inputCount
    chat.usage = {
      token_count: input_count + outputCount,
      output_count: outputCount,
      input_count,
    }
    const ending = settings.switches.canceledEnding
    if (isRunning(chat)) {
      chat.status = status
      if (status === 'completed') chat.completedAt = unixSeconds(clock)
    } else if (ending === 'none') {
      return
    } else if (ending === 'completed') {
      yield {
        name: 'conversation.chat.completed',
        data: chatView({ ...chat, status: 'completed' }),
      }
      return
    }
    changes.notify()
    yield { name: `conversation.chat.${chat.status}`, data: chatView(chat) }
  }

  function done(): WireEvent {
    const debug = JSON.stringify({ debug_url: run.debugUrl }).replaceAll('&', '\\u0026')
    return { name: 'done', data: chat.kind === 'bot' ? '"[DONE]"' : debug }
  }

  function failed(code: number, msg: string) {
    if (isRunning(chat)) chat.status = 'failed'
    chat.failedAt = unixSeconds(clock)
    chat.lastError = { code, msg }
    changes.notify()
  }

  function* fail(code: number, msg: string): Generator<WireEvent> {
    failed(code, msg)
    yield { name: 'conversation.chat.failed', data: chatView(chat) }
    if (settings.switches.doneAfterError) yield done()
  }

  /** The error event: its code is a string in a Workflow's stream, a number in a Bot's. */
  function* breakOff(code: number, msg: string): Generator<WireEvent> {
    failed(code, msg)
    const data =
      chat.kind === 'bot' ? { code, msg } : { code: String(code), msg, debug_url: run.debugUrl }
    yield { name: 'error', data }
    if (settings.switches.doneAfterError) yield done()
  }

  function* callTool(name: string): Generator<WireEvent> {
    const call = { name, arguments: JSON.stringify({ query: 'on demand' }) }
    chat.toolCalls = [{ id: ids.next(), type: 'function', function: call }]
    yield keep(draft('function_call', JSON.stringify(call)))
    yield* end('requires_action')
    yield done()
  }

  async function* ask(question: string): AsyncGenerator<WireEvent> {
    yield* say(question, '')
    if (chat.kind === 'workflow') conversation.question = question
    else chat.toolCalls = [{ id: ids.next(), type: 'reply_message' }]
    yield* end('requires_action')
    yield done()
  }
}

/** Waits for the next word's turn; without a speed it only lets others have a turn now and then. */
function createPace({ clock, lifetime }: Context, wordsPerSecond: number): () => Promise<void> {
  let due = clock.monotonic()
  let count = 0
  return async () => {
    count += 1
    if (wordsPerSecond > 0) {
      due = Math.max(due + 1000 / wordsPerSecond, clock.monotonic() - 100)
      const left = due - clock.monotonic()
      if (left > 0) await clock.sleep(left, lifetime)
    } else if (count % 64 === 0) {
      await clock.sleep(0, lifetime)
    }
  }
}
