import type { ConversationId, MessageId, Reply, ReplyId, Session } from '../domain.ts'
import { ConversationBusyError, NotFoundError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Ledger } from '../store/ledger.ts'
import { stored } from '../store/store.ts'
import type { ReplyQueue } from './queue.ts'

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

export function createCanceller(options: {
  readonly ledger: Ledger
  readonly queue: ReplyQueue
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'replyEnded'>
}): Canceller {
  const { ledger, queue, clock, newId, logger, metrics } = options

  async function find(session: Session, id: ReplyId): Promise<Reply> {
    const [reply] = await ledger.session(session).replies([id])
    if (reply === undefined)
      throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
    return reply
  }

  async function cancel(session: Session, id: ReplyId): Promise<Reply> {
    let reply = await find(session, id)
    if (await queue.cancel(id)) {
      reply = await find(session, id)
      if (reply.endedAt !== null) return reply
      // A shutdown was faster: it was requeued, or let go of while it waits for the session.
    }
    const outcome = await stored(() =>
      ledger.finish(session, {
        replyId: reply.id,
        event: { type: 'cancelled', upstreamCancelled: false },
        answerId: newId() as MessageId,
        // It is not run here: what it asked for is parked upstream, or another instance lets its run go on unseen.
        resetUpstream: reply.status !== 'QUEUED',
        upstreamMessageId: undefined,
        explanation: undefined,
        owesCancel: undefined,
        at: clock.now(),
      }),
    )
    if (outcome.type === 'lost')
      throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
    if (outcome.type === 'finished') report(reply)
    if (outcome.type !== 'finished' || outcome.hasNext) wake(session, reply)
    return outcome.reply
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
