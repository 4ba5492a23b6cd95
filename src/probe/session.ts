import type { ConversationId, ReplyId, Session, SessionId, SessionName } from '../domain.ts'
import type { ProbeExchange } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { RunWatch, ForeignEvents } from './foreign-events.ts'
import type {
  ChatStrategy,
  RunContext,
  RunEvent,
  TakeRunEvents,
  UpstreamConversation,
} from '../strategy/strategy.ts'

/** The budget does not allow the upstream calls that are needed. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError'
}

/** The upstream calls that a probe may make. */
export interface Budget {
  readonly spent: number
  /** @throws {@link BudgetError} */
  spend(calls: number): void
}

export function createBudget(limit: number): Budget {
  let spent = 0
  return {
    get spent() {
      return spent
    },
    spend(calls) {
      if (spent + calls > limit)
        throw new BudgetError(`the budget of ${limit} upstream calls is spent`)
      spent += calls
    },
  }
}

/** An assistant's answer to one message. */
export interface Said {
  readonly text: string
  /** The question that the assistant asks, if it waits for an answer to it. */
  readonly question: string | undefined
  /** The upstream conversation of the answer. */
  readonly conversationId: string
  readonly logId: string | undefined
}

export interface ProbeConversation {
  /** The session that it belongs to, and the ids that its upstream name is derived from. */
  readonly run: Omit<RunContext, 'replyId'>
  /** Undefined until the first message has revealed it. */
  readonly upstreamId: string | undefined
  /** Sends a message. Questions that the assistant asks first get the configured answers. */
  say(text: string): Promise<Said>
  /** Sends a message. A question of the assistant stays unanswered. */
  sayOnce(text: string): Promise<Said>
}

/** A session of the probe's own, used for nothing else. */
export interface ProbeSession {
  readonly session: Session
  /** The upstream conversations that it has made until now. */
  readonly conversationIds: ReadonlySet<string>
  converse(): Promise<ProbeConversation>
  /** Tries to get into a conversation of another session. */
  accessAsStranger(on: ProbeConversation): Promise<StrangerAccess>
}

/** Whether a stranger gets into a conversation. */
export interface StrangerAccess {
  /** By its name. Undefined: the conversation was not obtained by name. */
  readonly byName: boolean | undefined
  /** By its id. */
  readonly byId: boolean
  /** Log ids of the calls that were let in. */
  readonly logIds: readonly string[]
}

/** Makes sessions that talk through the strategy that serves users. */
export function createProbeSessions(options: {
  readonly strategy: ChatStrategy
  /** The answers to questions that the assistant asks first, in order. `{message}` stands for the message. */
  readonly answers: readonly string[]
  readonly newId: NewId
  readonly budget: Budget
  readonly foreignEvents: ForeignEvents
  readonly clock: Clock
  readonly onExchange: (exchange: ProbeExchange) => void
  readonly signal: AbortSignal
}): (name?: SessionName) => ProbeSession {
  const { strategy, answers, newId, budget, foreignEvents, clock, onExchange, signal } = options
  let sessions = 0

  return (name) => {
    const id = newId() as SessionId
    sessions += 1
    const number = sessions
    const session: Session = { id, name: name ?? (`probe-${newId()}` as SessionName) }
    const conversationIds = new Set<string>()

    /** @param isOwn False: the conversation is another's, and the session only claims it. */
    function talkIn(
      begun: UpstreamConversation,
      run: ProbeConversation['run'],
      isOwn: boolean,
    ): ProbeConversation {
      let upstream = begun
      const note = (made: UpstreamConversation) => {
        if (isOwn && made.type === 'id') conversationIds.add(made.conversationId)
      }
      note(begun)
      // A session that was let into another's conversation on purpose is expected to see foreign events.
      const watch = (): RunWatch =>
        isOwn
          ? foreignEvents.watch({ session: id, conversation: run.conversationId })
          : { isOurs: () => true }

      /** It is paid for by the call that opening the conversation did not need. */
      async function lookAtRevealed(
        upstreamConversationId: string,
        chatId: string,
        replyId: ReplyId,
      ): Promise<void> {
        const about = { ...run, replyId, upstreamConversationId, chatId, history: [] }
        foreignEvents.revealed(await strategy.listRevealed(about, signal), chatId)
      }

      async function sayOnce(text: string): Promise<Said> {
        budget.spend(1)
        const at = clock.now()
        const replyId = newId() as ReplyId
        const request = {
          ...run,
          replyId,
          upstream,
          text,
          attachments: [],
          imageUrls: [],
          extras: { parameters: {}, metadata: {} },
          history: [],
        }
        const { chatId, events, ...said } = await listen(
          (take) => strategy.start(request, take, signal),
          watch(),
        )
        if (upstream.type === 'named') await lookAtRevealed(said.conversationId, chatId, replyId)
        upstream = { type: 'id', conversationId: said.conversationId }
        note(upstream)
        const { conversationId, logId = null } = said
        onExchange({ at, session: number, conversationId, chatId, logId, events })
        return said
      }

      return {
        run,
        get upstreamId() {
          return upstream.type === 'id' ? upstream.conversationId : undefined
        },
        sayOnce,
        async say(text) {
          let said = await sayOnce(text)
          const texts = [said.text]
          for (const answer of answers) {
            if (said.question === undefined) break
            said = await sayOnce(answer.replaceAll('{message}', text))
            texts.push(said.text)
          }
          return { ...said, text: texts.join('\n') }
        },
      }
    }

    async function openByName(
      openAsStranger: NonNullable<ChatStrategy['openAsStranger']>,
      run: ProbeConversation['run'],
    ) {
      budget.spend(1)
      const named = { ...run, replyId: newId() as ReplyId }
      return await unlessKeptOut(() => openAsStranger(session, named, signal))
    }

    const newRun = () => ({ session, conversationId: newId() as ConversationId, generation: 0 })
    return {
      session,
      conversationIds,
      async converse() {
        const run = newRun()
        budget.spend(1)
        const opened = await strategy.open({ ...run, replyId: newId() as ReplyId }, signal)
        return talkIn(opened, run, true)
      },
      async accessAsStranger({ run, upstreamId }) {
        if (upstreamId === undefined) throw new TypeError('the conversation has no message yet')
        const { openAsStranger } = strategy
        const named = openAsStranger && (await openByName(openAsStranger, run))
        // By a name that is not shared, the stranger has got a new conversation of its own.
        if (named !== undefined && named.conversationId !== upstreamId) {
          conversationIds.add(named.conversationId)
        }
        const claimed = talkIn({ type: 'id', conversationId: upstreamId }, newRun(), false)
        const said = await unlessKeptOut(() => claimed.say(greeting))
        const byName = openAsStranger && named?.conversationId === upstreamId
        const byId = said?.conversationId === upstreamId
        const logIds = [byName && named?.logId, byId && said?.logId]
        return {
          byName,
          byId,
          logIds: logIds.filter((logId) => typeof logId === 'string'),
        }
      },
    }
  }
}

const greeting = 'Good morning.'

/** Undefined: the platform refuses access. @throws {@link RunFailedError} for any other failure */
async function unlessKeptOut<T>(attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof RunFailedError)) throw error
    const { conversationGone, failure } = error
    const isRefusal = failure.code === 'UPSTREAM_REFUSED' || failure.code === 'UPSTREAM_AUTH'
    if (conversationGone || isRefusal) return undefined
    throw error
  }
}

async function listen(
  run: (take: TakeRunEvents) => Promise<void>,
  watch: RunWatch,
): Promise<Said & Pick<ProbeExchange, 'chatId' | 'events'>> {
  const types: { readonly type: RunEvent['type']; count: number }[] = []
  let chatId = ''
  const messages = new Map<string, string>()
  let conversationId = ''
  let question: string | undefined
  let logId: string | undefined
  let waits = false
  await run((events) => {
    for (const event of events) {
      if (!watch.isOurs(event)) continue
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
    return undefined
  })
  const text = [...messages.values()].join('\n')
  const events = types.map(({ type, count }) => (count === 1 ? type : `${type}×${count}`)).join(' ')
  const asked = waits ? (question ?? text) : undefined
  return { text, question: asked, conversationId, logId, chatId, events }
}
