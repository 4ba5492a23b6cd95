import type {
  Message,
  ReplyId,
  ConversationId,
  Session,
  StrategyKind,
  UpstreamScope,
  Usage,
} from '../domain.ts'

/**
 * One step of an upstream run, as the strategy tells it. Everything that carries text names the run it belongs to
 * (`chatId`, `conversationId`), so that the guard can check it.
 */
export type RunEvent =
  /** The first event: the upstream runs this chat in this conversation. */
  | { readonly type: 'accepted'; readonly chatId: string; readonly conversationId: string }
  | {
      readonly type: 'delta'
      readonly chatId: string
      readonly conversationId: string
      readonly messageId: string
      readonly kind: 'ANSWER' | 'REASONING'
      readonly text: string
    }
  /** The whole text of one answer message; corrects what the deltas said. */
  | {
      readonly type: 'message'
      readonly chatId: string
      readonly conversationId: string
      readonly messageId: string
      readonly text: string
    }
  | {
      readonly type: 'follow-up'
      readonly chatId: string
      readonly conversationId: string
      readonly text: string
    }
  | {
      readonly type: 'completed'
      readonly chatId: string
      readonly conversationId: string
      readonly usage: Usage | null
    }
  | { readonly type: 'cancelled'; readonly chatId: string; readonly conversationId: string }
  /** The upstream waits for a tool's output or an answer to its question. */
  | { readonly type: 'action-required'; readonly chatId: string; readonly conversationId: string }

/** All that a run may depend on: every upstream key is derived from the session, never from arguments. */
export interface RunContext {
  readonly session: Session
  readonly conversationId: ConversationId
  readonly replyId: ReplyId
  /** How often the conversation was begun anew upstream. */
  readonly generation: number
}

/** Where a conversation goes on upstream. `named`: the first run reveals the id (design.md §6, `conversationKeying: name`). */
export type UpstreamConversation =
  | { readonly type: 'id'; readonly conversationId: string }
  | { readonly type: 'named' }

export interface StartRequest extends RunContext {
  readonly upstream: UpstreamConversation
  readonly text: string
  /** Older messages that seed a new upstream conversation, oldest first. */
  readonly history: readonly Message[]
}

export interface RecoverRequest extends RunContext {
  readonly upstreamConversationId: string | undefined
  readonly chatId: string | undefined
}

/** What the upstream knows of a run whose stream was lost. */
export type Recovered =
  /** Ended or still to be polled: the same events as a stream gives, ending with a terminal one. */
  { readonly type: 'found'; readonly events: readonly RunEvent[] } | { readonly type: 'unknown' }

/**
 * Drives an assistant upstream. Everything that waits takes a signal, required and last.
 * Failures are {@link RunFailedError}.
 */
export interface ChatStrategy {
  readonly kind: StrategyKind
  readonly scope: UpstreamScope
  /** Obtains the upstream conversation before any user text leaves. */
  open(run: RunContext, signal: AbortSignal): Promise<UpstreamConversation>
  /** Sends the message and streams the run: one batch per network read, the last one ending with a terminal event. */
  start(request: StartRequest, signal: AbortSignal): AsyncIterable<readonly RunEvent[]>
  /** Tells the upstream to stop, where it can be told. True: it was told and agreed. Never throws; bounded by the signal. */
  cancel(
    run: RunContext & { readonly upstreamConversationId: string; readonly chatId: string },
    signal: AbortSignal,
  ): Promise<boolean>
  /** Finds out how a run ended whose stream was lost: polls until it is terminal or the deadline is over. Never resends. */
  recover(request: RecoverRequest, signal: AbortSignal): Promise<Recovered>
}
