import type { ConversationId, ReplyId, Session, SessionId, SessionName } from '../domain.ts'
import type { ProbeExchange } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { ChatStrategy, RunEvent, UpstreamConversation } from '../strategy/strategy.ts'

/** More upstream calls would be needed than were allowed. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError'
}

/** Upstream calls that a probe may make. */
export interface Budget {
  readonly spent: number
  readonly limit: number
  /** @throws {@link BudgetError} */
  spend(calls: number): void
}

export function createBudget(limit: number): Budget {
  let spent = 0
  return {
    get spent() {
      return spent
    },
    limit,
    spend(calls) {
      if (spent + calls > limit) throw new BudgetError(`the budget of ${limit} calls is spent`)
      spent += calls
    },
  }
}

/** What an assistant said to one message. */
export interface Said {
  readonly text: string
  /** What it asks, if it waits for an answer. */
  readonly question: string | undefined
  /** The upstream conversation that it was said in. */
  readonly conversationId: string
  readonly logId: string | undefined
}

export interface ProbeConversation {
  readonly session: Session
  /** Undefined until the first message has revealed it. */
  readonly upstreamId: string | undefined
  say(text: string): Promise<Said>
}

/** Somebody who never was and will not be again. */
export interface Prober {
  readonly session: Session
  converse(): Promise<ProbeConversation>
}

/** Makes sessions that talk through the strategy that serves users. */
export function createProbers(options: {
  readonly strategy: ChatStrategy
  readonly newId: NewId
  readonly budget: Budget
  readonly clock: Clock
  readonly onExchange: (exchange: ProbeExchange) => void
  readonly signal: AbortSignal
}): (name?: SessionName) => Prober {
  const { strategy, newId, budget, clock, onExchange, signal } = options
  let sessions = 0

  return (name) => {
    const id = newId() as SessionId
    sessions += 1
    const number = sessions
    const session: Session = { id, name: name ?? (`probe-${newId()}` as SessionName) }
    return {
      session,
      async converse() {
        const conversationId = newId() as ConversationId
        const context = () => ({
          session,
          conversationId,
          replyId: newId() as ReplyId,
          generation: 0,
        })
        budget.spend(1)
        let upstream = await strategy.open(context(), signal)
        return {
          session,
          get upstreamId() {
            return upstream.type === 'id' ? upstream.conversationId : undefined
          },
          async say(text) {
            budget.spend(1)
            const at = clock.now()
            const { chatId, events, ...said } = await listen(
              strategy.start(
                {
                  ...context(),
                  upstream,
                  text,
                  attachments: [],
                  extras: { parameters: {}, metadata: {} },
                  history: [],
                },
                signal,
              ),
            )
            upstream = {
              type: 'id',
              conversationId: said.conversationId,
            } satisfies UpstreamConversation
            const { conversationId: where, logId = null } = said
            onExchange({ at, session: number, conversationId: where, chatId, logId, events })
            return said
          },
        }
      },
    }
  }
}

async function listen(
  run: AsyncIterable<readonly RunEvent[]>,
): Promise<Said & Pick<ProbeExchange, 'chatId' | 'events'>> {
  const types: { readonly type: RunEvent['type']; count: number }[] = []
  let chatId = ''
  const messages = new Map<string, string>()
  let conversationId = ''
  let question: string | undefined
  let logId: string | undefined
  let waits = false
  for await (const events of run) {
    for (const event of events) {
      conversationId = event.conversationId
      chatId = event.chatId
      const last = types.at(-1)
      if (last?.type === event.type) last.count += 1
      else types.push({ type: event.type, count: 1 })
      if (event.type === 'accepted') logId = event.logId
      if (event.type === 'delta' && event.kind === 'ANSWER') {
        messages.set(event.messageId, (messages.get(event.messageId) ?? '') + event.text)
      }
      if (event.type === 'message') messages.set(event.messageId, event.text)
      if (event.type === 'question') question = event.question.text
      if (event.type === 'action-required') waits = true
    }
  }
  const text = [...messages.values()].join('\n')
  const events = types.map(({ type, count }) => (count === 1 ? type : `${type}×${count}`)).join(' ')
  const asked = waits ? (question ?? text) : undefined
  return { text, question: asked, conversationId, logId, chatId, events }
}
