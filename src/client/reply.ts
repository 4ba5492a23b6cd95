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
  cancel(): Promise<void>
  submitToolOutputs(outputs: readonly ToolOutput[]): Promise<void>
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

/** @param cursor the position at which `initial` was read. */
export function createReply(
  initial: ReplyState,
  cursor: string,
  actions: ReplyActions,
): FollowedReply {
  const subject = createSubject(initial)
  const events = [...eventsBetween(undefined, initial, cursor)]
  let error: ChatError | undefined
  /** Whether deltas may come that the restored state has already. */
  let isAhead = true
  const ended = () => error !== undefined || endings.includes(subject.snapshot().status)

  const done = new Promise<ReplyState>((resolve, reject) => {
    subject.subscribe(settle)
    settle()
    function settle() {
      const state = subject.snapshot()
      if (state.failure) error ??= new ChatError(state.failure)
      if (error) reject(error)
      else if (ended()) resolve(state)
    }
  })
  // A caller who reads `text` or `events` alone has no use for the rejection.
  done.catch(() => undefined)

  const { id } = initial
  const reply: ChatReply = {
    id,
    conversationId: initial.conversation.id,
    get status() {
      return subject.snapshot().status
    },
    events: {
      async *[Symbol.asyncIterator]() {
        for (let index = 0; ;) {
          const event = events[index]
          if (event) {
            index += 1
            yield event
          } else if (!ended()) await nextChange(subject)
          else if (error && !subject.snapshot().failure) throw error
          else return
        }
      },
    },
    text: {
      async *[Symbol.asyncIterator]() {
        for (let shown = ''; ;) {
          const { text } = subject.snapshot()
          if (text !== shown) yield (shown = text)
          else if (!ended()) await nextChange(subject)
          else if (error) throw error
          else return
        }
      },
    },
    done,
    state: subject,
    async cancel() {
      await actions.cancel(id)
    },
    async submitToolOutputs(outputs) {
      await actions.submitToolOutputs(id, outputs)
    },
  }
  return {
    reply,
    get isOpen() {
      return !ended()
    },
    take(event) {
      if (ended()) return
      const state = subject.snapshot()
      const next = stateAfter(state, event)
      if (isAhead && isBehind(state, next, event)) return
      isAhead = false
      events.push(event)
      subject.set(next)
    },
    restore(read, at) {
      if (ended()) return
      isAhead = true
      const known = subject.snapshot()
      const state = endings.includes(read.status) ? read : withLongerTexts(known, read)
      events.push(...eventsBetween(known, state, at))
      subject.set(state)
    },
    fail(reason) {
      if (ended()) return
      error = reason
      subject.set({ ...subject.snapshot() })
    },
  }
}

/** An instance of the gateway that does not run the reply may know less of it than the stream has shown. */
function withLongerTexts(known: ReplyState, read: ReplyState): ReplyState {
  const { text, reasoning } = known
  return {
    ...read,
    ...(text.startsWith(read.text) && { text }),
    ...(reasoning.startsWith(read.reasoning) && { reasoning }),
  }
}

/** Whether a delta only repeats what a restored state has, so that the shown text would shrink and grow again. */
function isBehind(state: ReplyState, next: ReplyState, event: ReplyEvent): boolean {
  if (event.__typename !== 'ReplyDelta' || event.text === '') return false
  return state.text.startsWith(next.text) && state.reasoning.startsWith(next.reasoning)
}

/** The events that lead from a known state to one that was read. */
function* eventsBetween(
  known: ReplyState | undefined,
  state: ReplyState,
  cursor: string,
): Generator<ReplyEvent, void, undefined> {
  const at = { cursor, replyId: state.id }
  const { text, reasoning, toolCalls, actionExpiresAt: expiresAt, failure } = state
  if (reasoning !== (known?.reasoning ?? '')) {
    yield { __typename: 'ReplyDelta', kind: 'REASONING', offset: 0, text: reasoning, ...at }
  }
  if (text !== (known?.text ?? '')) {
    yield { __typename: 'ReplyDelta', kind: 'ANSWER', offset: 0, text, ...at }
  }
  if (expiresAt !== null) yield { __typename: 'ReplyActionRequired', toolCalls, expiresAt, ...at }
  if (failure) yield { __typename: 'ReplyFailed', failure, ...at }
  const { followUps, question, omitted, contextReset, usage, answer, upstreamCancelled } = state
  const told = { text, followUps, question, omitted, contextReset, usage, reply: { answer } }
  if (state.status === 'COMPLETED') yield { __typename: 'ReplyCompleted', ...told, ...at }
  if (state.status === 'CANCELLED') {
    yield { __typename: 'ReplyCancelled', upstreamCancelled, ...at }
  }
}

/** The state of a reply after an event. */
export function stateAfter(state: ReplyState, event: ReplyEvent): ReplyState {
  const running = {
    ...state,
    status: 'RUNNING',
    queuePosition: null,
    toolCalls: [],
    actionExpiresAt: null,
  } as const
  switch (event.__typename) {
    case 'ReplyStarted':
      return running
    case 'ReplyDelta': {
      const track = event.kind === 'ANSWER' ? 'text' : 'reasoning'
      // Applying a delta twice changes nothing, and a correction is a delta at an earlier offset.
      return { ...running, [track]: state[track].slice(0, event.offset) + event.text }
    }
    case 'ReplyActionRequired':
      return {
        ...running,
        status: 'ACTION_REQUIRED',
        toolCalls: event.toolCalls,
        actionExpiresAt: event.expiresAt,
      }
    case 'ReplyCompleted': {
      const { text, followUps, question, omitted, contextReset, usage, reply } = event
      const { answer } = reply
      const told = { text, followUps, question, omitted, contextReset, usage, answer }
      return { ...running, status: 'COMPLETED', ...told }
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
