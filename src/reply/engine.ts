import type { Session } from '../domain.ts'
import { onAbort } from '../lib/on-abort.ts'
import { createCanceller } from './canceller.ts'
import { createSessionConversations, type SessionConversationsOptions } from './conversations.ts'
import { createGates, type GatesOptions } from './gates.ts'
import { createReplyQueue, type ReplyQueue } from './queue.ts'
import { createRunTraces } from './run-traces.ts'
import { createRunner, type RunnerOptions } from './runner.ts'
import type { SessionCaller } from './session-caller.ts'
import type { SessionConversations } from './session-conversations.ts'
import {
  createSessionReplies,
  type SessionReplies,
  type SessionRepliesOptions,
} from './session-replies.ts'
import { StopRequest } from './stop.ts'
import { createTrimming, type TrimmingOptions } from './trimming.ts'
import { createWaitingRoom } from './waiting-room.ts'

/** What the engine makes itself. */
type Own =
  | 'gates'
  | 'queue'
  | 'traces'
  | 'canceller'
  | 'waitingRoom'
  | 'draining'
  | 'closed'
  | 'rate'
  | 'stopBreached'

export interface ReplyEngineOptions
  extends
    Omit<RunnerOptions, Own>,
    Omit<GatesOptions, Own>,
    Omit<SessionRepliesOptions, Own>,
    Omit<SessionConversationsOptions, Own>,
    Omit<TrimmingOptions, Own> {}

/** Accepts messages, runs replies and remembers what they said. One per process and store. */
export interface ReplyEngine extends AsyncDisposable {
  /** What one session may do with its replies, on behalf of a caller. */
  session(session: Session, caller: SessionCaller): SessionReplies
  /** What it may do with its conversations beside talking. */
  conversations(session: Session, caller: SessionCaller): SessionConversations
  /** Takes up what an earlier process left behind. Call once, before the first request. */
  recover(): Promise<void>
  /** Some assistant cannot be reached: the gateway serves, but not all it should. */
  isDegraded(): boolean
  /**
   * Accepts nothing more and lets what runs finish, until the signal aborts; the rest ends as FAILED `SHUTDOWN`. What
   * waits for its session is found at the next start.
   */
  drain(signal: AbortSignal): Promise<void>
}

export function createReplyEngine(options: ReplyEngineOptions): ReplyEngine {
  const { ledger } = options
  const draining = new AbortController()
  const closed = new AbortController()
  const waitingRoom = createWaitingRoom()
  const gates = createGates(options)
  const inside = {
    ...options,
    gates,
    waitingRoom,
    draining: draining.signal,
    closed: closed.signal,
  }
  const traces = createRunTraces(options)
  const runner = createRunner({ ...inside, stopBreached: (ids) => queue.breach(ids) })
  const queue: ReplyQueue = createReplyQueue({ ...inside, runner, traces })
  const canceller = createCanceller({ ...inside, queue })
  const trimming = createTrimming(inside)

  async function drain(signal: AbortSignal): Promise<void> {
    draining.abort(new StopRequest('shutdown'))
    queue.pause()
    using _ = onAbort(signal, () => closed.abort(new StopRequest('shutdown')))
    await queue.drain(signal)
  }

  return {
    session: createSessionReplies({ ...inside, queue, canceller, traces }),
    conversations: createSessionConversations({
      ...inside,
      canceller,
      rate: options.rates.uploads,
    }),
    async recover() {
      for (const orphan of await ledger.orphans()) queue.adopt(orphan)
      for (const conversation of await ledger.waiting()) queue.find(conversation)
    },
    isDegraded: () => gates.isDegraded(),
    drain,
    async [Symbol.asyncDispose]() {
      await drain(AbortSignal.abort())
      await trimming
      gates[Symbol.dispose]()
    },
  }
}
