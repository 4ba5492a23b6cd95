import { displayCard, type Question, questionCard, questionText } from './cards.ts'
import type { Context } from './context.ts'
import { unixSeconds } from './ids.ts'
import { park, type Run } from './run.ts'
import { type FunctionCall, words } from './script.ts'
import type { WireEvent } from './stream.ts'
import { chatView, completedView, deltaView } from './views.ts'
import { isRunning, type Message } from './world.ts'

/**
 * Plays a chat to its end and yields its events (coze-api.md §4.4, §6).
 * State is changed before the event that tells of it is yielded.
 */
export async function* play(run: Run, context: Context): AsyncGenerator<WireEvent> {
  const { chat, conversation, script } = run
  const { clock, ids, lifetime, settings, world, changes, variables } = context
  const pace = createPace(context, script.wordsPerSecond ?? settings.wordsPerSecond)
  const followUps: string[] = []
  const speech: string[] = []
  let outputCount = 0

  yield* begin()
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
      case 'callTools':
        if (chat.kind === 'workflow') yield* breakOff(4000, 'No client plugin in a workflow chat.')
        else yield* callTools(step.calls)
        return
      case 'ask':
        yield* ask(step.question)
        return
      case 'card':
        yield keep(draft('answer', displayCard(step.text), { contentType: 'card' }))
        break
      case 'object': {
        const picture = { type: 'image', file_url: 'https://example.com/picture.png' }
        const content = JSON.stringify([{ type: 'text', text: step.text }, picture])
        yield keep(draft('answer', content, { contentType: 'object_string' }))
        break
      }
      case 'audio':
        speech.push(...step.pieces)
        break
      case 'keep':
        variables.set(chat.facts.variableKey, step.name, step.value)
        break
    }
  }

  const finish =
    '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"FinData\\":\\"\\"}","from_module":null,"from_unit":null}'
  yield keep(draft('verbose', finish))
  for (const text of followUps) yield keep(draft('follow_up', text))
  yield* speak(speech.slice(0, 1))
  yield* end('completed')
  yield* speak(speech.slice(1)) // it may come after the end (coze-api.md §6)
  yield done()

  function* speak(pieces: readonly string[]): Generator<WireEvent> {
    for (const content of pieces) {
      const message = draft('answer', content, { contentType: 'audio' })
      yield { name: 'conversation.audio.delta', data: deltaView(message, { content }) }
    }
  }

  function* begin(): Generator<WireEvent> {
    const created = run.outputs === undefined
    if (created) yield { name: 'conversation.chat.created', data: chatView(chat) }
    if (chat.status === 'created') chat.status = 'in_progress'
    if (created || settings.switches.resumedStreamBegins === 'in_progress') {
      const data = chatView({ ...chat, status: 'in_progress' })
      yield { name: 'conversation.chat.in_progress', data }
    }
    for (const { output } of run.outputs ?? []) yield keep(draft('tool_response', output))
  }

  /** An unsaved chat's messages exist on the wire only. */
  function keep(message: Message): WireEvent {
    message.inContext = message.type === 'answer' && chat.status !== 'canceled'
    if (chat.saved) world.keepMessage(conversation, message)
    return { name: 'conversation.message.completed', data: completedView(message, chat.kind) }
  }

  function draft(type: string, content: string, more: Partial<Message> = {}): Message {
    const about = { chatId: chat.id, sectionId: chat.sectionId, botId: chat.botId }
    return world.draftMessage(conversation, {
      ...about,
      role: 'assistant',
      type,
      content,
      ...more,
    })
  }

  async function* say(text: string, reasoning: string): AsyncGenerator<WireEvent> {
    const name = 'conversation.message.delta'
    const message = draft('answer', text, { reasoningContent: reasoning || undefined })
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

  function* callTools(calls: readonly FunctionCall[]): Generator<WireEvent> {
    chat.toolCalls = calls.map((call) => ({ id: ids.next(), type: 'function', function: call }))
    for (const call of calls) yield keep(draft('function_call', JSON.stringify(call)))
    yield* end('requires_action')
    yield done()
  }

  async function* ask(question: Question): AsyncGenerator<WireEvent> {
    const isPlain = question.options.length + question.fields.length === 0
    if (chat.cards && !isPlain) {
      yield keep(draft('answer', questionCard(question), { contentType: 'card' }))
    } else {
      yield* say(questionText(question), '')
    }
    if (chat.kind === 'workflow') {
      park(context, conversation, question.text)
    } else {
      chat.toolCalls = [{ id: ids.next(), type: 'reply_message' }]
      chat.asked = question.text
    }
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
