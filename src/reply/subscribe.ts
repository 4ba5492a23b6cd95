import {
  type ConversationId,
  type Cursor,
  type Position,
  type ReplyEvent,
  type ReplyId,
  type Session,
  type SessionId,
} from '../domain.ts'
import { BadUserInputError, CursorExpiredError, NotFoundError } from '../errors.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { EventFilter, LogItem, ReadResult, ReplyLog } from '../store/log.ts'
import type { SessionStore } from '../store/session-store.ts'
import type { CursorCodec } from './cursor.ts'

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
  /** Where a client stands that has had the item. */
  cursor(item: LogItem): Cursor
  /**
   * Hands over events in order, in batches, merged for a taker that lags. Resolves after the terminal event when
   * subscribed to one reply. Abort the signal to end it; its reason is thrown.
   * @throws {@link CursorExpiredError} when the log was trimmed under the reader, or lost its place.
   */
  follow(take: TakeItems, signal: AbortSignal): Promise<void>
}

/** How one session subscribes. */
export function createSubscribe(
  session: Session,
  options: {
    readonly ledger: {
      session(session: Session): Pick<SessionStore, 'conversations' | 'replyState'>
    }
    readonly log: Omit<ReplyLog, 'trim'>
    readonly cursors: CursorCodec
  },
): (request: SubscribeRequest) => Promise<ReplySubscription> {
  const { ledger, log, cursors } = options
  const store = ledger.session(session)

  async function subscribe(request: SubscribeRequest): Promise<ReplySubscription> {
    const { replyId, conversationId } = request
    const resumed = request.lastEventId || undefined
    const given = resumed ?? request.after
    let position = given === undefined ? undefined : await parseCursor(given)
    let ended = false
    if (conversationId !== undefined) await findConversation(conversationId)
    if (replyId !== undefined) {
      const reply = await store.replyState(replyId)
      if (reply === undefined)
        throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
      if (conversationId !== undefined && reply.conversationId !== conversationId) {
        throw new NotFoundError('There is no such reply in the conversation.', {
          field: ['replyId'],
        })
      }
      position ??= await startOf(replyId)
      if (reply.endedSeq !== undefined) {
        const left = await log.read(session.id, position, { replyId }, 1)
        if (left === 'expired') throw expired()
        // That nothing is read says less: the reply may be deleted meanwhile, and an engine may read what is not the latest.
        ended = position.seq >= reply.endedSeq
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
      cursor: ({ position: reached }) => cursors.encode(reached),
      async follow(take, signal) {
        if (ended) return
        const source = { sessionId: session.id, after: position, filter, isGone: isGone(replyId) }
        await tail(log, source, take, signal)
      },
    }
  }

  async function parseCursor(text: string): Promise<Position> {
    const position = cursors.parse(text)
    if (position === undefined) throw badCursor()
    if (position === 'expired') throw expired()
    if ((await log.check(session.id, position)) === 'expired') throw expired()
    return position
  }

  async function startOf(replyId: ReplyId): Promise<Position> {
    const start = await log.start(session.id, replyId)
    if (start === undefined)
      throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
    if (start === 'expired') throw expired()
    return start
  }

  /** Whether a reply was deleted, with whatever of its events a reader has not had. */
  function isGone(replyId: ReplyId | undefined): (() => Promise<boolean>) | undefined {
    return replyId && (async () => (await store.replyState(replyId)) === undefined)
  }

  async function findConversation(id: ConversationId): Promise<void> {
    const [conversation] = await store.conversations([id])
    if (conversation === undefined)
      throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
  }

  return subscribe
}

function badCursor(): BadUserInputError {
  return new BadUserInputError('The cursor is not one of this session.')
}

function expired(): CursorExpiredError {
  return new CursorExpiredError('The log no longer has the events after the cursor.')
}

/** Text a reader is handed at once, in code units: what a slow reader may cost beyond its cursor. */
const maxReadLength = 16_384

/** Takes a batch of events; a promise when the next one has to wait. */
export type TakeItems = (items: readonly LogItem[]) => Promise<void> | undefined
/** What one read led to: nothing was there, there may be more, or the reply that was asked for has ended. */
type Step = 'idle' | 'more' | 'end'

/**
 * Hands over the events after a position, and then those to come, at the taker's own pace: a cursor, not a queue.
 * Resolves after the terminal event when the filter names a reply.
 *
 * The usual event is read and taken in the turn in which it is appended, with no promise between. Whatever has to wait
 * (a store that is asked, a taker that is slow) is waited for by the loop, and wakes meanwhile only make it look again.
 *
 * @throws the signal's reason; {@link CursorExpiredError} when the log was trimmed under the reader, or lost its place.
 */
export async function tail(
  log: Pick<ReplyLog, 'read' | 'listen'>,
  source: {
    readonly sessionId: SessionId
    readonly after: Position
    readonly filter: EventFilter
    /** Asked when there is nothing to read: what the filter names has no end that would come. */
    readonly isGone?: (() => Promise<boolean>) | undefined
  },
  take: TakeItems,
  signal: AbortSignal,
): Promise<void> {
  const { sessionId, filter } = source
  let position = source.after
  let idle: PromiseWithResolvers<Step> | undefined
  let missed = false

  function step(): Step | Promise<Step> {
    const items = log.read(sessionId, position, filter, maxReadLength)
    return items instanceof Promise ? items.then(deliver) : deliver(items)
  }

  function deliver(items: ReadResult): Step | Promise<Step> {
    if (items === 'expired') {
      throw new CursorExpiredError(
        'The log no longer has the events after the position of the reader.',
      )
    }
    const last = items.at(-1)
    if (last === undefined) return 'idle'
    position = last.position
    const next = filter.replyId !== undefined && isEnd(last.event) ? 'end' : 'more'
    return take(items)?.then(() => next) ?? next
  }

  function wake(): void {
    const waiting = idle
    if (waiting === undefined) {
      missed = true
      return
    }
    try {
      let next = step()
      while (next === 'more') next = step()
      if (next === 'idle') return
      idle = undefined
      waiting.resolve(next)
    } catch (error) {
      idle = undefined
      waiting.reject(error)
    }
  }

  // Armed before the first read: no append falls between read and wait.
  using _wake = log.listen(sessionId, wake)
  using _abort = onAbort(signal, () => idle?.reject(signal.reason))
  for (let next: Step = 'more'; next !== 'end';) {
    signal.throwIfAborted()
    if (next === 'more' || missed) {
      missed = false
      next = await step()
    } else {
      idle = Promise.withResolvers()
      next = await idle.promise
    }
    if (next === 'idle' && (await source.isGone?.())) throw expired()
  }
}

function isEnd(event: ReplyEvent): boolean {
  switch (event.type) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return true
    case 'started':
    case 'delta':
    case 'action-required':
      return false
  }
}
