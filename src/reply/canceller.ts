import type { ConversationId, MessageId, Reply, ReplyId, Session } from '../domain.ts'
import { ConversationBusyError, NotFoundError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { FinishOutcome, Ledger } from '../store/ledger.ts'
import { StoreError } from '../store/store.ts'
import type { ReplyQueue } from './queue.ts'
import { stored } from './stored.ts'

/** Stops replies of sessions. */
export interface Canceller {
  /** A finished one is answered unchanged. @throws {@link NotFoundError} {@link UnavailableError} */
  cancel(session: Session, id: ReplyId): Promise<Reply>
  /** Counts and logs the end of a reply that was cancelled while nobody ran it. */
  report(reply: Reply): void
  /**
   * Does `work` when nothing is open, of one conversation or of all: what is open is cancelled first, and its end waited
   * for. `busy`: something was open again.
   * @throws {@link ConversationBusyError} when messages come faster than they are cancelled.
   */
  idle<T>(
    session: Session,
    conversationId: ConversationId | undefined,
    work: () => Promise<T | 'busy'>,
  ): Promise<T>
}

/** How often a conversation is emptied again for messages that came meanwhile. */
const maxRounds = 5
/** How long to wait before an end that the store refused is looked for, in ms. */
const lookAgainMs = 1000

export function createCanceller(options: {
  readonly ledger: Ledger
  readonly queue: ReplyQueue
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'replyEnded'>
  /** Aborts when the engine is closed. */
  readonly closed: AbortSignal
}): Canceller {
  const { ledger, queue, clock, newId, logger, metrics, closed } = options

  async function find(session: Session, id: ReplyId): Promise<Reply> {
    const [reply] = await ledger.session(session).replies([id])
    if (reply === undefined) throw new NotFoundError('There is no such reply.')
    return reply
  }

  async function cancel(session: Session, id: ReplyId): Promise<Reply> {
    let reply = await find(session, id)
    if (await queue.cancel(id)) {
      reply = await find(session, id)
      if (reply.endedAt !== null) return reply
      // A shutdown was faster: it was requeued, or let go of while it waits for the session.
    }
    const at = clock.now()
    const outcome = await stored(() => finish(session, reply, at))
    if (outcome.type === 'lost') throw new NotFoundError('There is no such reply.')
    if (outcome.type === 'finished') report(reply)
    if (outcome.type !== 'finished' || outcome.hasNext) wake(session, reply)
    return outcome.reply
  }

  async function finish(session: Session, reply: Reply, at: number): Promise<FinishOutcome> {
    try {
      return await ledger.finish(session, {
        replyId: reply.id,
        event: { type: 'cancelled', upstreamCancelled: false },
        answerId: newId() as MessageId,
        // It is not run here: what it asked for is parked upstream, or another instance lets its run go on unseen.
        resetUpstream: reply.status !== 'QUEUED',
        upstreamMessageId: undefined,
        explanation: undefined,
        owesCancel: undefined,
        at,
      })
    } catch (error) {
      if (error instanceof StoreError) void lookAgain(session, reply, at)
      throw error
    }
  }

  /** A store that could not tell whether an end is on disk is asked for it once it writes again. */
  async function lookAgain(session: Session, reply: Reply, at: number): Promise<void> {
    // A store that is closed under a cancel is no fault: what became of it is known after the next start.
    if (closed.aborted) return
    logger.error({ reply: reply.id }, 'the end of a reply was not stored')
    for (;;) {
      await clock.sleep(lookAgainMs, closed).catch(() => undefined)
      if (closed.aborted) return
      try {
        const [found] = await ledger.session(session).replies([reply.id])
        if (found?.status === 'CANCELLED' && found.endedAt === at) {
          report(reply)
          wake(session, reply)
        }
        return
      } catch (error) {
        if (error instanceof StoreError) continue
        logger.error({ reply: reply.id, err: error }, 'the end of a reply could not be looked at')
        return
      }
    }
  }

  function wake(session: Session, { conversationId, assistantId }: Reply): void {
    queue.wake({ session, conversationId, assistantId })
  }

  function report({ id: reply, assistantId: assistant, createdAt }: Reply): void {
    metrics.replyEnded('CANCELLED', undefined)
    const ms = clock.now() - createdAt
    logger.info({ reply, assistant, status: 'CANCELLED', ms }, 'reply ended')
  }

  return {
    cancel,
    report,
    async idle(session, conversationId, work) {
      for (let round = 0; round < maxRounds; round += 1) {
        const open = await ledger.session(session).openReplies(conversationId)
        // Those that wait first, or they would run when the one before them ends.
        const waiting = open.filter(({ status }) => status === 'QUEUED')
        const running = open.filter(({ status }) => status !== 'QUEUED')
        for (const replies of [waiting, running]) {
          await Promise.all(replies.map(({ id }) => cancel(session, id)))
        }
        const outcome = await work()
        if (outcome !== 'busy') return outcome
      }
      throw new ConversationBusyError('New messages came while the open replies were cancelled.')
    },
  }
}
