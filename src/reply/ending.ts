import type { MessageId, ReplyFailure, TerminalEventBody } from '../domain.ts'
import { GuardError } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Claim, Ledger } from '../store/ledger.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { ChatStrategy } from '../strategy/strategy.ts'
import { runFailures } from './run-failures.ts'
import type { RunReader } from './run-reader.ts'
import { runContext } from './run-context.ts'
import { isStopped, StopRequest } from './stop.ts'

export interface EndingOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Metrics
  /** How long the upstream is given to agree to a cancel, in ms. */
  readonly cancelMs: number
  /** Aborts when the engine is closed: an end that could not be stored by then is found at the next start. */
  readonly closed: AbortSignal
}

/** How a run ends: the terminal event, and whether the upstream conversation can go on. */
export interface End {
  readonly event: TerminalEventBody
  readonly resetUpstream: boolean
}

/** What is known of a run when it ends. */
export interface RunFacts {
  readonly claim: Claim
  readonly strategy: ChatStrategy
  readonly contextReset: boolean
  /** Undefined: the message has not left. */
  readonly reader: RunReader | undefined
}

/** How long to wait before an end that the store refused is written again, in ms. */
const rewriteMs = 1000

export interface Ending {
  /**
   * The end that the upstream told. `looked`: it was looked up later, not seen in the stream.
   * @throws {@link RunFailedError} when there was none.
   */
  conclude(run: RunFacts, looked: boolean): Promise<End>
  /** What an error, or our own stop, means for the reply. */
  explain(run: RunFacts, error: unknown, signal: AbortSignal): Promise<End>
  /** Step 7. A store that refuses the end is asked again. */
  finish(claim: Claim, end: End): Promise<void>
  /** Back to the queue: nothing was sent. A store that refuses it is asked again. */
  giveBack(claim: Claim): Promise<void>
}

export function failedEnd(failure: ReplyFailure, resetUpstream: boolean): End {
  return { event: { type: 'failed', ...failure }, resetUpstream }
}

export function createEnding(options: EndingOptions): Ending {
  const { ledger, clock, newId, logger, metrics } = options

  async function conclude(run: RunFacts, looked: boolean): Promise<End> {
    const { reader, contextReset, strategy } = run
    const resetUpstream = looked && strategy.kind === 'workflow'
    switch (reader?.end?.type) {
      case 'completed': {
        const { answer: text, followUps } = reader
        const { usage } = reader.end
        return { event: { type: 'completed', text, usage, followUps, contextReset }, resetUpstream }
      }
      case 'cancelled':
        return { event: { type: 'cancelled', upstreamCancelled: true }, resetUpstream }
      case 'action-required':
        await cancelUpstream(run)
        return failedEnd(runFailures.actionUnsupported, true)
      case undefined:
        throw new RunFailedError(runFailures.truncated, { outcome: 'unseen' })
    }
  }

  async function explain(run: RunFacts, error: unknown, signal: AbortSignal): Promise<End> {
    const { claim, reader, strategy } = run
    // A workflow that is not seen to end may still run, and its parked question could swallow the next message.
    const zombie = reader !== undefined && strategy.kind === 'workflow'
    if (isStopped(signal, 'cancel')) {
      const upstreamCancelled = await cancelUpstream(run)
      return { event: { type: 'cancelled', upstreamCancelled }, resetUpstream: zombie }
    }
    if (isStopped(signal, 'shutdown')) {
      await cancelUpstream(run)
      return failedEnd(runFailures.shutdown, zombie)
    }
    if (error instanceof RunFailedError) {
      const { failure, outcome, conversationGone, upstreamCode, logId } = error
      const { code } = failure
      logger.warn({ reply: claim.reply.id, code, upstreamCode, logId }, 'upstream run failed')
      if (outcome === 'unseen') await cancelUpstream(run)
      const unusable = conversationGone || code === 'ISOLATION_BREACH'
      return failedEnd(failure, unusable || (zombie && outcome === 'unseen'))
    }
    await cancelUpstream(run)
    if (error instanceof GuardError) {
      const { code } = error.failure
      logger.error({ reply: claim.reply.id, code }, 'guard stopped a reply')
      return failedEnd(error.failure, zombie || code === 'ISOLATION_BREACH')
    }
    if (error instanceof StoreError) {
      const { storeFull, storeUnavailable } = runFailures
      return failedEnd(error.kind === 'full' ? storeFull : storeUnavailable, zombie)
    }
    logger.error({ reply: claim.reply.id, err: error }, 'reply failed by a fault of the gateway')
    return failedEnd(runFailures.internal, zombie)
  }

  /** True: the upstream was told, and agreed. */
  async function cancelUpstream({ claim, strategy, reader }: RunFacts): Promise<boolean> {
    if (reader?.chatId === undefined || reader.conversationId === undefined) return false
    using deadline = createDeadline(clock, options.cancelMs, () => new StopRequest('cancel'))
    const { chatId, conversationId: upstreamConversationId } = reader
    const target = { ...runContext(claim), upstreamConversationId, chatId }
    return await strategy.cancel(target, deadline.signal)
  }

  async function finish(claim: Claim, end: End): Promise<void> {
    const { session, reply, fence } = claim
    const request = { replyId: reply.id, fence, answerId: newId() as MessageId, ...end }
    const outcome = await store(claim, () =>
      ledger.finish(session, { ...request, at: clock.now() }),
    )
    if (outcome?.type === 'finished') report(claim, end)
  }

  async function giveBack(claim: Claim): Promise<void> {
    const { session, reply, fence } = claim
    await store(claim, () => ledger.requeue(session, reply.id, fence))
  }

  /** Undefined: the engine was closed before the store took it. */
  async function store<T>({ reply }: Claim, write: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await write()
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        logger.error({ reply: reply.id, err: error }, 'the end of a reply was not stored')
        await clock.sleep(rewriteMs, options.closed).catch(() => undefined)
        if (options.closed.aborted) return undefined
      }
    }
  }

  function report({ reply }: Claim, { event }: End): void {
    const status = terminalStatus[event.type]
    const code = event.type === 'failed' ? event.code : undefined
    const ms = clock.now() - reply.createdAt
    metrics.replyEnded(status, code)
    logger.info({ reply: reply.id, assistant: reply.assistantId, status, code, ms }, 'reply ended')
  }

  return { conclude, explain, finish, giveBack }
}

const terminalStatus = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const
