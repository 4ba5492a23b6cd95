import type { Call, Context } from './dialect.ts'
import { applyEventFaults } from './event-faults.ts'
import { type NamedEvent, openPlatformStream, type WireEvent } from './event-stream.ts'
import { type PlatformRun, storeQuestion } from './chat-run.ts'
import { unixSeconds } from './ids.ts'
import { words } from './model/answers.ts'
import { type ChatQuestion, displayCard, questionCard, questionText } from './model/cards.ts'
import type { FailureKind, FunctionCall } from './model/script.ts'
import type { PlatformMessage, PlatformUsage } from './storage/records.ts'

/** Sends a run as a stream. Its dialect decides whether the chat runs on after the client has gone. */
export async function sendRunStream(
  run: PlatformRun,
  call: Call,
  context: Context,
): Promise<undefined> {
  const { dialect } = context
  const { kind } = run.chat
  const stream = openPlatformStream(call.res, dialect.framing[kind], call.faults, context)
  const deps = { ...context, gone: stream.gone, processEnd: run.processEnd }
  for await (const event of applyEventFaults(chatEvents(run, context), call.faults, deps)) {
    await stream.send(event)
    if (run.processEnd.aborted || (stream.gone.aborted && !dialect.runsUnread[kind])) break
  }
  await stream.end()
}

/** Lets a run go on in the background, after the response to its request. */
export function runInBackground(run: PlatformRun, call: Call, context: Context): void {
  run.chat.status = 'in_progress'
  context.background(runUnread(run, call, context))
}

async function runUnread(run: PlatformRun, call: Call, context: Context): Promise<void> {
  const deps = { ...context, gone: AbortSignal.abort(), processEnd: run.processEnd }
  for await (const _event of applyEventFaults(chatEvents(run, context), call.faults, deps)) {
    if (run.processEnd.aborted) break
  }
}

/** Runs a chat to its end and yields its events. The stored state changes before the event that shows the change. */
async function* chatEvents(run: PlatformRun, context: Context): AsyncGenerator<WireEvent> {
  const { chat, conversation, script } = run
  const { clock, dialect, ids, settings, records, changes, variables } = context
  const waitForTurn = createPace(run, context)
  const protocol = dialect.protocol(chat, settings)
  const followUps: string[] = []
  const speech: string[] = []
  let outputCount = 0

  const isResumed = run.outputs !== undefined
  if (chat.status === 'created') chat.status = 'in_progress'
  yield* protocol.firstEvents(isResumed)
  for (const { output } of run.outputs ?? []) yield add(draft('tool_response', output))
  for (const step of script.steps) {
    switch (step.kind) {
      case 'say':
        yield* say(step.text, step.reasoning)
        break
      case 'silence':
        await clock.sleep(step.ms, run.processEnd)
        break
      case 'followUps':
        followUps.push(...step.texts)
        break
      case 'fail':
      case 'error':
        yield* fail(step.kind, step)
        return
      case 'callPlugins':
        // Nodes of a Workflow call plugins too, but do not show it.
        if (chat.kind === 'bot') yield* callPlugins(step.calls)
        break
      case 'note':
        if (protocol.finishNote !== undefined) yield add(draft('verbose', noteOf(step.type)))
        break
      case 'callTools':
        if (protocol.toolCallError) yield* fail('error', protocol.toolCallError)
        else yield* callTools(step.calls)
        return
      case 'ask':
        yield* ask(step.question)
        return
      case 'card':
        yield add(draft('answer', displayCard(step.text), { contentType: 'card' }))
        break
      case 'object': {
        const picture = { type: 'image', file_url: 'https://example.com/picture.png' }
        const content = JSON.stringify([{ type: 'text', text: step.text }, picture])
        yield add(draft('answer', content, { contentType: 'object_string' }))
        break
      }
      case 'audio':
        if (protocol.sendsAudio) speech.push(...step.pieces)
        break
      case 'keep':
        variables.set(chat.variableKey, step.name, step.value)
        break
    }
  }

  if (protocol.finishNote !== undefined) yield add(draft('verbose', protocol.finishNote))
  for (const text of followUps) yield add(draft('follow_up', text))
  yield* speak(speech.slice(0, 1))
  yield* end('completed')
  // Speech may come after the end.
  yield* speak(speech.slice(1))
  yield protocol.doneEvent

  function* speak(pieces: readonly string[]): Generator<WireEvent> {
    for (const content of pieces) {
      const message = draft('answer', content, { contentType: 'audio' })
      yield { ...protocol.deltaEvent(message, { content }), name: 'conversation.audio.delta' }
    }
  }

  /** Stores a message. The messages of a chat that is not saved exist on the wire only. */
  function add(message: PlatformMessage): NamedEvent {
    const isForgotten = dialect.forgetsCanceled && chat.status === 'canceled'
    message.isInContext = message.type === 'answer' && !isForgotten
    if (chat.isSaved) records.addMessage(conversation, message)
    return protocol.completedEvent(message)
  }

  function draft(
    type: string,
    content: string,
    more: Partial<PlatformMessage> = {},
  ): PlatformMessage {
    const about = { chatId: chat.id, sectionId: chat.sectionId, botId: chat.botId }
    return records.draftMessage(conversation, {
      ...about,
      role: 'assistant',
      type,
      content,
      metaData: protocol.messageMetaData(undefined),
      ...more,
    })
  }

  async function* say(text: string, thinking: string): AsyncGenerator<WireEvent> {
    const reasoning = protocol.sendsReasoning ? thinking : ''
    const message = draft('answer', text, { reasoningContent: reasoning || undefined })
    for (const word of words(reasoning)) {
      await waitForTurn()
      yield protocol.deltaEvent(message, { content: '', reasoning_content: word })
    }
    for (const word of words(text)) {
      await waitForTurn()
      outputCount += 1
      yield protocol.deltaEvent(message, { content: word })
    }
    message.metaData = protocol.messageMetaData(usage())
    yield add(message)
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
    const { kept, shown } = protocol.end(status)
    chat.status = kept
    if (kept === 'completed') chat.completedAt = unixSeconds(clock)
    changes.notify()
    if (shown !== undefined) yield protocol.endEvent(shown)
  }

  function* fail(
    kind: FailureKind,
    { code, msg }: { readonly code: number; readonly msg: string },
  ): Generator<WireEvent> {
    chat.status = protocol.statusAfterFailure(kind)
    if (chat.status === 'completed') chat.completedAt = unixSeconds(clock)
    else chat.failedAt = unixSeconds(clock)
    chat.lastError = { code, msg }
    changes.notify()
    yield* protocol.failureEvents(kind, { code, msg })
  }

  function* callPlugins(calls: readonly FunctionCall[]): Generator<WireEvent> {
    for (const { name, arguments: json } of calls) {
      const plugin = {
        plugin_id: ids.next(),
        plugin_name: name,
        api_id: ids.next(),
        api_name: name,
      }
      const call = { name, arguments: parseArguments(json), ...plugin }
      yield add(draft('function_call', JSON.stringify(call)))
      yield add(draft('tool_response', JSON.stringify({ result: `${name} is done` })))
    }
  }

  function* callTools(calls: readonly FunctionCall[]): Generator<WireEvent> {
    chat.toolCalls = calls.map((call) => ({ id: ids.next(), type: 'function', function: call }))
    for (const call of calls) yield add(draft('function_call', JSON.stringify(call)))
    yield* end('requires_action')
    yield protocol.doneEvent
  }

  async function* ask(question: ChatQuestion): AsyncGenerator<WireEvent> {
    const isPlain = question.options.length + question.fields.length === 0
    if (chat.asksWithCards && !isPlain) {
      yield add(draft('answer', questionCard(question), { contentType: 'card' }))
    } else {
      yield* say(questionText(question), '')
    }
    if (dialect.nextMessageAnswers[chat.kind]) {
      storeQuestion(settings, records, conversation, question)
    } else {
      chat.toolCalls = [{ id: ids.next(), type: 'reply_message' }]
      chat.question = question
    }
    const { status, note } = protocol.questionEnd
    if (note !== undefined) yield add(draft('verbose', note))
    yield* end(status)
    yield protocol.doneEvent
  }
}

/** A message of a plugin's call shows its arguments as an object; a client's function gets them as text. */
function parseArguments(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

/** The content of a verbose message. */
function noteOf(type: string): string {
  return JSON.stringify({ msg_type: type, data: '', from_module: null, from_unit: null })
}

/** Waits for the next word's turn. Without a speed it only lets other work run now and then. */
function createPace(run: PlatformRun, { clock, settings }: Context): () => Promise<void> {
  const wordsPerSecond = run.script.wordsPerSecond ?? settings.wordsPerSecond
  let due = clock.monotonic()
  let count = 0
  return async () => {
    count += 1
    if (wordsPerSecond > 0) {
      due = Math.max(due + 1000 / wordsPerSecond, clock.monotonic() - 100)
      const left = due - clock.monotonic()
      if (left > 0) await clock.sleep(left, run.processEnd)
    } else if (count % 64 === 0) {
      await clock.sleep(0, run.processEnd)
    }
  }
}
