import type { Limits } from '../config/sections/limits.ts'
import type {
  AssistantId,
  AssistantInfo,
  Cursor,
  Reply,
  ReplyId,
  Session,
  ToolOutput,
} from '../domain.ts'
import {
  AssistantUnavailableError,
  DrainingError,
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
  UnavailableError,
} from '../errors.ts'
import type { SharedRateLimiter } from '../rate/shared-limiter.ts'
import { CursorCodec } from '../reply/cursor.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import {
  createSubscribe,
  type ReplySubscription,
  type SubscribeRequest,
} from '../reply/subscribe.ts'
import { checkOutputs, digestOfOutputs } from '../reply/tool-outputs.ts'
import type { Ledger } from '../store/ledger.ts'
import type { ReplyLog } from '../store/log.ts'
import { stored } from '../store/store.ts'
import { type AcceptanceOptions, createAcceptance, type SendMessageRequest } from './acceptance.ts'
import type { SessionCaller } from './conversations.ts'
import { checkContent, needsAssistant } from './message-content.ts'

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
   * Answers what an ACTION_REQUIRED reply waits for; resolves when that is stored, and the reply goes on. Outputs that
   * equal some that it was given before change nothing: the reply is returned as it is.
   * @throws {@link InvalidInputError} unless it names exactly the calls that are waited for. {@link NotFoundError}
   * {@link DrainingError} {@link UnavailableError}
   */
  submitToolOutputs(id: ReplyId, outputs: readonly ToolOutput[]): Promise<Reply>
  /** Stops a reply; a finished one is answered unchanged. @throws {@link NotFoundError} */
  cancelReply(id: ReplyId): Promise<Reply>
  /** What the session may do: messages and uploads in a minute, replies open at once. */
  limits(): Promise<Readonly<Record<'messages' | 'uploads' | 'openReplies', SessionLimit>>>
  /** The end of the session's log: query a snapshot, then subscribe after it with no gap. */
  cursor(): Promise<Cursor>
  /** @throws {@link BadUserInputError} {@link NotFoundError} {@link CursorExpiredError} */
  subscribe(request: SubscribeRequest): Promise<ReplySubscription>
}

/** What a session may do of one thing. */
export interface SessionLimit {
  readonly limit: number
  readonly remaining: number
  /** When the whole limit is there again, in ms since the epoch; null: nothing is used, or time alone resets nothing. */
  readonly resetAt: number | null
}

/** How often a session may do what costs. */
export interface SessionRates {
  readonly messages: SharedRateLimiter
  readonly guestMessages: SharedRateLimiter
  readonly uploads: SharedRateLimiter
}

export interface SessionRepliesOptions
  extends AcceptanceOptions, Pick<ReplyEngine, 'pendingOutputs' | 'draining'> {
  /** Some assistant is out of service. */
  readonly isRestricted: () => boolean
  readonly ledger: Ledger
  readonly log: ReplyLog
  /** Ties cursors to the installation. */
  readonly cursorKey: string
  readonly limits: AcceptanceOptions['limits'] & Pick<Limits, 'maxAttachments' | 'maxMessageLength'>
  readonly rates: SessionRates
}

/** Makes what each session may do. */
export function createSessionReplies(
  options: SessionRepliesOptions,
): (session: Session, caller: SessionCaller) => SessionReplies {
  const { ledger, log, admission, assistants, limits, rates, draining } = options
  const acceptance = createAcceptance(options)

  /** Made for each request, and kept as long as a subscription runs: it holds its session and nothing else. */
  class Replies implements SessionReplies {
    readonly #session: Session
    readonly #messages: SharedRateLimiter
    constructor(session: Session, { kind }: SessionCaller) {
      this.#session = session
      this.#messages = kind === 'guest' ? rates.guestMessages : rates.messages
    }

    async sendMessage(request: SendMessageRequest): Promise<Reply> {
      refuseWhenDraining()
      const session = this.#session
      if (request.assistantId !== undefined) findAssistant(request.assistantId)
      const refusal = await this.#check(request)
      if (refusal !== undefined) {
        // What was accepted before is answered, whatever stands against a new message.
        const hasKey = request.idempotency !== undefined
        const repeated = hasKey ? await acceptance.repeat(session, request) : undefined
        if (repeated === undefined) throw refusal
        return repeated
      }
      return await acceptance.accept(session, request, () => this.#messages.giveBack(session.id))
    }

    /**
     * Why no new message may be accepted now; undefined: it may, and counts.
     * @throws {@link InvalidInputError} {@link NotSupportedError} {@link NotFoundError}
     */
    async #check(
      request: SendMessageRequest,
    ): Promise<AssistantUnavailableError | RateLimitedError | undefined> {
      if (needsAssistant(request) || admission.isDegraded() || options.isRestricted()) {
        const assistant = await this.#assistantOf(request)
        const { maxAttachments } = limits
        const served = options.serve(assistant.id, undefined)
        const textsOnly = served?.strategy?.takesTextsOnly ?? false
        checkContent(request, assistant, { maxAttachments, textsOnly })
        if (served !== undefined && served.strategy === undefined) {
          return new AssistantUnavailableError(served.reason, null)
        }
        const retryAfterMs = admission.circuit(assistant.id)?.retryAfterMs
        if (retryAfterMs !== undefined) {
          return new AssistantUnavailableError('The assistant cannot be reached.', retryAfterMs)
        }
      }
      try {
        await this.#messages.take(this.#session.id)
        return undefined
      } catch (error) {
        if (error instanceof RateLimitedError) return error
        throw error
      }
    }

    async #assistantOf(request: SendMessageRequest): Promise<AssistantInfo> {
      const { assistantId, conversationId } = request
      if (assistantId !== undefined) return findAssistant(assistantId)
      if (conversationId === undefined) return assistants[0]
      const [conversation] = await ledger.session(this.#session).conversations([conversationId])
      if (conversation === undefined)
        throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
      return findAssistant(conversation.assistantId)
    }

    async submitToolOutputs(id: ReplyId, outputs: readonly ToolOutput[]): Promise<Reply> {
      refuseWhenDraining()
      const session = this.#session
      checkOutputs(outputs, limits.maxMessageLength)
      const [reply] = await ledger.session(session).replies([id])
      if (reply === undefined)
        throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
      const taking = {
        toolCallIds: outputs.map(({ toolCallId }) => toolCallId),
        digest: digestOfOutputs(outputs),
      }
      const deliver = () =>
        options.pendingOutputs.deliver(id, outputs, () =>
          stored(() => ledger.takeToolOutputs(session, id, taking)),
        )
      let outcome = await deliver()
      if (outcome === undefined) {
        const orphan = await stored(() => ledger.takeWaiting(session, id))
        // From here on it waits here.
        if (orphan !== undefined) options.queue.takeOver(orphan)
        outcome = await deliver()
      }
      if (outcome === undefined) {
        // Whoever sends them again may come when the reply has ended, or to a process that does not run it.
        if (await ledger.session(session).tookToolOutputs(id, taking.digest)) {
          const [unchanged = reply] = await ledger.session(session).replies([id])
          return unchanged
        }
        if (reply.status !== 'ACTION_REQUIRED') throw notWaiting()
        throw new UnavailableError('The reply is just about to end.')
      }
      switch (outcome.type) {
        case 'taken':
        case 'repeated':
          return outcome.reply
        case 'not-waiting':
          throw notWaiting()
        case 'other-calls':
          throw new InvalidInputError('The reply waits for the outputs of other tool calls.', {
            field: ['outputs'],
          })
        case 'not-found':
          throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
      }
    }

    cancelReply(id: ReplyId): Promise<Reply> {
      return options.canceller.cancel(this.#session, id)
    }

    async limits() {
      const [open, messages, uploads] = await Promise.all([
        ledger.session(this.#session).openReplies(undefined),
        this.#limitOf(this.#messages),
        this.#limitOf(rates.uploads),
      ])
      const limit = limits.maxOpenPerSession
      return {
        messages,
        uploads,
        openReplies: { limit, remaining: Math.max(0, limit - open.length), resetAt: null },
      }
    }

    async #limitOf(rate: SharedRateLimiter): Promise<SessionLimit> {
      const { limit, remaining, resetAfterMs } = await rate.state(this.#session.id)
      const resetAt = resetAfterMs === undefined ? null : options.clock.now() + resetAfterMs
      return { limit, remaining, resetAt }
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

  function refuseWhenDraining(): void {
    if (draining.aborted) throw new DrainingError('The gateway is shutting down.')
  }

  function findAssistant(id: AssistantId): AssistantInfo {
    const assistant = assistants.find((candidate) => candidate.id === id)
    if (assistant === undefined)
      throw new NotFoundError('There is no such assistant.', { field: ['assistantId'] })
    return assistant
  }

  return (session, caller) => new Replies(session, caller)
}

function notWaiting(): InvalidInputError {
  return new InvalidInputError('The reply does not wait for tool outputs.', { field: ['replyId'] })
}
