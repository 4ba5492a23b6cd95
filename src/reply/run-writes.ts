import type { ReplyId, ToolCall } from '../domain.ts'
import type { Breach } from '../domain/isolation.ts'
import { createGuard, type GuardError } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Ledger, Orphan } from '../store/ledger.ts'
import { LostReplyError, type ReplyLog } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { UpstreamConversation } from '../strategy/strategy.ts'
import { runContext, type RunFacts } from './run-facts.ts'
import { runFailures } from './run-failures.ts'
import { createRunReader, type RunReader, type UpstreamRun } from './run-reader.ts'

export interface RunWritesOptions {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly clock: Clock
  readonly metrics: Metrics
  /** Bytes that one reply may hold and write. */
  readonly maxReplyBytes: number
  /** Hears that two have met in one upstream conversation. */
  readonly onBreach: (breach: Breach) => void
  /** Ends what runs in it, before anything more of that is shown. */
  readonly stopBreached: (replyIds: readonly ReplyId[]) => void
}

/** The upstream conversation is another's as well. Nothing was sent where it was told before the run. */
export class CollisionError extends RunFailedError {
  /** False: it was known before that two have met in it. */
  readonly isNew: boolean
  constructor(isNew: boolean) {
    super(runFailures.breach, { outcome: 'unseen' })
    this.isNew = isNew
  }
}

/** The writes of a running reply: steps 3 to 6 of the order of writes. */
export interface RunWrites {
  /** Step 3: the upstream conversation, bound before any user text leaves. */
  obtain(
    run: RunFacts,
    known: string | undefined,
    signal: AbortSignal,
  ): Promise<UpstreamConversation>
  /** Step 4. False: the reply is another's now, and nothing may be sent. */
  intend(run: RunFacts, signal: AbortSignal): Promise<boolean>
  /** Steps 5 and 6: reads what the run says, remembers the run and shows its text until the signal aborts. */
  openReader(
    run: RunFacts,
    upstream: UpstreamConversation,
    signal: AbortSignal,
    known?: { readonly run: UpstreamRun; readonly waitsFor: readonly ToolCall[] | undefined },
  ): RunReader
  /**
   * Takes readers back to what was on disk. They may hold more, or a correction of it that was lost: so all of it is said
   * again. False: the reply is another's now.
   */
  restate(orphan: Orphan): Promise<boolean>
  /**
   * Tells that the run was told what is another's. If the conversation that it is of belongs to somebody, the two have
   * met in it.
   */
  reportForeign(run: RunFacts, foreign: NonNullable<GuardError['foreign']>): Promise<void>
}

export function createRunWrites(options: RunWritesOptions): RunWrites {
  const { ledger, log, clock, metrics } = options

  /** Nothing to tell: the conversation is the run's own. `logId`: of the call that told it. */
  async function meet(
    { claim, strategy }: RunFacts,
    conversationId: string,
    logId: string | undefined,
  ): Promise<Omit<Breach, 'target' | 'at'> | undefined> {
    const { session, reply, fence } = claim
    const binding = { scope: strategy.scope, strategy: strategy.kind, conversationId }
    const outcome = await ledger.bind(session, reply.id, fence, binding, clock.now())
    if (outcome === 'bound') return undefined
    if (outcome === 'lost') throw new LostReplyError()
    const { owner, isNew, inFlight } = outcome
    options.stopBreached(inFlight)
    return {
      isNew,
      what:
        owner === session.id
          ? 'Two conversations of one session were given one upstream conversation.'
          : 'Two sessions were given one upstream conversation.',
      logIds: logId === undefined ? [] : [logId],
      sessions: [...new Set([owner, session.id])],
    }
  }

  function report(
    { claim: { reply }, strategy }: RunFacts,
    breach: Omit<Breach, 'target' | 'at'>,
  ): void {
    const target = { assistantId: reply.assistantId, strategy: strategy.kind }
    options.onBreach({ target, at: clock.now(), ...breach })
  }

  async function bind(
    run: RunFacts,
    conversationId: string,
    logId: string | undefined,
  ): Promise<void> {
    const breach = await meet(run, conversationId, logId)
    if (breach === undefined) return
    report(run, breach)
    throw new CollisionError(breach.isNew)
  }

  /** A conversation that is bound only now may have been used by a run that was lost before it was bound. */
  async function demandAlone(
    run: RunFacts,
    { chatId, conversationId }: UpstreamRun,
    logId: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { claim, strategy } = run
    const reference = { ...runContext(claim), chatId, upstreamConversationId: conversationId }
    if ((await strategy.hadOthers?.(reference, signal)) !== true) return
    report(run, {
      isNew: true,
      what: 'A conversation that should be new had been used before.',
      logIds: logId === undefined ? [] : [logId],
      sessions: [claim.session.id],
    })
    throw new CollisionError(true)
  }

  return {
    async obtain(run, known, signal) {
      if (known !== undefined) return { type: 'id', conversationId: known }
      const upstream = await run.strategy.open(runContext(run.claim), signal)
      if (upstream.type === 'id') await bind(run, upstream.conversationId, upstream.logId)
      return upstream
    },
    async intend({ claim, contextReset }, signal) {
      const { session, reply, fence } = claim
      signal.throwIfAborted()
      return await ledger.recordIntent(session, reply.id, fence, { contextReset, at: clock.now() })
    },
    openReader(run, upstream, signal, known) {
      const { session, reply, fence } = run.claim
      const reader = createRunReader({
        guard: createGuard({
          conversationId: upstream.type === 'id' ? upstream.conversationId : undefined,
          chatId: known?.run.chatId,
        }),
        metrics,
        clock,
        acceptedAt: reply.createdAt,
        shown: { answer: reply.text, reasoning: reply.reasoning },
        known: known?.run,
        waitsFor: known?.waitsFor,
        maxReplyBytes: options.maxReplyBytes,
        async remember({ chatId, conversationId }) {
          if (known !== undefined) return
          if (upstream.type === 'named') {
            await bind(run, conversationId, reader.logId)
            await demandAlone(run, { chatId, conversationId }, reader.logId, signal)
          }
          const stored = await ledger.recordChat(session, reply.id, fence, chatId)
          if (!stored) throw new LostReplyError()
        },
        show(deltas) {
          signal.throwIfAborted()
          return log.append(session.id, reply.id, fence, deltas)
        },
      })
      return reader
    },
    async restate({ session, reply, fence }) {
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
    },
    async reportForeign(run, { conversationId }) {
      const { claim, reader } = run
      const isElsewhere = conversationId !== reader?.conversationId
      const alone = {
        isNew: true,
        what: isElsewhere
          ? 'A reply was told what is of another upstream conversation.'
          : 'A reply was told what is of another chat of its conversation.',
        logIds: reader?.logId === undefined ? [] : [reader.logId],
        sessions: [claim.session.id],
      }
      try {
        const met = isElsewhere ? await meet(run, conversationId, reader?.logId) : undefined
        report(run, met ?? alone)
      } catch (error) {
        if (!(error instanceof LostReplyError || error instanceof StoreError)) throw error
        report(run, alone)
      }
    },
  }
}
