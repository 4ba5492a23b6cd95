import type { Session } from '../domain.ts'
import { onAbort } from '../lib/on-abort.ts'
import { createReplyQueue } from './queue.ts'
import { createRunner, type RunnerOptions } from './runner.ts'
import {
  createSessionReplies,
  type SessionReplies,
  type SessionRepliesOptions,
} from './session-replies.ts'
import { StopRequest } from './stop.ts'

export interface ReplyEngineOptions
  extends
    Omit<RunnerOptions, 'closed'>,
    Pick<SessionRepliesOptions, 'assistants' | 'cursorKey' | 'maxQueued'> {
  /** How long events outlive their reply, in ms. */
  readonly retentionMs: number
}

/** Accepts messages, runs replies and remembers what they said. One per process and store. */
export interface ReplyEngine extends AsyncDisposable {
  /** What one session may do. */
  session(session: Session): SessionReplies
  /** Takes up what an earlier process left behind. Call once, before the first request. */
  recover(): Promise<void>
  /** Accepts nothing more and lets what runs finish, until the signal aborts; the rest ends as FAILED `SHUTDOWN`. */
  drain(signal: AbortSignal): Promise<void>
}

/** How often the log is trimmed, in ms. */
const trimEveryMs = 60_000

export function createReplyEngine(options: ReplyEngineOptions): ReplyEngine {
  const { ledger, log, clock, logger } = options
  const draining = new AbortController()
  const closed = new AbortController()
  const runner = createRunner({ ...options, closed: closed.signal })
  const queue = createReplyQueue({ ledger, runner, clock, logger })
  const trimming = trim()

  async function trim(): Promise<void> {
    while (!closed.signal.aborted) {
      await clock.sleep(trimEveryMs, closed.signal).catch(() => undefined)
      if (closed.signal.aborted) return
      try {
        const endedBefore = clock.now() - options.retentionMs
        while ((await log.trim(endedBefore)) > 0) await clock.sleep(0, closed.signal)
      } catch (error) {
        logger.error({ err: error }, 'the reply log could not be trimmed')
      }
    }
  }

  async function drain(signal: AbortSignal): Promise<void> {
    draining.abort(new StopRequest('shutdown'))
    queue.pause()
    using _ = onAbort(signal, () => closed.abort(new StopRequest('shutdown')))
    await queue.drain(signal)
  }

  return {
    session: createSessionReplies({ ...options, queue, draining: draining.signal }),
    async recover() {
      for (const orphan of await ledger.orphans()) queue.adopt(orphan)
      for (const { session, conversationId } of await ledger.waiting()) {
        queue.kick(session, conversationId)
      }
    },
    drain,
    async [Symbol.asyncDispose]() {
      await drain(AbortSignal.abort())
      await trimming
    },
  }
}
