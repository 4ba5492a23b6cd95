import type { KeyedLayer, Question, ToolCall, ToolOutput } from '../../../src/domain.ts'
import type { RevealedRows } from '../../../src/isolation/breaches.ts'
import { onAbort } from '../../../src/lib/on-abort.ts'
import type { Choice } from '../../../src/strategy/select.ts'
import type {
  CancelOutcome,
  ChatStrategy,
  Recovered,
  RecoverRequest,
  RunEvent,
  StartRequest,
  TakeRunEvents,
} from '../../../src/strategy/strategy.ts'

/** One stream of an upstream run, played by the test: it decides when each batch arrives. */
export interface PlayedStream {
  readonly chatId: string
  readonly conversationId: string
  /** Deliver a batch of events. */
  say(...events: readonly RunEvent[]): void
  /** The stream breaks off as the strategy would tell it. */
  fail(error: Error): void
  /** Shorthands, with this run's ids. */
  accept(call?: { readonly logId?: string; readonly retries?: number }): void
  delta(text: string, messageId?: string): void
  message(text: string, messageId?: string): void
  ask(question: Question): void
  /** It announces that no more text follows. */
  finish(): void
  /** It waits: for the outputs of these calls, or for a message. */
  wait(...toolCalls: readonly ToolCall[]): void
  complete(text: string): void
  readonly aborted: boolean
}

export interface PlayedRun extends PlayedStream {
  readonly request: StartRequest
}

export interface PlayedOutputs extends PlayedStream {
  readonly outputs: readonly ToolOutput[]
}

type Recovery = (request: RecoverRequest, signal: AbortSignal) => Recovered | Promise<Recovered>

export interface ScriptedStrategy extends ChatStrategy {
  /** The next run that starts. */
  next(): Promise<PlayedRun>
  /** The next answer to tool calls. */
  nextOutputs(): Promise<PlayedOutputs>
  /** How it is given to the engine. */
  readonly choice: Choice
  readonly cancelled: readonly string[]
  readonly opened: readonly string[]
  /** Runs that were started, whether the test has asked for them or not. */
  readonly started: number
  /** From now on nothing upstream is opened. Resolves when a reply waits for it. */
  stallOpening(): Promise<void>
  /** What a conversation holds that a run reveals from now on; an error: it cannot be found out. */
  reveals(rows: RevealedRows | Error): void
  /** What `recover` answers from now on. */
  recovers(answer: Recovery): void
  /** From now on no cancel is agreed to. A Workflow agrees to none. */
  refusesCancels(): void
  /** From now on the upstream cannot be told to cancel. */
  losesCancels(): void
}

export const functionCall = (id: string): ToolCall => ({
  id,
  kind: 'FUNCTION',
  name: 'look_up',
  arguments: '{}',
})

export const layers: readonly KeyedLayer[] = [{ layer: 'identity', keyedBy: 'the access token' }]

/** A strategy whose upstream is the test. */
export function createScriptedStrategy(
  kind: 'workflow' | 'bot' = 'bot',
  account = 'a',
): ScriptedStrategy {
  const runs = createLine<PlayedRun>()
  const rounds = createLine<PlayedOutputs>()
  const cancelled: string[] = []
  const opened: string[] = []
  let recovery: Recovery = () => ({ type: 'unknown' })
  let revealed: RevealedRows | Error = []
  let chats = 0
  let cancelOutcome: CancelOutcome = kind === 'bot' ? 'agreed' : 'refused'
  let stall: PromiseWithResolvers<void> | undefined

  const strategy: ScriptedStrategy = {
    kind,
    scope: { origin: 'https://coze.test', account },
    layers,
    answersByMessage: kind === 'workflow',
    canRetrieveRuns: kind === 'bot',
    takesTextsOnly: kind === 'bot',
    readsForms: kind === 'workflow',
    openAsStranger: undefined,
    opensByName: false,
    settleKeying: undefined,
    async listRevealed() {
      if (revealed instanceof Error) throw revealed
      return revealed
    },
    cancelled,
    opened,
    get started() {
      return chats
    },
    get choice() {
      return { strategy, reason: 'configured' }
    },
    reveals: (rows) => (revealed = rows),
    recovers: (answer) => (recovery = answer),
    refusesCancels: () => (cancelOutcome = 'refused'),
    losesCancels: () => (cancelOutcome = 'not-told'),
    stallOpening() {
      stall = Promise.withResolvers()
      return stall.promise
    },
    async open({ conversationId, generation }, signal) {
      if (stall !== undefined) {
        stall.resolve()
        await new Promise((_, reject) => onAbort(signal, () => reject(signal.reason)))
      }
      const id = `up-${conversationId}-${generation}`
      opened.push(id)
      return { type: 'id', conversationId: id }
    },
    async start(request, take, signal) {
      chats += 1
      const { upstream } = request
      const conversationId = upstream.type === 'id' ? upstream.conversationId : 'named'
      const { stream, play } = createPlayed({ chatId: `chat-${chats}`, conversationId }, signal)
      runs.push(Object.assign(stream, { request }))
      await play(take)
    },
    async submitToolOutputs({ chatId, upstreamConversationId, outputs }, take, signal) {
      const ids = { chatId, conversationId: upstreamConversationId }
      const { stream, play } = createPlayed(ids, signal)
      rounds.push(Object.assign(stream, { outputs }))
      await play(take)
    },
    async cancel({ chatId }) {
      cancelled.push(chatId)
      return cancelOutcome
    },
    async recover(request, signal) {
      return await recovery(request, signal)
    },
    next: runs.next,
    nextOutputs: rounds.next,
  }
  return strategy
}

function createPlayed(
  ids: { readonly chatId: string; readonly conversationId: string },
  signal: AbortSignal,
): { readonly stream: PlayedStream; readonly play: (take: TakeRunEvents) => Promise<void> } {
  const inbox: (readonly RunEvent[] | Error)[] = []
  let wake = Promise.withResolvers<void>()
  const push = (item: readonly RunEvent[] | Error) => {
    inbox.push(item)
    wake.resolve()
  }

  async function play(take: TakeRunEvents): Promise<void> {
    using _ = onAbort(signal, () => wake.resolve())
    for (;;) {
      signal.throwIfAborted()
      const item = inbox.shift()
      if (item instanceof Error) throw item
      if (item !== undefined) {
        await take(item)
        if (item.some(({ type }) => ends.has(type))) return
        continue
      }
      await wake.promise
      wake = Promise.withResolvers()
    }
  }

  const stream: PlayedStream = {
    ...ids,
    say: (...events) => push(events),
    fail: push,
    accept: (call) => push([{ type: 'accepted', ...ids, ...call }]),
    delta: (text, messageId = 'm') =>
      push([{ type: 'delta', ...ids, messageId, kind: 'ANSWER', text }]),
    message: (text, messageId = 'm') => push([{ type: 'message', ...ids, messageId, text }]),
    finish: () => push([{ type: 'answer-finished', ...ids }]),
    ask: (question) => push([{ type: 'question', ...ids, question }]),
    wait: (...toolCalls) => push([{ type: 'action-required', ...ids, toolCalls }]),
    complete: (text) =>
      push([
        { type: 'message', ...ids, messageId: 'm', text },
        { type: 'completed', ...ids, usage: null },
      ]),
    get aborted() {
      return signal.aborted
    },
  }
  return { stream, play }
}

const ends: ReadonlySet<RunEvent['type']> = new Set(['completed', 'cancelled', 'action-required'])

/** What comes first goes to who asked first. */
function createLine<T>() {
  const items: T[] = []
  const waiting: ((item: T) => void)[] = []
  return {
    push(item: T) {
      const receiver = waiting.shift()
      if (receiver) receiver(item)
      else items.push(item)
    },
    next: () =>
      new Promise<T>((resolve) => {
        const item = items.shift()
        if (item !== undefined) resolve(item)
        else waiting.push(resolve)
      }),
  }
}
