import { ChatError } from './chat-error.ts'
import { createSubject, nextChange, type Observable } from './observable.ts'
import type { BusyPolicy, ReplyEvent, ReplyState, ReplyStatus, ToolOutput } from './schema.ts'

/** A reply that is followed to its end, whatever happens to the connection. */
export interface ChatReply {
  readonly id: string
  readonly conversationId: string
  readonly status: ReplyStatus
  /** Each event once, from the first that this client has seen. Every loop begins there. */
  readonly events: AsyncIterable<ReplyEvent>
  /** The whole answer so far, each time it has changed. Fails as `done` does. */
  readonly text: AsyncIterable<string>
  /** Resolves when the reply is completed or cancelled. Rejects with a {@link ChatError} when it failed. */
  readonly done: Promise<ReplyState>
  readonly state: Observable<ReplyState>
  /** Stops the reply; the text so far stays. */
  cancel(): Promise<ReplyState>
  submitToolOutputs(outputs: readonly ToolOutput[]): Promise<ReplyState>
}

export interface SendOptions {
  readonly assistantId?: string
  readonly conversationId?: string
  readonly attachmentIds?: readonly string[]
  readonly imageUrls?: readonly string[]
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly metadata?: Readonly<Record<string, string>>
  readonly onBusy?: BusyPolicy
  /** Default: a new one, with which the client repeats the message after a lost response. */
  readonly idempotencyKey?: string
}

export interface ReplyActions {
  cancel(replyId: string): Promise<ReplyState>
  submitToolOutputs(replyId: string, outputs: readonly ToolOutput[]): Promise<ReplyState>
}

/** A reply with the calls by which its client moves it on. */
export interface FollowedReply {
  readonly reply: ChatReply
  readonly isOpen: boolean
  readonly take: (event: ReplyEvent) => void
  /** Puts a state that was read from the gateway in place of the known one. */
  readonly restore: (state: ReplyState, cursor: string) => void
  /** The client cannot follow it any more. */
  readonly fail: (error: ChatError) => void
}

const endings: readonly ReplyStatus[] = ['COMPLETED', 'FAILED', 'CANCELLED']

/** The texts of a reply, by the kinds of deltas that make them. */
const tracks = [
  ['REASONING', 'reasoning'],
  ['ANSWER', 'text'],
] as const

/** @param cursor the position at which `initial` was read. */
export function createReply(
  initial: ReplyState,
  cursor: string,
  actions: ReplyActions,
): FollowedReply {
  const { id } = initial
  const subject = createSubject<ReplyState>({ ...initial, text: '', reasoning: '' })
  const events: ReplyEvent[] = []
  let isOpen = true
  /** Whether deltas may come that the restored state has already. */
  let isAhead: boolean
  let resolve: (state: ReplyState) => void
  let reject: (error: ChatError) => void
  const done = new Promise<ReplyState>((...settle) => ([resolve, reject] = settle))

  function become(state: ReplyState, news: readonly ReplyEvent[], reason?: ChatError) {
    events.push(...news)
    const error = state.failure ? new ChatError(state.failure) : reason
    isOpen = !error && !endings.includes(state.status)
    if (error) reject(error)
    else if (!isOpen) resolve(state)
    subject.set(state)
  }

  const restore = (read: ReplyState, at: string) => {
    if (!isOpen) return
    isAhead = true
    const known = subject.snapshot()
    const state = { ...read }
    const position = { cursor: at, replyId: id }
    const { status, actionExpiresAt: expiresAt, failure } = read
    const news: ReplyEvent[] = []
    for (const [kind, track] of tracks) {
      const text = read[track]
      // An instance of the gateway that does not run the reply may know less of it than the stream has shown.
      if (known[track].startsWith(text) && !endings.includes(status)) state[track] = known[track]
      else if (known[track] !== text) {
        news.push({ __typename: 'ReplyDelta', ...position, kind, offset: 0, text })
      }
    }
    // Those that follow carry all of the state.
    const told = { ...read, ...position }
    if (expiresAt) news.push({ ...told, __typename: 'ReplyActionRequired', expiresAt })
    if (failure) news.push({ ...told, __typename: 'ReplyFailed', failure })
    if (status === 'COMPLETED') news.push({ ...told, __typename: 'ReplyCompleted', reply: read })
    if (status === 'CANCELLED') news.push({ ...told, __typename: 'ReplyCancelled' })
    become(state, news)
  }
  restore(initial, cursor)

  const reply: ChatReply = {
    id,
    conversationId: initial.conversation.id,
    get status() {
      return subject.snapshot().status
    },
    events: {
      async *[Symbol.asyncIterator]() {
        for (let seen = 0; ;) {
          const news = events.slice(seen)
          seen += news.length
          yield* news
          if (seen < events.length) continue
          if (!isOpen) break
          await nextChange(subject)
        }
        if (!subject.snapshot().failure) await done
      },
    },
    text: {
      async *[Symbol.asyncIterator]() {
        let shown = ''
        for await (const _ of reply.events) {
          const { text } = subject.snapshot()
          if (text !== shown) yield (shown = text)
        }
        await done
      },
    },
    done,
    state: subject,
    cancel: () => actions.cancel(id),
    submitToolOutputs: (outputs) => actions.submitToolOutputs(id, outputs),
  }
  return {
    reply,
    get isOpen() {
      return isOpen
    },
    take(event) {
      const state = subject.snapshot()
      const next = stateAfter(state, event)
      // A delta that only repeats what a restored state has would let the text shrink and grow again. A correction is empty.
      const isBehind =
        isAhead &&
        'offset' in event &&
        event.text &&
        state.text.startsWith(next.text) &&
        state.reasoning.startsWith(next.reasoning)
      if (!isOpen || isBehind) return
      isAhead &&= event.__typename === 'ReplyStarted'
      become(next, [event])
    },
    restore,
    fail(error) {
      if (isOpen) become({ ...subject.snapshot() }, [], error)
    },
  }
}

/** The state of a reply after an event. */
export function stateAfter(state: ReplyState, event: ReplyEvent): ReplyState {
  const running: ReplyState = {
    ...state,
    status: 'RUNNING',
    queuePosition: null,
    toolCalls: [],
    actionExpiresAt: null,
  }
  switch (event.__typename) {
    case 'ReplyStarted':
      return running
    case 'ReplyDelta': {
      const track = event.kind === 'ANSWER' ? 'text' : 'reasoning'
      // Applying a delta twice changes nothing, and a correction is a delta at an earlier offset.
      return { ...running, [track]: state[track].slice(0, event.offset) + event.text }
    }
    case 'ReplyActionRequired': {
      const { toolCalls, expiresAt: actionExpiresAt } = event
      return { ...running, status: 'ACTION_REQUIRED', toolCalls, actionExpiresAt }
    }
    case 'ReplyCompleted': {
      const { __typename, cursor: _cursor, replyId: _replyId, reply, ...told } = event
      return { ...running, ...told, ...reply, status: 'COMPLETED' }
    }
    case 'ReplyFailed':
      return { ...running, status: 'FAILED', failure: event.failure }
    case 'ReplyCancelled':
      return { ...running, status: 'CANCELLED', upstreamCancelled: event.upstreamCancelled }
    // A newer gateway may have more kinds of events.
    default:
      return state
  }
}
