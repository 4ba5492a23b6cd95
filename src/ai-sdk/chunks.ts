import type { UIMessageChunk } from 'ai'
import type { ChatReply, ReplyState, ToolCall } from '../client/client.ts'
import { nextChange } from '../client/observable.ts'

const tracks = [
  { field: 'reasoning', start: 'reasoning-start', delta: 'reasoning-delta', end: 'reasoning-end' },
  { field: 'text', start: 'text-start', delta: 'text-delta', end: 'text-end' },
] as const

/** What earlier steps of a message have. */
export interface EarlierSteps {
  readonly text: string
  /** The tool calls whose output was submitted. */
  readonly callIds: readonly string[]
}

/** A reply as chunks of a message. The AI SDK appends what it gets, so a correction takes the step back and writes it anew. */
export async function* chunksOf(
  reply: ChatReply,
  { text: before, callIds }: EarlierSteps = { text: '', callIds: [] },
): AsyncGenerator<UIMessageChunk, void, undefined> {
  yield { type: 'start', messageId: reply.id }
  yield { type: 'start-step' }
  const base = { text: before, reasoning: '' }
  let shown = { ...base }
  const begun = new Set<string>()
  for await (const state of statesOf(reply)) {
    if (tracks.some(({ field }) => !state[field].startsWith(shown[field]))) {
      yield { type: 'reset-step' }
      begun.clear()
      shown = { ...base, text: state.text.startsWith(before) ? before : '' }
    }
    for (const { field, start, delta } of tracks) {
      const news = state[field].slice(shown[field].length)
      if (news === '') continue
      if (!begun.has(field)) yield { type: start, id: field }
      begun.add(field)
      yield { type: delta, id: field, delta: news }
      shown[field] = state[field]
    }
    // The event by which the reply goes on after an output may still be on its way.
    const isAsked = state.toolCalls.some(({ callId }) => !callIds.includes(callId))
    if (state.status === 'ACTION_REQUIRED' && isAsked) break
  }
  for (const { field, end } of tracks) if (begun.has(field)) yield { type: end, id: field }
  yield* endingOf(reply)
}

/** Each state of a reply, to the last one. Some may be skipped while the reader is busy. */
async function* statesOf(reply: ChatReply): AsyncGenerator<ReplyState, void, undefined> {
  let isOver = false
  const over = reply.done.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  for (let shown: ReplyState | undefined; ;) {
    const state = reply.state.snapshot()
    if (state !== shown) yield (shown = state)
    else if (isOver) return
    else await Promise.race([nextChange(reply.state), over])
  }
}

async function* endingOf(reply: ChatReply): AsyncGenerator<UIMessageChunk, void, undefined> {
  const { status, toolCalls } = reply.state.snapshot()
  if (status === 'ACTION_REQUIRED') {
    for (const call of toolCalls) yield toolInputOf(call)
    yield { type: 'finish-step' }
    return yield { type: 'finish', finishReason: 'tool-calls' }
  }
  try {
    const { status: last } = await reply.done
    if (last === 'CANCELLED') return yield { type: 'abort' }
    yield { type: 'finish-step' }
    yield { type: 'finish', finishReason: 'stop' }
  } catch (error) {
    yield { type: 'error', errorText: error instanceof Error ? error.message : String(error) }
  }
}

function toolInputOf({ callId, kind, name, arguments: text }: ToolCall): UIMessageChunk {
  const toolName = name ?? kind.toLowerCase()
  const call = { toolCallId: callId, toolName, dynamic: true } as const
  try {
    return { type: 'tool-input-available', ...call, input: JSON.parse(text ?? '{}') }
  } catch {
    return { type: 'tool-input-available', ...call, input: text }
  }
}
