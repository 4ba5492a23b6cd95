import type { AssistantId, ConversationId, ReplyId, Session } from '../domain.ts'
import type { Logger } from '../observe/logger.ts'
import type { Ledger } from '../store/ledger.ts'
import type { Orphan, RunLease } from '../store/run-lease.ts'
import { onAbort } from '../lib/on-abort.ts'
import { remember } from '../lib/remember.ts'
import type { Clock } from '../lib/clock.ts'
import { StoreError } from '../store/store.ts'
import type { Admission } from './admission.ts'
import type { Permit } from './permits.ts'
import { type RunTraces, StopRequest } from './run.ts'
import type { Runner } from './runner.ts'

/**
 * One worker per conversation that has something to do:
 *
 *     accepted with a lease ──────────────────────┐
 *     wake ──▶ take a permit ──▶ claim the head ──▶ run it ──▶ release the permit
 *                   ▲                 │                              │
 *                   │                 └──▶ nothing waits: end ◀── no │
 *                   └──────────────────────────── something waits ◀──┘
 *
 * Until there is a permit of its assistant, a reply stays QUEUED: one that waited too long is claimed without, to expire.
 * Waking a conversation while a worker is at it makes that one look once more, so that no accepted message is left behind.
 */
export interface ReplyQueue {
  /** There may be something to claim in the conversation. */
  wake(conversation: QueuedConversation): void
  /** Resumes a conversation whose replies were queued before this process started. */
  resume(conversation: QueuedConversation): void
  /** Sends a reply that was accepted with its lease, in this turn; then goes on with the conversation's queue. */
  send(lease: RunLease, permit: Permit): void
  /** Takes over a reply whose runner died, then the conversation's queue. */
  takeOver(orphan: Orphan): void
  /** Stops a reply that runs here; resolves when it has ended. False: it does not run here. */
  cancel(replyId: ReplyId): Promise<boolean>
  /** Stops replies that run here, or are about to, in an upstream conversation that was met by another. */
  stopBreached(replyIds: readonly ReplyId[]): void
  /** Cancels the running reply so that the one at the head comes next. */
  interrupt(conversation: QueuedConversation, running: ReplyId): void
  /** Claims nothing more. */
  pause(): void
  /** Resolves when nothing runs; what still runs when the signal aborts is stopped first. */
  drain(signal: AbortSignal): Promise<void>
}

export interface QueuedConversation {
  readonly session: Session
  readonly conversationId: ConversationId
  readonly assistantId: AssistantId
}

interface Worker {
  /** Look once more before ending. */
  again: boolean
}

/** The reply that a worker begins with, and how it is driven. */
interface First {
  readonly lease: RunLease
  readonly permit: Permit | undefined
  drive(permit: Permit, signal: AbortSignal): Promise<boolean>
}

interface RunningReply {
  readonly controller: AbortController
  readonly done: Promise<boolean>
}

/** How long a worker waits before it asks a store again that failed, in ms. */
const retryMs = 1000
/** Stops that are remembered until their reply is begun here; the oldest is forgotten first. */
const maxEarly = 1_000

export function createReplyQueue(options: {
  readonly ledger: Pick<Ledger, 'claim'>
  readonly runner: Runner
  readonly traces: RunTraces
  readonly admission: Admission
  /** How long a reply may wait at the head of its queue, in ms. */
  readonly queueExpiryMs: number
  readonly clock: Clock
  readonly logger: Logger
}): ReplyQueue {
  const { ledger, runner, traces, admission, clock, logger } = options
  /** The worker of each conversation that is being worked at. One that another has followed ends by itself. */
  const workers = new Map<ConversationId, Worker>()
  const working = new Set<Promise<void>>()
  const runs = new Map<ReplyId, RunningReply>()
  /** Why replies are stopped for which that came in an earlier life, or before this process has learnt that it is to run them. */
  const early = new Map<ReplyId, StopRequest>()
  const paused = new AbortController()
  /** The time to drain is over: what runs is stopped, and so is what was being claimed just then. */
  let stopped: StopRequest | undefined

  function start(
    conversation: QueuedConversation,
    worker: Worker,
    first: First | undefined,
    isOld: boolean,
  ): void {
    workers.set(conversation.conversationId, worker)
    const done = work(conversation, worker, first, isOld)
      .catch((error: unknown) => logger.error({ err: error }, 'a conversation worker failed'))
      .finally(() => working.delete(done))
    working.add(done)
  }

  /** `isOld`: the first one that it claims may have been at the head before this process was. */
  async function work(
    { session, conversationId, assistantId }: QueuedConversation,
    worker: Worker,
    first: First | undefined,
    isOld: boolean,
  ): Promise<void> {
    using permit = first?.permit ?? admission.permit(assistantId, session.id)
    const mayGoOn = () => !paused.signal.aborted && workers.get(conversationId) === worker
    try {
      if (first !== undefined) {
        const hasNext = await track(first.lease, (signal) => first.drive(permit, signal))
        permit.release()
        if (!hasNext && !worker.again) return
      }
      for (let mayExpire = isOld; mayGoOn(); mayExpire = false) {
        const since = clock.monotonic()
        await enter(permit)
        worker.again = false
        const lease = await claimNext(session, conversationId, mayGoOn)
        if (lease === undefined) {
          permit.release({ unused: true })
          if (!worker.again) return
          continue
        }
        // Where the wall clock has jumped, it makes nothing old that came to the head here.
        mayExpire ||= clock.monotonic() - since >= options.queueExpiryMs
        const hasNext = await track(lease, (signal) =>
          runner.run(lease, { permit, mayExpire }, signal),
        )
        permit.release()
        if (!hasNext && !worker.again) return
      }
    } finally {
      // In the same turn as the decision to stop: a waking either was seen, or starts another worker.
      if (workers.get(conversationId) === worker) workers.delete(conversationId)
    }
  }

  /** Waits for a permit, as long as a reply may: then the one at the head is claimed without, to expire. */
  async function enter(permit: Permit): Promise<void> {
    if (permit.tryTake()) return
    const stop = new AbortController()
    using _pause = onAbort(paused.signal, () => stop.abort())
    using _expiry = clock.timer(Math.max(0, options.queueExpiryMs), () => stop.abort())
    try {
      await permit.take(stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  }

  /**
   * A store that fails loses no message: it is asked again. A worker that another has followed claims nothing more, or that
   * one would find nothing and end, and nobody would go on behind what was claimed.
   */
  async function claimNext(
    session: Session,
    conversationId: ConversationId,
    mayGoOn: () => boolean,
  ) {
    while (mayGoOn()) {
      try {
        return await ledger.claim(session, conversationId, clock.now())
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        logger.error({ err: error }, 'the next reply could not be claimed')
        await clock.sleep(retryMs, paused.signal).catch(() => undefined)
      }
    }
    return undefined
  }

  async function track(
    { reply, whenLost }: RunLease,
    drive: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<boolean> {
    const controller = new AbortController()
    const asked = stopped ?? early.get(reply.id)
    early.delete(reply.id)
    if (asked !== undefined) controller.abort(asked)
    using _lost = onAbort(whenLost, () => controller.abort(whenLost.reason))
    const done = traces.run(reply, () => drive(controller.signal))
    runs.set(reply.id, { controller, done })
    try {
      return await done
    } finally {
      runs.delete(reply.id)
    }
  }

  /** The first stop of a reply is the one that counts. */
  function stop(replyId: ReplyId, request: StopRequest): void {
    const run = runs.get(replyId)
    if (run !== undefined) run.controller.abort(request)
    else if (!early.has(replyId)) {
      // The store has begun it, and the answer is on its way; or it has just ended.
      remember(early, replyId, request, maxEarly)
    }
  }

  function wake(conversation: QueuedConversation, isOld = false): void {
    const worker = workers.get(conversation.conversationId)
    if (worker !== undefined) worker.again = true
    else if (!paused.signal.aborted) start(conversation, { again: false }, undefined, isOld)
  }

  return {
    wake: (conversation) => wake(conversation),
    resume: (conversation) => wake(conversation, true),
    send(lease, permit) {
      const { session, reply } = lease
      const { conversationId, assistantId } = reply
      // The worker that it follows has nothing left to run: the store would have queued the message otherwise.
      const worker = { again: workers.has(conversationId) }
      const first: First = {
        lease,
        permit,
        drive: (held, signal) => runner.send(lease, held, signal),
      }
      start({ session, conversationId, assistantId }, worker, first, false)
    },
    takeOver(orphan) {
      const { session, reply } = orphan.lease
      const { conversationId, assistantId } = reply
      if (orphan.isInterrupted) stop(reply.id, new StopRequest('cancel'))
      if (orphan.isBreached === true) stop(reply.id, new StopRequest('breach'))
      const first: First = {
        lease: orphan.lease,
        permit: undefined,
        drive: (permit, signal) => runner.recover(orphan, permit, signal),
      }
      const conversation = { session, conversationId, assistantId }
      start(conversation, { again: false }, first, true)
    },
    interrupt(conversation, running) {
      stop(running, new StopRequest('cancel'))
      wake(conversation)
    },
    stopBreached(replyIds) {
      for (const id of replyIds) stop(id, new StopRequest('breach'))
    },
    async cancel(replyId) {
      const run = runs.get(replyId)
      if (run === undefined) return false
      run.controller.abort(new StopRequest('cancel'))
      await run.done
      return true
    },
    pause: () => paused.abort(new StopRequest('shutdown')),
    async drain(signal) {
      using _ = onAbort(signal, () => {
        stopped = new StopRequest('shutdown')
        for (const { controller } of runs.values()) controller.abort(stopped)
      })
      while (working.size > 0) await Promise.all(working)
    },
  }
}
