import { RunFailedError } from '../../src/strategy/run-failed-error.ts'
import type {
  ChatStrategy,
  Recovered,
  RunEvent,
  StartRequest,
} from '../../src/strategy/strategy.ts'

/** One upstream run, played by the test: it decides when each batch arrives. */
export interface PlayedRun {
  readonly request: StartRequest
  readonly chatId: string
  /** Deliver a batch of events. */
  say(...events: readonly RunEvent[]): void
  /** The stream breaks off as the strategy would tell it. */
  fail(error: RunFailedError): void
  /** Shorthands, with this run's ids. */
  accept(): void
  delta(text: string): void
  complete(text: string): void
  readonly aborted: boolean
}

export interface ScriptedStrategy extends ChatStrategy {
  /** The next run that starts. */
  next(): Promise<PlayedRun>
  readonly cancelled: readonly string[]
  readonly opened: readonly string[]
  /** What `recover` answers from now on. */
  recovers(answer: (chatId: string | undefined) => Recovered): void
}

/** A strategy whose upstream is the test. */
export function createScriptedStrategy(kind: 'workflow' | 'bot' = 'bot'): ScriptedStrategy {
  const runs: PlayedRun[] = []
  const waiting: ((run: PlayedRun) => void)[] = []
  const cancelled: string[] = []
  const opened: string[] = []
  let recovery: (chatId: string | undefined) => Recovered = () => ({ type: 'unknown' })
  let chats = 0

  return {
    kind,
    scope: { origin: 'https://coze.test', account: 'a' },
    cancelled,
    opened,
    recovers: (answer) => (recovery = answer),
    async open({ conversationId, generation }) {
      const id = `up-${conversationId}-${generation}`
      opened.push(id)
      return { type: 'id', conversationId: id }
    },
    async *start(request, signal) {
      chats += 1
      const chatId = `chat-${chats}`
      const conversationId =
        request.upstream.type === 'id' ? request.upstream.conversationId : 'named'
      const inbox: (readonly RunEvent[] | RunFailedError)[] = []
      let wake = Promise.withResolvers<void>()
      const push = (item: readonly RunEvent[] | RunFailedError) => {
        inbox.push(item)
        wake.resolve()
      }
      const ids = { chatId, conversationId }
      const run: PlayedRun = {
        request,
        chatId,
        say: (...events) => push(events),
        fail: push,
        accept: () => push([{ type: 'accepted', ...ids }]),
        delta: (text) => push([{ type: 'delta', ...ids, messageId: 'm', kind: 'ANSWER', text }]),
        complete: (text) =>
          push([
            { type: 'message', ...ids, messageId: 'm', text },
            { type: 'completed', ...ids, usage: null },
          ]),
        get aborted() {
          return signal.aborted
        },
      }
      const onAbort = () => wake.resolve()
      signal.addEventListener('abort', onAbort)
      const receiver = waiting.shift()
      if (receiver) receiver(run)
      else runs.push(run)
      try {
        for (;;) {
          signal.throwIfAborted()
          const item = inbox.shift()
          if (item instanceof RunFailedError) throw item
          if (item !== undefined) {
            yield item
            if (item.some(({ type }) => type === 'completed')) return
            continue
          }
          await wake.promise
          wake = Promise.withResolvers()
        }
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    async cancel({ chatId }) {
      cancelled.push(chatId)
      return true
    },
    async recover({ chatId }) {
      return recovery(chatId)
    },
    next: () =>
      new Promise((resolve) => {
        const run = runs.shift()
        if (run) resolve(run)
        else waiting.push(resolve)
      }),
  }
}
