import type {
  MessageId,
  OmittedContent,
  Question,
  ReplyExplanation,
  ReplyFailure,
  TerminalEventBody,
  ToolCall,
} from '../domain.ts'
import { breachFailures } from '../isolation/breaches.ts'
import { GuardError } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import type { Claim, Ledger } from '../store/ledger.ts'
import { LostReplyError } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import { explanationOf, type RunFacts, runReference } from './run-facts.ts'
import { runFailures } from './run-failures.ts'
import type { RunReader } from './run-reader.ts'
import type { RunWrites } from './run-writes.ts'
import { isStopped, StopRequest } from './stop.ts'

export interface EndingOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** How long the upstream is given to agree to a cancel, in ms. */
  readonly cancelMs: number
  /** Aborts when the engine is closed: an end that could not be stored by then is found at the next start. */
  readonly closed: AbortSignal
  /** Hears that the run was told what is another's. */
  readonly reportForeign: RunWrites['reportForeign']
}

/** How a run ends: the terminal event, and whether the upstream conversation can go on. */
export interface End {
  readonly event: TerminalEventBody
  readonly resetUpstream: boolean
  /** The upstream's id of the last answer message, where it is known. */
  readonly upstreamMessageId: string | undefined
  /** Undefined: it was never sent. */
  readonly explanation: ReplyExplanation | undefined
}

/**
 * Whether a run whose end was not seen can get in the way of a later message: it may still run, as long as the platform
 * does not agree that it is cancelled, and a parked question could swallow the next message whatever it agrees to.
 */
function mayStillSpeak({ reader }: RunFacts, isConfirmed: boolean): boolean {
  return reader !== undefined && (!isConfirmed || reader.waits)
}

/**
 * Whether a run went on in a conversation that knows nothing of the messages before it, since the one that it was sent to
 * is gone. The next one brings them to a new conversation, but for the answer to a question, which is asked where it is.
 */
function lacksOlderMessages(event: TerminalEventBody, run: RunFacts | undefined): boolean {
  const asks = event.type === 'completed' && event.question !== null
  return run?.reader?.moved === true && !run.contextReset && !asks
}

/** How long to wait before an end that the store refused is written again, in ms. */
const rewriteMs = 1000

export interface Ending {
  /**
   * The end that the upstream told, in the stream or in a look-up that proves it.
   * @throws {@link RunFailedError} when there was none.
   */
  conclude(run: RunFacts): Promise<End>
  /** What an error, or our own stop, means for the reply. */
  explain(run: RunFacts, error: unknown, signal: AbortSignal): Promise<End>
  /** Step 7. A store that refuses the end is asked again. */
  finish(claim: Claim, end: End): Promise<void>
  /** Back to the queue: nothing was sent. A store that refuses it is asked again. */
  giveBack(claim: Claim): Promise<void>
}

/** The end of a reply that was never sent. */
export function unsentEnd(failure: ReplyFailure): End {
  return failedEnd(failure, false, undefined)
}

/** `run`: undefined for a reply that was never sent. */
export function failedEnd(
  failure: ReplyFailure,
  resetUpstream: boolean,
  run: RunFacts | undefined,
  logId?: string,
): End {
  return end({ type: 'failed', ...failure }, resetUpstream, run, logId)
}

/** `logId`: of the failure, where the run itself told none. */
function end(
  event: TerminalEventBody,
  resetUpstream: boolean,
  run: RunFacts | undefined,
  logId?: string,
): End {
  return {
    event,
    resetUpstream: resetUpstream || lacksOlderMessages(event, run),
    upstreamMessageId: run?.reader?.lastMessage?.id,
    explanation: run && explanationOf(run, logId),
  }
}

export function createEnding(options: EndingOptions): Ending {
  const { ledger, clock, newId, logger, metrics, tracer } = options

  async function conclude(run: RunFacts): Promise<End> {
    const { reader, strategy } = run
    const contextReset = run.contextReset || reader?.moved === true
    switch (reader?.end?.type) {
      case 'completed': {
        const { answer: text, followUps } = reader
        const { usage } = reader.end
        const omitted = omittedOf(reader)
        const body = { text, usage, followUps, question: null, omitted, contextReset }
        return end({ type: 'completed', ...body }, false, run)
      }
      case 'cancelled':
        return end({ type: 'cancelled', upstreamCancelled: true }, false, run)
      case 'action-required': {
        const question = strategy.answersByMessage
          ? questionOf(reader, reader.end.toolCalls)
          : undefined
        if (question === undefined) {
          await cancelUpstream(run)
          return failedEnd(runFailures.actionUnsupported, true, run)
        }
        const { answer: text, followUps, omitted } = reader
        const body = { text, usage: null, followUps, question, omitted, contextReset }
        return end({ type: 'completed', ...body }, false, run)
      }
      case undefined:
        throw new RunFailedError(runFailures.truncated, { outcome: 'unseen' })
    }
  }

  async function explain(run: RunFacts, error: unknown, signal: AbortSignal): Promise<End> {
    const { claim, reader } = run
    // Events of a run whose chat is not known could not be told from another's.
    const isUnknown = reader !== undefined && reader.chatId === undefined
    if (isStopped(signal, 'cancel')) {
      const upstreamCancelled = await cancelUpstream(run)
      return end(
        { type: 'cancelled', upstreamCancelled },
        mayStillSpeak(run, upstreamCancelled),
        run,
      )
    }
    if (isStopped(signal, 'shutdown')) {
      const isConfirmed = await cancelUpstream(run)
      return failedEnd(runFailures.shutdown, mayStillSpeak(run, isConfirmed), run)
    }
    if (isStopped(signal, 'breach')) {
      await cancelUpstream(run)
      return failedEnd(breachFailures.shared, true, run)
    }
    if (error instanceof RunFailedError) {
      const { failure, outcome, conversationGone, upstreamCode, logId, hint, upstream } = error
      const { code } = failure
      if (code !== 'ISOLATION_BREACH') await showWaiting(run)
      // Host and system code are in the line of the call itself.
      const call = upstream?.call
      const facts = { reply: claim.reply.id, code, call, upstreamCode, logId, hint }
      logger.warn(facts, 'upstream run failed')
      const isOpen = outcome === 'unseen' || (outcome === 'not-accepted' && reader?.waits === true)
      const mayBeOpen = isOpen && mayStillSpeak(run, await cancelUpstream(run))
      // The older messages that it brought are not there: the next run brings them again.
      const isUnseeded = isUnknown && run.contextReset
      const unusable = conversationGone || isUnseeded || code === 'ISOLATION_BREACH'
      return failedEnd(failure, unusable || mayBeOpen, run, logId)
    }
    const mayBeOpen = mayStillSpeak(run, await cancelUpstream(run))
    if (error instanceof GuardError) {
      const { code } = error.failure
      logger.error({ reply: claim.reply.id, code }, 'guard stopped a reply')
      if (error.foreign === undefined) return failedEnd(error.failure, mayBeOpen, run)
      const isBreach = await options.reportForeign(run, error.foreign)
      return failedEnd(isBreach ? error.failure : runFailures.ownEcho, true, run)
    }
    if (error instanceof StoreError) {
      const { storeFull, storeUnavailable } = runFailures
      return failedEnd(error.kind === 'full' ? storeFull : storeUnavailable, mayBeOpen, run)
    }
    logger.error({ reply: claim.reply.id, err: error }, 'reply failed by a fault of the gateway')
    return failedEnd(runFailures.internal, mayBeOpen, run)
  }

  /** Text that waited for an earlier message has been received: it is kept with what was shown. */
  async function showWaiting({ claim, reader }: RunFacts): Promise<void> {
    try {
      await reader?.showWaiting()
    } catch (error) {
      if (!(error instanceof LostReplyError || error instanceof StoreError)) throw error
      logger.warn({ reply: claim.reply.id, err: error }, 'the last text of a reply was not shown')
    }
  }

  /** True: the upstream was told, and agreed. */
  async function cancelUpstream(run: RunFacts): Promise<boolean> {
    const reference = runReference(run)
    if (reference === undefined) return false
    using deadline = createDeadline(clock, options.cancelMs, () => new StopRequest('cancel'))
    return await run.strategy.cancel(reference, deadline.signal)
  }

  async function finish(claim: Claim, end: End): Promise<void> {
    const { session, reply, fence } = claim
    const ids = { replyId: reply.id, answerId: newId() as MessageId }
    const request = { ...ids, fence, ...end, at: clock.now() }
    let asked = 0
    const outcome = await store(claim, () => {
      asked += 1
      return ledger.finish(session, request)
    })
    // A store that could not tell whether the end is on disk may have it: then it finds its own work when asked again.
    const isOurs =
      asked > 1 &&
      outcome?.type === 'already' &&
      outcome.reply.status === terminalStatus[end.event.type] &&
      outcome.reply.endedAt === request.at
    if (outcome?.type === 'finished' || isOurs) report(claim, end)
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

  function report({ reply }: Claim, { event, explanation }: End): void {
    const status = terminalStatus[event.type]
    const code = event.type === 'failed' ? event.code : undefined
    const ms = clock.now() - reply.createdAt
    metrics.replyEnded(status, code)
    const usage = event.type === 'completed' ? event.usage : null
    const span = tracer.current()
    span.set({
      'gen_ai.response.id': explanation?.upstreamChatId ?? undefined,
      'gen_ai.response.finish_reasons': [status.toLowerCase()],
      'gen_ai.usage.input_tokens': usage?.inputTokens,
      'gen_ai.usage.output_tokens': usage?.outputTokens,
      'coze.log_id': explanation?.upstreamLogId ?? undefined,
    })
    if (code !== undefined) span.fail(code)
    logger.info(
      {
        reply: reply.id,
        assistant: reply.assistantId,
        status,
        code,
        ms,
        strategy: explanation?.strategy,
        logId: explanation?.upstreamLogId,
        firstDeltaMs: explanation?.firstDeltaMs,
        retries: explanation?.retries,
      },
      'reply ended',
    )
  }

  return { conclude, explain, finish, giveBack }
}

const terminalStatus = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const

/** What a run asks that waits for a message; undefined: it waits for the results of tools, which no message can give. */
function questionOf(reader: RunReader, toolCalls: readonly ToolCall[]): Question | undefined {
  if (reader.question !== undefined) return reader.question
  if (toolCalls.some(({ kind }) => kind === 'FUNCTION')) return undefined
  return { text: reader.lastMessage?.text ?? '', options: [], fields: [] }
}

/** A form that was shown and not waited for is content that is no text. */
function omittedOf({ omitted, question }: RunReader): readonly OmittedContent[] {
  return question === undefined || omitted.includes('CARD') ? omitted : [...omitted, 'CARD']
}
