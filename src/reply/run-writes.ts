import type { Message, ReplyId, ToolCall } from '../domain.ts'
import {
  type Breach,
  breachFailures,
  type BreachWay,
  judgeRevealed,
} from '../isolation/breaches.ts'
import { createGuard, type GuardError } from '../isolation/guard.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Ledger, Orphan } from '../store/ledger.ts'
import { LostReplyError, type ReplyLog } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { UpstreamConversation } from '../strategy/strategy.ts'
import { runContext, type RunFacts } from './run-facts.ts'
import { createRunReader, type RunReader, type UpstreamRun } from './run-reader.ts'

export interface RunWritesOptions {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly clock: Clock
  readonly logger: Logger
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
    super(breachFailures.shared, { outcome: 'unseen' })
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
    begun: Begun,
    signal: AbortSignal,
  ): RunReader
  /**
   * Takes readers back to what was on disk. They may hold more, or a correction of it that was lost: so all of it is said
   * again. False: the reply is another's now.
   */
  restate(orphan: Orphan): Promise<boolean>
  /**
   * Tells that the run was told what is another's. If the conversation that it is of belongs to somebody, the two have
   * met in it. False: it is of the conversation's own earlier runs, and there is nothing to tell.
   */
  reportForeign(run: RunFacts, foreign: NonNullable<GuardError['foreign']>): Promise<boolean>
}

/** How a run is read. */
export type Begun =
  /** From its first event on. `history`: the older messages that it brings. */
  | { readonly type: 'sent'; readonly history: readonly Message[] }
  /** Its stream is lost, and what the upstream keeps of it is looked up. */
  | {
      readonly type: 'lost'
      readonly run: UpstreamRun | undefined
      readonly waitsFor: readonly ToolCall[] | undefined
    }

export function createRunWrites(options: RunWritesOptions): RunWrites {
  const { ledger, log, clock, logger, metrics } = options

  /** `breach` undefined: the conversation is the run's own. `isKnown`: it was before. `logId`: of the call that told it. */
  async function meet(
    { claim, strategy }: RunFacts,
    conversationId: string,
    logId: string | undefined,
  ): Promise<{
    readonly isKnown: boolean
    readonly breach: Omit<Breach, 'target' | 'at'> | undefined
  }> {
    const { session, reply, fence } = claim
    const binding = { scope: strategy.scope, strategy: strategy.kind, conversationId }
    const outcome = await ledger.bind(session, reply.id, fence, binding, clock.now())
    if (outcome === 'lost') throw new LostReplyError()
    if (outcome === 'bound' || outcome === 'known') {
      return { isKnown: outcome === 'known', breach: undefined }
    }
    const { owner, isNew, inFlight } = outcome
    options.stopBreached(inFlight)
    const breach = {
      isNew,
      way: owner === session.id ? 'of-another-conversation' : 'of-another-session',
      logIds: logId === undefined ? [] : [logId],
      sessions: [...new Set([owner, session.id])],
    } as const
    return { isKnown: true, breach }
  }

  function report(
    { claim: { reply }, strategy }: RunFacts,
    breach: Omit<Breach, 'target' | 'at'>,
  ): void {
    const target = { assistantId: reply.assistantId, strategy: strategy.kind }
    options.onBreach({ target, at: clock.now(), ...breach })
  }

  /** True: it was the conversation's own before. */
  async function bind(
    run: RunFacts,
    conversationId: string,
    logId: string | undefined,
  ): Promise<boolean> {
    const { isKnown, breach } = await meet(run, conversationId, logId)
    if (breach === undefined) return isKnown
    report(run, breach)
    throw new CollisionError(breach.isNew)
  }

  /** A conversation that is bound only now may have been used by a run that was lost before it was bound. */
  async function demandAlone(
    run: RunFacts,
    { chatId, conversationId }: UpstreamRun,
    {
      history,
      logId,
    }: { readonly history: readonly Message[]; readonly logId: string | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const { claim, strategy } = run
    const context = runContext(claim)
    const reference = { ...context, chatId, upstreamConversationId: conversationId, history }
    const way = judgeRevealed(await strategy.listRevealed(reference, signal), chatId)
    if (way === undefined) return
    const logIds = logId === undefined ? [] : [logId]
    report(run, { isNew: true, way, logIds, sessions: [claim.session.id] })
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
    openReader(run, upstream, begun, signal) {
      const { session, reply, fence } = run.claim
      const known = begun.type === 'lost' ? begun.run : undefined
      const sentTo = upstream.type === 'id' ? upstream.conversationId : undefined
      const reader = createRunReader({
        guard: createGuard({
          conversationId: sentTo,
          chatId: known?.chatId,
          mayMove: begun.type === 'sent',
        }),
        metrics,
        clock,
        acceptedAt: reply.createdAt,
        shown: { answer: reply.text, reasoning: reply.reasoning },
        sentTo,
        known,
        waitsFor: begun.type === 'lost' ? begun.waitsFor : undefined,
        maxReplyBytes: options.maxReplyBytes,
        async remember({ chatId, conversationId }) {
          if (known !== undefined) return
          if (begun.type === 'sent' && conversationId !== sentTo) {
            const { history } = begun
            const { logId } = reader
            const isKnown = await bind(run, conversationId, logId)
            if (!isKnown) {
              await demandAlone(run, { chatId, conversationId }, { history, logId }, signal)
            }
            if (sentTo !== undefined) {
              logger.info(
                { reply: reply.id },
                'upstream conversation is gone, the run began a new one',
              )
              const reset = { contextReset: true, at: clock.now() }
              await ledger.recordIntent(session, reply.id, fence, reset)
            }
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
    async reportForeign(run, { chatId, conversationId }) {
      const { claim, reader } = run
      const { session, reply } = claim
      const isElsewhere = conversationId !== reader?.conversationId
      const logId = reader?.logId
      const way: BreachWay = isElsewhere ? 'event-of-another-conversation' : 'event-of-another-chat'
      const alone = {
        isNew: true,
        way,
        logIds: logId === undefined ? [] : [logId],
        sessions: [session.id],
      }
      try {
        if (isElsewhere) {
          const { isKnown, breach } = await meet(run, conversationId, logId)
          if (breach === undefined && isKnown) return false
          report(run, breach ?? alone)
        } else {
          const isOwn = await ledger.session(session).hadChat(reply.conversationId, chatId)
          if (isOwn) return false
          report(run, alone)
        }
      } catch (error) {
        if (!(error instanceof LostReplyError || error instanceof StoreError)) throw error
        report(run, alone)
      }
      return true
    },
  }
}
