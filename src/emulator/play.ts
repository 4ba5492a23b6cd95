import { displayCard, type CardQuestion, questionCard, questionText } from './cards.ts'
import type { Context } from './context.ts'
import { unixSeconds } from './ids.ts'
import { park, type PlatformRun } from './run.ts'
import { type FunctionCall, words } from './script.ts'
import type { NamedEvent, WireEvent } from './stream.ts'
import type { PlatformMessage, PlatformUsage } from './world.ts'

/**
 * Plays a chat to its end and yields its events, as its platform tells them.
 * State is changed before the event that tells of it is yielded.
 */
export async function* play(run: PlatformRun, context: Context): AsyncGenerator<WireEvent> {
  const { chat, conversation, script } = run
  const { clock, dialect, ids, settings, world, changes, variables } = context
  const pace = createPace(run, context)
  const telling = dialect.telling(run, context)
  const followUps: string[] = []
  const speech: string[] = []
  let outputCount = 0

  const isResumed = run.outputs !== undefined
  if (chat.status === 'created') chat.status = 'in_progress'
  yield* telling.begin(isResumed)
  for (const { output } of run.outputs ?? []) yield keep(draft('tool_response', output))
  for (const step of script.steps) {
    switch (step.kind) {
      case 'say':
        yield* say(step.text, step.reasoning)
        break
      case 'silence':
        await clock.sleep(step.ms, run.life)
        break
      case 'followUps':
        followUps.push(...step.texts)
        break
      case 'fail':
      case 'error':
        yield* fail(step.kind, step)
        return
      case 'callTools':
        if (telling.toolsRefused) yield* fail('error', telling.toolsRefused)
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
        if (telling.tellsSpeech) speech.push(...step.pieces)
        break
      case 'keep':
        variables.set(chat.facts.variableKey, step.name, step.value)
        break
    }
  }

  if (telling.finish !== undefined) yield keep(draft('verbose', telling.finish))
  for (const text of followUps) yield keep(draft('follow_up', text))
  yield* speak(speech.slice(0, 1))
  yield* end('completed')
  yield* speak(speech.slice(1)) // It may come after the end.
  yield telling.done

  function* speak(pieces: readonly string[]): Generator<WireEvent> {
    for (const content of pieces) {
      const message = draft('answer', content, { contentType: 'audio' })
      yield { ...telling.delta(message, { content }), name: 'conversation.audio.delta' }
    }
  }

  /** An unsaved chat's messages exist on the wire only. */
  function keep(message: PlatformMessage): NamedEvent {
    const isForgotten = dialect.forgetsCanceled && chat.status === 'canceled'
    message.inContext = message.type === 'answer' && !isForgotten
    if (chat.saved) world.keepMessage(conversation, message)
    return telling.completed(message)
  }

  function draft(
    type: string,
    content: string,
    more: Partial<PlatformMessage> = {},
  ): PlatformMessage {
    const about = { chatId: chat.id, sectionId: chat.sectionId, botId: chat.botId }
    return world.draftMessage(conversation, {
      ...about,
      role: 'assistant',
      type,
      content,
      metaData: telling.metaData(undefined),
      ...more,
    })
  }

  async function* say(text: string, thoughts: string): AsyncGenerator<WireEvent> {
    const reasoning = telling.tellsThoughts ? thoughts : ''
    const message = draft('answer', text, { reasoningContent: reasoning || undefined })
    for (const word of words(reasoning)) {
      await pace()
      yield telling.delta(message, { content: '', reasoning_content: word })
    }
    for (const word of words(text)) {
      await pace()
      outputCount += 1
      yield telling.delta(message, { content: word })
    }
    message.metaData = telling.metaData(usage())
    yield keep(message)
  }

  function usage(): PlatformUsage {
    return {
      token_count: run.inputCount + outputCount,
      output_count: outputCount,
      input_count: run.inputCount,
    }
  }

  function* end(status: 'completed' | 'requires_action'): Generator<WireEvent> {
    chat.usage = usage()
    const { kept, told } = telling.settle(status)
    chat.status = kept
    if (kept === 'completed') chat.completedAt = unixSeconds(clock)
    changes.notify()
    if (told !== undefined) yield telling.ended(told)
  }

  function* fail(
    how: 'fail' | 'error',
    { code, msg }: { readonly code: number; readonly msg: string },
  ): Generator<WireEvent> {
    chat.status = telling.statusAfter(how)
    if (chat.status === 'completed') chat.completedAt = unixSeconds(clock)
    else chat.failedAt = unixSeconds(clock)
    chat.lastError = { code, msg }
    changes.notify()
    yield* telling.failed(how, { code, msg })
  }

  function* callTools(calls: readonly FunctionCall[]): Generator<WireEvent> {
    chat.toolCalls = calls.map((call) => ({ id: ids.next(), type: 'function', function: call }))
    for (const call of calls) yield keep(draft('function_call', JSON.stringify(call)))
    yield* end('requires_action')
    yield telling.done
  }

  async function* ask(question: CardQuestion): AsyncGenerator<WireEvent> {
    const isPlain = question.options.length + question.fields.length === 0
    if (chat.cards && !isPlain) {
      yield keep(draft('answer', questionCard(question), { contentType: 'card' }))
    } else {
      yield* say(questionText(question), '')
    }
    if (dialect.nextMessageAnswers[chat.kind]) {
      park(settings, world, conversation, question)
    } else {
      chat.toolCalls = [{ id: ids.next(), type: 'reply_message' }]
      chat.asked = question
    }
    const { status, note } = telling.asked
    if (note !== undefined) yield keep(draft('verbose', note))
    yield* end(status)
    yield telling.done
  }
}

/** Waits for the next word's turn; without a speed it only lets others have a turn now and then. */
function createPace(run: PlatformRun, { clock, settings }: Context): () => Promise<void> {
  const wordsPerSecond = run.script.wordsPerSecond ?? settings.wordsPerSecond
  let due = clock.monotonic()
  let count = 0
  return async () => {
    count += 1
    if (wordsPerSecond > 0) {
      due = Math.max(due + 1000 / wordsPerSecond, clock.monotonic() - 100)
      const left = due - clock.monotonic()
      if (left > 0) await clock.sleep(left, run.life)
    } else if (count % 64 === 0) {
      await clock.sleep(0, run.life)
    }
  }
}
