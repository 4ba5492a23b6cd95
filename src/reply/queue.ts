import type { AssistantId, ConversationId, Reply, ReplyId, Session } from '../domain.ts'
import type { Logger } from '../observe/logger.ts'
import type { Ledger, Orphan } from '../store/ledger.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { Clock } from '../lib/clock.ts'
import { StoreError } from '../store/store.ts'
import type { Place } from './gate.ts'
import type { Gates } from './gates.ts'
import type { RunTraces } from './run-traces.ts'
import type { Runner } from './runner.ts'
import { StopRequest } from './stop.ts'

/**
 * One worker per conversation that has something to do:
 *
 *     kick ──▶ take a place ──▶ claim the head ──▶ run it ──▶ give the place back
 *                  ▲                  │                             │
 *                  │                  └──▶ nothing waits: end       │
 *                  └────────────────────────────────────────────────┘
 *
 * Until there is a place at its assistant, a reply stays QUEUED: one that waited too long is claimed without, to expire.
 * A kick while a worker is at it makes it look once more, so that no accepted message is left behind.
 */
export interface ReplyQueue {
  /** There may be something to claim in the conversation. */
  kick(conversation: WaitingConversation): void
  /** There is something in it that waited before this process was. */
  find(conversation: WaitingConversation): void
  /** Takes over a reply whose runner died, then the conversation's queue. */
  adopt(orphan: Orphan): void
  /** Stops a reply that runs here; resolves when it has ended. False: it does not run here. */
  cancel(replyId: ReplyId): Promise<boolean>
  /** Stops replies that run here in an upstream conversation that was met by another. */
  breach(replyIds: readonly ReplyId[]): void
  /** Cancels the running reply so that the one at the head comes next. */
  interrupt(conversation: WaitingConversation, running: ReplyId): void
  /** Claims nothing more. */
  pause(): void
  /** Resolves when nothing runs; what still runs when the signal aborts is stopped first. */
  drain(signal: AbortSignal): Promise<void>
}

export interface WaitingConversation {
  readonly session: Session
  readonly conversationId: ConversationId
  readonly assistantId: AssistantId
}

interface Worker {
  /** Look once more before ending. */
  again: boolean
  /** A claimed reply that was interrupted before its run had begun, or in an earlier life. */
  interrupted?: ReplyId
}

/** What a worker begins with. */
interface Work {
  readonly orphan: Orphan | undefined
  /** The first one it claims may have been at the head before this process was. */
  readonly isOld: boolean
}

interface Run {
  readonly controller: AbortController
  readonly done: Promise<void>
}

/** How long a worker waits before it asks a store again that failed, in ms. */
const retryMs = 1000

export function createReplyQueue(options: {
  readonly ledger: Ledger
  readonly runner: Runner
  readonly traces: RunTraces
  readonly gates: Gates
  /** How long a reply may wait at the head of its queue, in ms. */
  readonly queueExpiryMs: number
  readonly clock: Clock
  readonly logger: Logger
}): ReplyQueue {
  const { ledger, runner, traces, gates, clock, logger } = options
  /** Conversations that are being worked at. */
  const workers = new Map<ConversationId, Worker>()
  const working = new Set<Promise<void>>()
  const runs = new Map<ReplyId, Run>()
  const paused = new AbortController()
  /** The time to drain is over: what runs is stopped, and so is what was being claimed just then. */
  const stopped = new AbortController()

  function start(conversation: WaitingConversation, work: Work): void {
    const done = workAt(conversation, work)
      .catch((error: unknown) => logger.error({ err: error }, 'a conversation worker failed'))
      .finally(() => working.delete(done))
    working.add(done)
  }

  async function workAt(
    { session, conversationId, assistantId }: WaitingConversation,
    { orphan, isOld }: Work,
  ): Promise<void> {
    const worker: Worker = { again: false }
    if (orphan?.isInterrupted === true) worker.interrupted = orphan.reply.id
    workers.set(conversationId, worker)
    using place = gates.place(assistantId, session.id)
    try {
      if (orphan !== undefined) {
        await track(worker, orphan.reply, (signal) => runner.recover(orphan, place, signal))
        place.giveBack()
      }
      for (let mayExpire = isOld; !paused.signal.aborted; mayExpire = false) {
        const since = clock.monotonic()
        await enter(place)
        worker.again = false
        const claim = await claimNext(session, conversationId)
        if (claim !== undefined) {
          // Where the wall clock has jumped, it makes nothing old that came to the head here.
          mayExpire ||= clock.monotonic() - since >= options.queueExpiryMs
          await track(worker, claim.reply, (signal) =>
            runner.run(claim, { place, mayExpire }, signal),
          )
          place.giveBack()
        } else {
          place.giveBack({ unused: true })
          if (!worker.again) return
        }
      }
    } finally {
      // In the same turn as the decision to stop: a kick either was seen, or starts another worker.
      workers.delete(conversationId)
    }
  }

  /** Waits for a place, as long as a reply may: then the one at the head is claimed without, to expire. */
  async function enter(place: Place): Promise<void> {
    const stop = new AbortController()
    using _pause = onAbort(paused.signal, () => stop.abort())
    using _expiry = clock.timer(Math.max(0, options.queueExpiryMs), () => stop.abort())
    try {
      await place.take(stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  }

  /** A store that fails loses no message: it is asked again. */
  async function claimNext(session: Session, conversationId: ConversationId) {
    while (!paused.signal.aborted) {
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
    worker: Worker,
    reply: Reply,
    drive: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const controller = new AbortController()
    using _ = onAbort(stopped.signal, () => controller.abort(stopped.signal.reason))
    if (worker.interrupted === reply.id) controller.abort(new StopRequest('cancel'))
    const done = traces.run(reply, () => drive(controller.signal))
    runs.set(reply.id, { controller, done })
    try {
      await done
    } finally {
      runs.delete(reply.id)
    }
  }

  function kick(conversation: WaitingConversation, isOld = false): void {
    const worker = workers.get(conversation.conversationId)
    if (worker !== undefined) worker.again = true
    else if (!paused.signal.aborted) start(conversation, { orphan: undefined, isOld })
  }

  return {
    kick: (conversation) => kick(conversation),
    find: (conversation) => kick(conversation, true),
    interrupt(conversation, running) {
      const run = runs.get(running)
      const worker = workers.get(conversation.conversationId)
      if (run !== undefined) run.controller.abort(new StopRequest('cancel'))
      // The store has the claim, and its worker is about to learn of it.
      else if (worker !== undefined) worker.interrupted = running
      kick(conversation)
    },
    breach(replyIds) {
      for (const id of replyIds) runs.get(id)?.controller.abort(new StopRequest('breach'))
    },
    adopt(orphan) {
      const { conversationId, assistantId } = orphan.reply
      start({ session: orphan.session, conversationId, assistantId }, { orphan, isOld: true })
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
      using _ = onAbort(signal, () => stopped.abort(new StopRequest('shutdown')))
      while (working.size > 0) await Promise.all(working)
    },
  }
}
