import { createHash } from 'node:crypto'
import type {
  AssistantId,
  AssistantInfo,
  AttachmentId,
  BusyPolicy,
  ConversationId,
  Cursor,
  MessageExtras,
  MessageId,
  Reply,
  ReplyId,
  Session,
  ToolOutput,
} from '../domain.ts'
import {
  ConversationBusyError,
  DrainingError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  QueueFullError,
  UnavailableError,
} from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { AcceptOutcome, Ledger } from '../store/ledger.ts'
import type { ReplyLog } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { CursorCodec } from './cursor.ts'
import type { ReplyQueue } from './queue.ts'
import { createSubscribe, type ReplySubscription, type SubscribeRequest } from './subscribe.ts'

export interface SendMessageRequest {
  readonly text: string
  /** Undefined: the conversation's, else the first configured. */
  readonly assistantId: AssistantId | undefined
  readonly conversationId: ConversationId | undefined
  readonly attachmentIds: readonly AttachmentId[]
  readonly extras: MessageExtras
  readonly onBusy: BusyPolicy
  /** `input`: the raw input as the caller sent it, in a canonical form; a key is good for one input. */
  readonly idempotency: { readonly key: string; readonly input: string } | undefined
}

/** What one session may do with its replies. No method takes a session. */
export interface SessionReplies {
  /**
   * Accepts a message. Its reply runs on whether anybody listens or not.
   * @throws {@link InvalidInputError} {@link NotFoundError} {@link ConversationBusyError} {@link QueueFullError}
   * {@link RateLimitedError} {@link IdempotencyMismatchError} {@link NotSupportedError}
   * {@link AssistantUnavailableError} {@link DrainingError} {@link UnavailableError}
   */
  sendMessage(request: SendMessageRequest): Promise<Reply>
  /**
   * Answers what an ACTION_REQUIRED reply waits for; resolves when that is stored, and the reply goes on.
   * @throws {@link InvalidInputError} unless it names exactly the calls that are waited for. {@link NotFoundError}
   * {@link DrainingError} {@link UnavailableError}
   */
  submitToolOutputs(id: ReplyId, outputs: readonly ToolOutput[]): Promise<Reply>
  /** Stops a reply; a finished one is answered unchanged. @throws {@link NotFoundError} */
  cancelReply(id: ReplyId): Promise<Reply>
  /** What the session may still do now: messages in this minute, replies open at once. */
  limitsLeft(): Promise<{ readonly messages: number; readonly openReplies: number }>
  /** The end of the session's log: query a snapshot, then subscribe after it with no gap. */
  cursor(): Promise<Cursor>
  /** @throws {@link BadUserInputError} {@link NotFoundError} {@link CursorExpiredError} */
  subscribe(request: SubscribeRequest): Promise<ReplySubscription>
}

export interface SessionRepliesOptions {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly queue: ReplyQueue
  readonly clock: Clock
  readonly newId: NewId
  /** In configured order: the first one is the default. */
  readonly assistants: readonly [AssistantInfo, ...AssistantInfo[]]
  /** Ties cursors to the installation. */
  readonly cursorKey: string
  /** Replies that may wait in one conversation. */
  readonly maxQueued: number
  /** Aborts when nothing more is accepted. */
  readonly draining: AbortSignal
}

/** Makes what each session may do. */
export function createSessionReplies(
  options: SessionRepliesOptions,
): (session: Session) => SessionReplies {
  const { ledger, log, queue, clock, newId, assistants, draining } = options

  /** Made for each request, and kept as long as a subscription runs: it holds its session and nothing else. */
  class Replies implements SessionReplies {
    readonly #session: Session
    constructor(session: Session) {
      this.#session = session
    }

    async sendMessage(request: SendMessageRequest): Promise<Reply> {
      if (draining.aborted) throw new DrainingError('The gateway is shutting down.')
      const session = this.#session
      const { idempotency, assistantId, conversationId, text, onBusy } = request
      if (assistantId !== undefined) findAssistant(assistantId)
      const outcome = await stored(() =>
        ledger.accept(session, {
          replyId: newId() as ReplyId,
          messageId: newId() as MessageId,
          newConversationId: newId() as ConversationId,
          assistantId,
          defaultAssistantId: assistants[0].id,
          conversationId,
          text,
          onBusy,
          idempotency: idempotency && { key: idempotency.key, digest: digest(idempotency.input) },
          maxQueued: options.maxQueued,
          at: clock.now(),
        }),
      )
      const { reply, interrupts } = accepted(outcome)
      if (interrupts === undefined) queue.kick(session, reply.conversationId)
      else queue.interrupt(session, reply.conversationId, interrupts)
      return reply
    }

    async cancelReply(id: ReplyId): Promise<Reply> {
      const session = this.#session
      const reply = await findReply(session, id)
      if (await queue.cancel(id)) return await findReply(session, id)
      const outcome = await stored(() =>
        ledger.finish(session, {
          replyId: id,
          fence: undefined,
          event: { type: 'cancelled', upstreamCancelled: false },
          answerId: newId() as MessageId,
          resetUpstream: false,
          at: clock.now(),
        }),
      )
      if (outcome.type === 'lost') throw new NotFoundError('There is no such reply.')
      queue.kick(session, reply.conversationId)
      return outcome.reply
    }

    async cursor(): Promise<Cursor> {
      const { id } = this.#session
      return new CursorCodec(options.cursorKey, id).encode(await log.end(id))
    }

    subscribe(request: SubscribeRequest): Promise<ReplySubscription> {
      const session = this.#session
      const cursors = new CursorCodec(options.cursorKey, session.id)
      return createSubscribe(session, { ledger, log, cursors })(request)
    }
  }

  async function findReply(session: Session, id: ReplyId): Promise<Reply> {
    const [reply] = await ledger.session(session).replies([id])
    if (reply === undefined) throw new NotFoundError('There is no such reply.')
    return reply
  }

  function findAssistant(id: AssistantId): AssistantInfo {
    const assistant = assistants.find((candidate) => candidate.id === id)
    if (assistant === undefined) throw new NotFoundError('There is no such assistant.')
    return assistant
  }

  return (session) => new Replies(session)
}

function accepted(outcome: AcceptOutcome): {
  readonly reply: Reply
  readonly interrupts: ReplyId | undefined
} {
  switch (outcome.type) {
    case 'accepted':
      return outcome
    case 'repeated':
      return { reply: outcome.reply, interrupts: undefined }
    case 'key-reused':
      throw new IdempotencyMismatchError('The idempotency key was used with another input.')
    case 'conversation-not-found':
      throw new NotFoundError('There is no such conversation.')
    case 'other-assistant':
      throw new InvalidInputError('The conversation is with another assistant.')
    case 'busy':
      throw new ConversationBusyError('Another reply is being written in the conversation.')
    case 'queue-full':
      throw new QueueFullError('Too many messages wait in the conversation.')
  }
}

async function stored<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new UnavailableError('The message could not be stored. Nothing was sent.', {
      cause: error,
    })
  }
}

function digest(input: string): string {
  return createHash('sha256').update(input).digest('base64url')
}
