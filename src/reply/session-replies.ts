import { createHash } from 'node:crypto'
import type {
  AssistantId,
  AssistantInfo,
  BusyPolicy,
  Conversation,
  ConversationId,
  Cursor,
  MessageId,
  Position,
  Reply,
  ReplyEvent,
  ReplyId,
  Session,
} from '../domain.ts'
import { isTerminal } from '../domain.ts'
import {
  BadUserInputError,
  ConversationBusyError,
  CursorExpiredError,
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
import type { EventFilter, ReplyLog } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { createCursorCodec } from './cursor.ts'
import type { ReplyQueue } from './queue.ts'
import { tail } from './tail.ts'

export interface SendMessageRequest {
  readonly text: string
  /** Undefined: the conversation's, else the first configured. */
  readonly assistantId: AssistantId | undefined
  readonly conversationId: ConversationId | undefined
  readonly onBusy: BusyPolicy
  /** `input`: the raw input as the caller sent it, in a canonical form; a key is good for one input. */
  readonly idempotency: { readonly key: string; readonly input: string } | undefined
}

export interface SubscribeRequest {
  readonly replyId: ReplyId | undefined
  readonly conversationId: ConversationId | undefined
  /** As the client sent it, unchecked. */
  readonly after: string | undefined
  /** The `Last-Event-ID` header; wins over `after`. */
  readonly lastEventId: string | undefined
}

/** A validated subscription: everything that can be refused was refused before. */
export interface ReplySubscription {
  /** The client has had the reply's terminal event already, by `Last-Event-ID`: answer 204. */
  readonly past: boolean
  /** Where it starts: what to resume from until the first event was delivered. */
  readonly start: Cursor
  cursor(event: ReplyEvent): Cursor
  /**
   * Events in order, in batches, merged for a reader that lags. Ends after the terminal event when subscribed to one
   * reply. Abort the signal to end it; its reason is thrown.
   * @throws {@link CursorExpiredError} when the log was trimmed under the reader.
   */
  events(signal: AbortSignal): AsyncGenerator<readonly ReplyEvent[], void, undefined>
}

/** What one session may do with its replies. No method takes a session. */
export interface SessionReplies {
  /**
   * Accepts a message. Its reply runs on whether anybody listens or not.
   * @throws {@link InvalidInputError} {@link NotFoundError} {@link ConversationBusyError} {@link QueueFullError}
   * {@link IdempotencyMismatchError} {@link DrainingError} {@link UnavailableError}
   */
  sendMessage(request: SendMessageRequest): Promise<Reply>
  /** Stops a reply; a finished one is answered unchanged. @throws {@link NotFoundError} */
  cancelReply(id: ReplyId): Promise<Reply>
  /** Begins an empty conversation. @throws {@link NotFoundError} {@link UnavailableError} */
  startConversation(assistantId: AssistantId | undefined): Promise<Conversation>
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

export function createSessionReplies(
  session: Session,
  options: SessionRepliesOptions,
): SessionReplies {
  const { ledger, log, queue, clock, newId, assistants, draining } = options
  const store = ledger.session(session)
  const cursors = createCursorCodec(options.cursorKey, session.id)

  async function sendMessage(request: SendMessageRequest): Promise<Reply> {
    if (draining.aborted) throw new DrainingError('The gateway is shutting down.')
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

  async function cancelReply(id: ReplyId): Promise<Reply> {
    const reply = await findReply(id)
    if (isTerminal(reply.status)) return reply
    if (await queue.cancel(id)) return await findReply(id)
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

  async function startConversation(assistantId: AssistantId | undefined): Promise<Conversation> {
    if (draining.aborted) throw new DrainingError('The gateway is shutting down.')
    const assistant = assistantId === undefined ? assistants[0] : findAssistant(assistantId)
    const id = newId() as ConversationId
    const conversation = { id, assistantId: assistant.id, at: clock.now() }
    return await stored(() => ledger.startConversation(session, conversation))
  }

  async function subscribe(request: SubscribeRequest): Promise<ReplySubscription> {
    const { replyId, conversationId } = request
    const resumed = request.lastEventId || undefined
    const given = resumed ?? request.after
    let position = given === undefined ? undefined : await parseCursor(given)
    let ended = false
    if (conversationId !== undefined) await findConversation(conversationId)
    if (replyId !== undefined) {
      const reply = await findReply(replyId)
      if (conversationId !== undefined && reply.conversationId !== conversationId) {
        throw new NotFoundError('There is no such reply in the conversation.')
      }
      position ??= await startOf(replyId)
      if (isTerminal(reply.status)) {
        const left = await log.read(session.id, position, { replyId }, 1)
        if (left === 'trimmed') throw expired()
        ended = left.length === 0
      }
    }
    position ??= await log.end(session.id)
    const filter: EventFilter = {
      ...(replyId !== undefined && { replyId }),
      ...(conversationId !== undefined && { conversationId }),
    }
    return {
      past: ended && resumed !== undefined,
      start: cursors.encode(position),
      cursor: (event) => cursors.encode(event),
      events: (signal) => (ended ? nothing() : follow(position, filter, signal)),
    }
  }

  async function* follow(
    position: Position,
    filter: EventFilter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ReplyEvent[], void, undefined> {
    for await (const events of tail(log, session.id, position, filter, signal)) {
      yield events
      if (filter.replyId !== undefined && isEnd(events.at(-1))) return
    }
  }

  async function parseCursor(text: string): Promise<Position> {
    const position = cursors.parse(text)
    if (position === undefined) throw badCursor()
    switch (await log.check(session.id, position)) {
      case 'ok':
        return position
      case 'beyond':
        throw badCursor()
      case 'trimmed':
        throw expired()
    }
  }

  async function startOf(replyId: ReplyId): Promise<Position> {
    const start = await log.start(session.id, replyId)
    if (start === undefined) throw new NotFoundError('There is no such reply.')
    if (start === 'trimmed') throw expired()
    return start
  }

  async function findReply(id: ReplyId): Promise<Reply> {
    const [reply] = await store.replies([id])
    if (reply === undefined) throw new NotFoundError('There is no such reply.')
    return reply
  }

  async function findConversation(id: ConversationId): Promise<void> {
    const [conversation] = await store.conversations([id])
    if (conversation === undefined) throw new NotFoundError('There is no such conversation.')
  }

  function findAssistant(id: AssistantId): AssistantInfo {
    const assistant = assistants.find((candidate) => candidate.id === id)
    if (assistant === undefined) throw new NotFoundError('There is no such assistant.')
    return assistant
  }

  return {
    sendMessage,
    cancelReply,
    startConversation,
    subscribe,
    cursor: async () => cursors.encode(await log.end(session.id)),
  }
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

async function* nothing(): AsyncGenerator<readonly ReplyEvent[], void, undefined> {}

function isEnd(event: ReplyEvent | undefined): boolean {
  switch (event?.type) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return true
    case 'started':
    case 'delta':
    case undefined:
      return false
  }
}

function digest(input: string): string {
  return createHash('sha256').update(input).digest('base64url')
}

function badCursor(): BadUserInputError {
  return new BadUserInputError('The cursor is not one of this session.')
}

function expired(): CursorExpiredError {
  return new CursorExpiredError('The log no longer holds the events after the cursor.')
}
