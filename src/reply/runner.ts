import type { AssistantId, StrategyKind } from '../domain.ts'
import { createGuard } from '../isolation/guard.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { Claim, Orphan } from '../store/ledger.ts'
import { LostReplyError, type ReplyLog } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { ChatStrategy, UpstreamConversation } from '../strategy/strategy.ts'
import { createEnding, failedEnd, type EndingOptions, type RunFacts } from './ending.ts'
import { runContext } from './run-context.ts'
import { runFailures } from './run-failures.ts'
import { createRunReader, type RunReader } from './run-reader.ts'
import { isStopped } from './stop.ts'

export interface RunnerOptions extends EndingOptions {
  readonly log: ReplyLog
  /** How a conversation that `bound` began is driven; undefined: the assistant is not configured any more. */
  strategyOf(assistantId: AssistantId, bound: StrategyKind | undefined): ChatStrategy | undefined
  /** Older messages that seed a new upstream conversation. */
  readonly historyLength: number
  /** How long the end of a run whose stream was lost is looked for, in ms. */
  readonly recoverMs: number
  /** How long after it reached the head of its queue a reply may still start, in ms. */
  readonly queueExpiryMs: number
}

/** Drives claimed replies to their end, in the order of writes of the design (steps 3 to 7). */
export interface Runner {
  /**
   * Resolves when the reply has ended, was given back to the queue, or turned out to be another's.
   * A signal aborted with a {@link StopRequest} ends it as that asks.
   */
  run(claim: Claim, signal: AbortSignal): Promise<void>
  /** The same for a reply whose runner died. Nothing is ever sent again. */
  recover(orphan: Orphan, signal: AbortSignal): Promise<void>
}

export function createRunner(options: RunnerOptions): Runner {
  const { ledger, log, clock, logger, metrics } = options
  const ending = createEnding(options)

  async function run(claim: Claim, signal: AbortSignal): Promise<void> {
    if (clock.now() - claim.headSince > options.queueExpiryMs) {
      return await ending.finish(claim, failedEnd(runFailures.expired, false))
    }
    const strategy = options.strategyOf(claim.reply.assistantId, claim.upstream?.strategy)
    if (strategy === undefined) {
      return await ending.finish(claim, failedEnd(runFailures.unconfigured, false))
    }
    const known = usableConversation(claim, strategy)
    const moved = claim.upstream !== undefined && known === undefined
    const contextReset = claim.contextReset || moved
    await attempt({ claim, strategy, contextReset, reader: undefined }, known, signal)
  }

  /** Steps 3 to 7; a second time only where the upstream is known to have accepted nothing (F41). */
  async function attempt(
    run: RunFacts,
    known: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { claim, strategy } = run
    let facts = run
    try {
      const upstream = await obtain(run, known, signal)
      if (!(await intend(run, signal))) return
      const reader = createReader(run, upstream)
      facts = { ...run, reader }
      await read(facts, reader, upstream, signal)
      await ending.finish(claim, await ending.conclude(facts, false))
    } catch (error) {
      if (error instanceof LostReplyError) return
      const { reader } = facts
      if (reader === undefined && isStopped(signal, 'shutdown')) return await ending.giveBack(claim)
      if (isGone(error) && known !== undefined && reader?.chatId === undefined) {
        logger.info({ reply: claim.reply.id }, 'upstream conversation is gone, beginning a new one')
        const renewed = { ...claim, generation: claim.generation + 1 }
        const fresh = { ...run, claim: renewed, contextReset: true }
        return await attempt(fresh, undefined, signal)
      }
      if (isTruncated(error) && strategy.kind === 'bot' && reader !== undefined) {
        return await lookUp(facts, reader, reader.chatId, error, signal)
      }
      await ending.finish(claim, await ending.explain(facts, error, signal))
    }
  }

  async function recover(orphan: Orphan, signal: AbortSignal): Promise<void> {
    const { reply, progress, upstream } = orphan
    if (progress.step === 'claimed') return await ending.giveBack(orphan)
    const strategy = options.strategyOf(reply.assistantId, upstream?.strategy)
    if (strategy === undefined) {
      return await ending.finish(orphan, failedEnd(runFailures.unconfigured, true))
    }
    if (!(await restate(orphan))) return
    const run = { claim: orphan, strategy, contextReset: reply.contextReset }
    const reader = createReader(
      { ...run, reader: undefined },
      upstream === undefined
        ? { type: 'named' }
        : { type: 'id', conversationId: upstream.conversationId },
    )
    const chatId = progress.step === 'chat' ? progress.chatId : undefined
    await lookUp({ ...run, reader }, reader, chatId, unknownOutcome, signal)
  }

  /**
   * Takes readers back to what was on disk. They may hold more, or a correction of it that was lost: so all of it is said
   * again. False: the reply is another's now.
   */
  async function restate({ session, reply, fence }: Orphan): Promise<boolean> {
    try {
      await log.append(session.id, reply.id, fence, [
        { kind: 'REASONING', offset: 0, text: reply.reasoning },
        { kind: 'ANSWER', offset: 0, text: reply.text },
      ])
    } catch (error) {
      if (error instanceof LostReplyError) return false
      // It is in the log, and reaches the disk with what follows.
      if (!(error instanceof StoreError)) throw error
    }
    return true
  }

  /** Ends a reply whose stream was lost, as the upstream tells it, else as `otherwise` says. */
  async function lookUp(
    run: RunFacts,
    reader: RunReader,
    chatId: string | undefined,
    otherwise: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const { claim, strategy } = run
    using deadline = createDeadline(clock, options.recoverMs, () => unknownOutcome)
    try {
      const upstreamConversationId = reader.conversationId ?? claim.upstream?.conversationId
      const found = await strategy.recover(
        { ...runContext(claim), upstreamConversationId, chatId },
        AbortSignal.any([signal, deadline.signal]),
      )
      if (found.type === 'unknown') throw otherwise
      await reader.take(found.events)
      await ending.finish(claim, await ending.conclude(run, true))
    } catch (error) {
      if (error instanceof LostReplyError) return
      const cause = deadline.signal.aborted ? otherwise : error
      await ending.finish(claim, await ending.explain(run, cause, signal))
    }
  }

  /** Step 3: the upstream conversation, bound before any user text leaves. */
  async function obtain(
    run: RunFacts,
    known: string | undefined,
    signal: AbortSignal,
  ): Promise<UpstreamConversation> {
    if (known !== undefined) return { type: 'id', conversationId: known }
    const upstream = await run.strategy.open(runContext(run.claim), signal)
    if (upstream.type === 'id') await bind(run, upstream.conversationId)
    return upstream
  }

  /** Step 4. False: the reply is another's now, and nothing may be sent. */
  async function intend(run: RunFacts, signal: AbortSignal): Promise<boolean> {
    const { session, reply, fence } = run.claim
    signal.throwIfAborted()
    const { contextReset } = run
    return await ledger.recordIntent(session, reply.id, fence, { contextReset, at: clock.now() })
  }

  /** Steps 5 and 6, until the run's terminal event. */
  async function read(
    { claim, strategy, contextReset }: RunFacts,
    reader: RunReader,
    upstream: UpstreamConversation,
    signal: AbortSignal,
  ): Promise<void> {
    const { session, reply, message } = claim
    const { historyLength } = options
    const history = contextReset ? await ledger.history(session, reply.id, historyLength) : []
    const request = { ...runContext(claim), upstream, history, text: message.text }
    for await (const events of strategy.start(request, signal)) {
      const wait = reader.take(events)
      if (wait !== undefined) await wait
      if (reader.end !== undefined) return
    }
  }

  function createReader(run: RunFacts, upstream: UpstreamConversation): RunReader {
    const { session, reply, fence } = run.claim
    let shown = reply.text !== '' || reply.reasoning !== ''
    return createRunReader({
      guard: createGuard({
        conversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
        chatId: undefined,
      }),
      metrics,
      shown: { answer: reply.text, reasoning: reply.reasoning },
      async remember({ chatId, conversationId }) {
        if (upstream.type === 'named') await bind(run, conversationId)
        const stored = await ledger.recordChat(session, reply.id, fence, chatId)
        if (!stored) throw new LostReplyError()
      },
      show(deltas) {
        if (!shown) {
          shown = true
          metrics.firstDelta(clock.now() - reply.createdAt)
        }
        return log.append(session.id, reply.id, fence, deltas)
      },
    })
  }

  async function bind({ claim, strategy }: RunFacts, conversationId: string): Promise<void> {
    const { session, reply, fence } = claim
    const binding = { scope: strategy.scope, strategy: strategy.kind, conversationId }
    switch (await ledger.bind(session, reply.id, fence, binding, clock.now())) {
      case 'bound':
        return
      case 'lost':
        throw new LostReplyError()
      case 'collision':
        logger.error(
          { reply: reply.id, assistant: reply.assistantId },
          'upstream conversation belongs to another session or conversation',
        )
        throw new RunFailedError(runFailures.breach, { outcome: 'unseen' })
    }
  }

  return { run, recover }
}

const unknownOutcome = new RunFailedError(runFailures.outcomeUnknown, { outcome: 'unseen' })

/** The upstream conversation that goes on; undefined: a new one is needed. */
function usableConversation({ upstream }: Claim, { scope }: ChatStrategy): string | undefined {
  if (upstream === undefined) return undefined
  const same = upstream.scope.origin === scope.origin && upstream.scope.account === scope.account
  return same ? upstream.conversationId : undefined
}

function isGone(error: unknown): boolean {
  return (
    error instanceof RunFailedError && error.conversationGone && error.outcome === 'not-accepted'
  )
}

function isTruncated(error: unknown): boolean {
  return error instanceof RunFailedError && error.failure.code === 'UPSTREAM_TRUNCATED'
}
