import type {
  Attachment,
  Delta,
  Message,
  MessageExtras,
  MessageId,
  Question,
  Reply,
  ReplyExplanation,
  ReplyId,
  Session,
  SessionId,
  TerminalEventBody,
  ToolCall,
  UpstreamScope,
} from '../domain.ts'
import type { UpstreamBinding, UpstreamChat } from '../domain/upstream.ts'

/** All that a run of a reply needs to know, as it was when the reply was claimed. */
export interface Claim {
  readonly session: Session
  readonly reply: Reply
  readonly message: Message
  readonly attachments: readonly StoredAttachment[]
  readonly extras: MessageExtras
  /** Where the conversation goes on upstream; undefined: it must be opened. */
  readonly upstream: UpstreamBinding | undefined
  /** The conversation had an upstream one that cannot be used any more: seed the new one and say `contextReset`. */
  readonly contextReset: boolean
  /** How often the conversation was begun anew upstream: part of the upstream name, so that none is used twice. */
  readonly generation: number
  /** When the reply reached the head of its queue: its acceptance or the end of the one before, in ms since the epoch. */
  readonly headSince: number
  /** What the last reply before it in the conversation asked, since the last clearing; null: nothing. */
  readonly askedBefore: Question | null
}

/** A file as the upstream knows it. */
export interface StoredAttachment extends Attachment {
  /** Where it was uploaded: an upstream id means nothing elsewhere. */
  readonly scope: UpstreamScope
  readonly upstreamId: string
}

/**
 * The right to write a running reply: session, reply and a random fence in one object. Every write holds only while the
 * reply runs under it; each is one atomic, durable write unless it says otherwise. A lease that was lost can write nothing.
 *
 * The lease holds the reply's text. Text is shown at once; what is new of all running replies is written together, at least
 * every 250 ms, and nobody waits for it.
 */
export interface RunLease extends Claim {
  /** The text so far, as readers hold it: what was on disk when the reply was claimed, and what was appended since. */
  readonly answer: string
  readonly reasoning: string
  /** Aborts, with a {@link LostReplyError}, once it is known that the reply does not run under this lease any more. */
  readonly whenLost: AbortSignal

  /**
   * Step 3: the send intent and the `started` event, and with them, unless it was bound before or its run will reveal it,
   * the conversation's binding; true before anything is sent. A collision: nothing was written but the taint. It may be
   * asked again where the upstream accepted nothing: then it binds the conversation to another one, and `started` stays one.
   */
  intend(intent: {
    readonly binding: UpstreamBinding | undefined
    readonly contextReset: boolean
    readonly at: number
  }): Promise<'intended' | 'lost' | Collision>

  /**
   * Step 4, where the run itself tells its conversation: this upstream conversation is this conversation's, for ever.
   * Replacing one that the conversation had raises its generation. `known`: it was this conversation's before.
   * `contextReset`: the one that the message was sent to is gone.
   */
  bind(
    binding: UpstreamBinding,
    options: { readonly contextReset: boolean; readonly at: number },
  ): Promise<'bound' | 'known' | 'lost' | Collision>

  /** Step 4: the upstream's id of this run. It joins the next group of writes; nobody waits for it. */
  recordChat(chatId: string): void

  /**
   * Step 5: shows deltas and keeps them, at once. A delta at the end of the text goes on in its revision; one before the
   * end is a correction and begins a revision. Returns nothing while there is room for more, else a promise to wait for
   * before the next append.
   * @throws {@link LostReplyError} when the reply does not run under this lease any more.
   */
  append(deltas: readonly Delta[]): Promise<void> | undefined

  /** RUNNING to ACTION_REQUIRED: the text so far, the calls and the `action-required` event, in one. False: the lease is lost. */
  requireAction(action: {
    readonly toolCalls: readonly ToolCall[]
    readonly expiresAt: number
  }): Promise<boolean>

  /**
   * Step 6: the whole text, the end, its event and the release of the conversation, in one. Where a completed event's text is
   * not the text so far, it is a correction of that.
   */
  finish(request: Omit<FinishRequest, 'replyId'>): Promise<FinishOutcome>

  /**
   * Back to QUEUED, at the head; only before the send intent. `lost`: the lease is lost or the intent was recorded.
   * `interrupted`: a message has interrupted it, so that it must not come to the head again; the lease is held on.
   */
  requeue(): Promise<RequeueOutcome>
}

/** Two sessions, or two conversations of one, were given one upstream conversation: nobody uses it again. */
export interface Collision {
  readonly type: 'collision'
  /** Whose it was first. */
  readonly owner: SessionId
  /** False: it was met by two before. */
  readonly isNew: boolean
  /** What runs in it, for whoever had it. */
  readonly inFlight: readonly ReplyId[]
}

export interface FinishRequest {
  readonly replyId: ReplyId
  readonly event: TerminalEventBody
  /** The id of the answer's message; stored when `event` is `completed`. */
  readonly answerId: MessageId
  /** The next reply must begin a new upstream conversation: this run's end was not seen. */
  readonly resetUpstream: boolean
  /** The upstream's id of the (last) answer message, where it is known: feedback names it. */
  readonly upstreamMessageId: string | undefined
  /** Undefined: it never came to be sent. */
  readonly explanation: ReplyExplanation | undefined
  /** A chat that runs on upstream although it was to be cancelled: written to the outbox with the end. */
  readonly owesCancel: UpstreamChat | undefined
  readonly at: number
}

export type FinishOutcome =
  /** `hasNext`: other replies wait in the conversation. */
  | { readonly type: 'finished'; readonly reply: Reply; readonly hasNext: boolean }
  /** It had ended before; that end stands. */
  | { readonly type: 'already'; readonly reply: Reply }
  /** The lease is lost, or the reply is unknown to this session. */
  | { readonly type: 'lost' }

export type RequeueOutcome = 'requeued' | 'interrupted' | 'lost'

/** A reply that was RUNNING or ACTION_REQUIRED when its runner died, under a new lease. */
export interface Orphan {
  readonly lease: RunLease
  /** A message has interrupted it: it is to be cancelled. */
  readonly isInterrupted: boolean
  /** Another was met in its upstream conversation: it is to be failed. */
  readonly isBreached?: boolean
  /** What was recorded of the upstream run. */
  readonly progress: RunProgress
}

export type RunProgress =
  /** Nothing was sent. */
  | { readonly step: 'claimed' }
  | { readonly step: 'intended' }
  /** The run had told in which conversation it goes on; that nobody else was there was not found out yet. */
  | { readonly step: 'revealed' }
  | { readonly step: 'streaming'; readonly chatId: string }
  /** ACTION_REQUIRED: it waits for tool outputs. */
  | {
      readonly step: 'waiting'
      readonly chatId: string
      readonly toolCalls: readonly ToolCall[]
      readonly expiresAt: number
    }
  /** Tool outputs were taken; whether they were sent is unknown. */
  | { readonly step: 'answered'; readonly chatId: string }
