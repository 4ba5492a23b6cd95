import type {
  MessageId,
  OmittedContent,
  Question,
  ReplyFailure,
  TerminalEventBody,
  ToolCall,
} from '../domain.ts'
import { breachFailures } from '../isolation/breaches.ts'
import { CollisionError, type Encounters } from '../isolation/encounters.ts'
import { GuardError } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import type { FinishRequest, RunLease } from '../store/run-lease.ts'
import type { UpstreamChat } from '../domain/upstream.ts'
import { LostReplyError } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import { runFailures } from './failures.ts'
import type { RunReader } from './run-reader.ts'
import { explanationOf, guarded, isStopped, type Run, runReference, StopRequest } from './run.ts'

export interface EndingOptions {
  readonly encounters: Encounters
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** How long the upstream is given to agree to a cancel, in ms. */
  readonly cancelMs: number
  /** Aborts when the engine is closed: an end that could not be stored by then is found at the next start. */
  readonly closed: AbortSignal
}

/** How a run ends: the terminal event, whether the upstream conversation can go on, and what the upstream is still owed. */
export type End = Omit<FinishRequest, 'replyId' | 'answerId' | 'at'>

/** How long to wait before an end that the store refused is written again, in ms. */
const rewriteMs = 1000

export interface Ending {
  /**
   * The end that the upstream told, in the stream or in a look-up that proves it.
   * @throws {@link RunFailedError} when there was none.
   */
  endOfStream(run: Run): Promise<End>
  /** What an error, or our own stop, means for the reply. */
  endOfFailure(run: Run, error: unknown, signal: AbortSignal): Promise<End>
  /** Step 6. A store that refuses the end is asked again. False: nothing waits in the conversation. */
  finish(lease: RunLease, end: End): Promise<boolean>
  /** Back to the queue: nothing was sent. One that a message has interrupted is cancelled. A store that refuses it is asked again. */
  requeue(lease: RunLease): Promise<void>
}

/** The end of a reply that was never sent. */
export function unsentEnd(failure: ReplyFailure): End {
  return endOf({ type: 'failed', ...failure }, undefined, {})
}

/** The end of a reply that was cancelled before it was sent. */
const unsentCancel = endOf({ type: 'cancelled', upstreamCancelled: false }, undefined, {})

/** The end of a reply whose run is not known here. */
export function unknownEnd(failure: ReplyFailure): End {
  return endOf({ type: 'failed', ...failure }, undefined, { resetUpstream: true })
}

/** `run` undefined: it was never sent. `logId`: of the failure, where the run itself told none. */
function endOf(
  event: TerminalEventBody,
  run: Run | undefined,
  about: {
    readonly resetUpstream?: boolean
    readonly logId?: string | undefined
    readonly owesCancel?: UpstreamChat | undefined
  },
): End {
  const { resetUpstream = false, logId, owesCancel } = about
  return {
    event,
    resetUpstream: resetUpstream || lacksOlderMessages(event, run),
    upstreamMessageId: run?.reader?.lastMessage?.id,
    explanation: run && explanationOf(run, logId),
    owesCancel,
  }
}

/**
 * Whether a run may have gone on in a conversation that knows nothing of the messages before it, since the one that it was
 * sent to is gone. The next one brings them to a new conversation, but for the answer to a question, which is asked where
 * it is.
 */
function lacksOlderMessages(event: TerminalEventBody, run: Run | undefined): boolean {
  if (run === undefined) return false
  const asks = event.type === 'completed' && event.question !== null
  const wasReplaced = run.reader?.moved === true && !run.contextReset
  return (wasReplaced || run.mayLackOlderMessages) && !asks
}

export function createEnding(options: EndingOptions): Ending {
  const { encounters, clock, newId, logger, metrics, tracer } = options

  async function endOfStream(run: Run): Promise<End> {
    const { reader, strategy } = run
    const contextReset = run.contextReset || reader?.moved === true
    switch (reader?.end?.type) {
      case 'completed': {
        const { answer: text, followUps } = reader
        const { usage } = reader.end
        const omitted = omittedOf(reader)
        const body = { text, usage, followUps, question: null, omitted, contextReset }
        return endOf({ type: 'completed', ...body }, run, {})
      }
      case 'cancelled':
        return endOf({ type: 'cancelled', upstreamCancelled: true }, run, {})
      case 'action-required': {
        const question = strategy.answersByMessage
          ? questionOf(reader, reader.end.toolCalls)
          : undefined
        if (question === undefined) {
          const { owesCancel } = await tellToCancel(run)
          const event = { type: 'failed', ...runFailures.actionUnsupported } as const
          return endOf(event, run, { resetUpstream: true, owesCancel })
        }
        const { answer: text, followUps, omitted } = reader
        const body = { text, usage: null, followUps, question, omitted, contextReset }
        return endOf({ type: 'completed', ...body }, run, {})
      }
      case undefined:
        throw new RunFailedError(runFailures.truncated, { outcome: 'unseen' })
    }
  }

  async function endOfFailure(run: Run, error: unknown, signal: AbortSignal): Promise<End> {
    const { reply } = run.lease
    if (error instanceof RunFailedError && !(signal.reason instanceof StopRequest)) {
      return await endOfRunFailure(run, error)
    }
    const { agreed, owesCancel } = await tellToCancel(run)
    const mayBeOpen = mayStillSpeak(run, agreed)
    const failed = (failure: ReplyFailure, resetUpstream: boolean) =>
      endOf({ type: 'failed', ...failure }, run, { resetUpstream, owesCancel })
    if (isStopped(signal, 'cancel')) {
      const event = { type: 'cancelled', upstreamCancelled: agreed } as const
      return endOf(event, run, { resetUpstream: mayBeOpen, owesCancel })
    }
    if (isStopped(signal, 'shutdown')) return failed(runFailures.shutdown, mayBeOpen)
    if (isStopped(signal, 'breach')) return failed(breachFailures.shared, true)
    if (error instanceof CollisionError) return failed(error.failure, true)
    if (error instanceof GuardError) {
      const { code } = error.failure
      logger.error({ reply: reply.id, code }, 'guard stopped a reply')
      if (error.foreign === undefined) return failed(error.failure, mayBeOpen)
      const own = { conversationId: run.reader?.conversationId, logId: run.reader?.logId }
      const isBreach = await encounters.reportForeign(guarded(run), error.foreign, own)
      return failed(isBreach ? error.failure : runFailures.ownEcho, true)
    }
    if (error instanceof StoreError) {
      const { storeFull, storeUnavailable } = runFailures
      return failed(error.kind === 'full' ? storeFull : storeUnavailable, mayBeOpen)
    }
    logger.error({ reply: reply.id, err: error }, 'reply failed by a fault of the gateway')
    return failed(runFailures.internal, mayBeOpen)
  }

  async function endOfRunFailure(run: Run, error: RunFailedError): Promise<End> {
    const { lease, reader } = run
    const { failure, outcome, conversationGone, upstreamCode, logId, hint, upstream } = error
    const { code } = failure
    if (code !== 'ISOLATION_BREACH') await showWaiting(run)
    // Host and system code are in the line of the call itself.
    const call = upstream?.call
    const facts = { reply: lease.reply.id, code, call, upstreamCode, logId, hint }
    logger.warn(facts, 'upstream run failed')
    const isOpen = outcome === 'unseen' || (outcome === 'not-accepted' && reader?.waits === true)
    const { agreed, owesCancel } = isOpen ? await tellToCancel(run) : toldNothing
    const mayBeOpen = isOpen && mayStillSpeak(run, agreed)
    // Events of a run whose chat is not known could not be told from another's. The older messages that it brought are not
    // there: the next run brings them again.
    const isUnknown = reader !== undefined && reader.chatId === undefined
    const isUnseeded = isUnknown && run.contextReset
    const unusable = conversationGone || isUnseeded || code === 'ISOLATION_BREACH'
    const resetUpstream = unusable || mayBeOpen
    return endOf({ type: 'failed', ...failure }, run, { resetUpstream, logId, owesCancel })
  }

  /** Text that waited for an earlier message has been received: it is kept with what was shown. */
  async function showWaiting({ lease, reader }: Run): Promise<void> {
    try {
      await reader?.showWaiting()
    } catch (error) {
      if (!(error instanceof LostReplyError || error instanceof StoreError)) throw error
      logger.warn({ reply: lease.reply.id, err: error }, 'the last text of a reply was not shown')
    }
  }

  /** Tells the upstream to stop. A cancel that could not be told is owed. */
  async function tellToCancel(run: Run): Promise<Told> {
    const reference = runReference(run)
    if (reference === undefined) return toldNothing
    using deadline = createDeadline(clock, options.cancelMs, () => new StopRequest('cancel'))
    const outcome = await run.strategy.cancel(reference, deadline.signal)
    if (outcome !== 'not-told') return { agreed: outcome === 'agreed', owesCancel: undefined }
    const { chatId, upstreamConversationId: conversationId } = reference
    const upstream = { ...guarded(run).account, conversationId }
    return { agreed: false, owesCancel: { upstream, chatId } }
  }

  async function finish(lease: RunLease, end: End): Promise<boolean> {
    const request = { ...end, answerId: newId() as MessageId, at: clock.now() }
    const outcome = await store(lease, () => lease.finish(request))
    if (outcome?.type !== 'finished') return true
    report(lease, end)
    return outcome.hasNext
  }

  async function requeue(lease: RunLease): Promise<void> {
    const outcome = await store(lease, () => lease.requeue())
    if (outcome === 'interrupted') await finish(lease, unsentCancel)
  }

  /** Undefined: the engine was closed before the store took it. */
  async function store<T>({ reply }: RunLease, write: () => Promise<T>): Promise<T | undefined> {
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

  function report({ reply }: RunLease, { event, explanation }: End): void {
    const status = terminalStatus[event.type]
    const code = event.type === 'failed' ? event.code : undefined
    const ms = clock.now() - reply.createdAt
    metrics.replyEnded(status, code)
    const usage = event.type === 'completed' ? event.usage : null
    const span = tracer.current()
    span.set({
      upstreamChatId: explanation?.upstreamChatId ?? undefined,
      finishReasons: [status.toLowerCase()],
      inputTokens: usage?.inputTokens,
      outputTokens: usage?.outputTokens,
      logId: explanation?.upstreamLogId ?? undefined,
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

  return { endOfStream, endOfFailure, finish, requeue }
}

/** What became of telling the upstream to stop. */
interface Told {
  readonly agreed: boolean
  readonly owesCancel: UpstreamChat | undefined
}

const toldNothing: Told = { agreed: false, owesCancel: undefined }

/**
 * Whether a run whose end was not seen can get in the way of a later message: it may still run, as long as the platform
 * does not agree that it is cancelled, and a parked question could swallow the next message whatever it agrees to.
 */
function mayStillSpeak({ reader }: Run, agreed: boolean): boolean {
  return reader !== undefined && (!agreed || reader.waits)
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
