import type { ReplyId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ledger } from '../store/ledger.ts'
import type { Collision, RunLease } from '../store/run-lease.ts'
import type { UpstreamAccount, UpstreamBinding } from '../domain/upstream.ts'
import { LostReplyError } from '../store/log.ts'
import { StoreError } from '../store/store.ts'
import {
  type Breach,
  breachFailures,
  type BreachWay,
  judgeRevealed,
  type RevealedRows,
} from './breaches.ts'
import type { GuardError } from './guard.ts'

/** A run as the guard sees it: what it may write, and in which account its conversations are. */
export interface GuardedRun {
  readonly lease: RunLease
  readonly account: UpstreamAccount
}

/** An upstream conversation as a call told it; `logId`: of that call. */
export interface ToldConversation {
  readonly conversationId: string
  readonly logId?: string | undefined
}

/** The upstream conversation of a run is another's as well. */
export class CollisionError extends Error {
  override readonly name = 'CollisionError'
  readonly failure = breachFailures.shared
  /** False: it was known before that two have met in it. */
  readonly isNew: boolean
  constructor(isNew: boolean) {
    super(breachFailures.shared.message)
    this.isNew = isNew
  }
}

/**
 * Who meets whom in one upstream conversation. Every conversation is bound to the one that it was made for, for ever; who
 * comes to one that is bound to another meets that one there: nobody uses it again, and what runs in it is stopped.
 */
export interface Encounters {
  /**
   * Step 3 of the order of writes: the send intent, and with it the binding of the conversation that was opened for this
   * run; `opened` undefined: it is bound already, or the run will reveal it. False: the lease is lost, and nothing may be sent.
   * @throws {@link CollisionError}
   */
  intend(
    run: GuardedRun,
    opened: ToldConversation | undefined,
    contextReset: boolean,
  ): Promise<boolean>
  /**
   * Binds the conversation that a run has revealed, before anything of it is shown, and finds out that nobody else was there.
   * `replaces`: it is not the one that the message was sent to, which is gone.
   * @throws {@link CollisionError} {@link LostReplyError}
   */
  reveal(
    run: GuardedRun,
    revealed: ToldConversation & { readonly chatId: string; readonly replaces: boolean },
    list: () => Promise<RevealedRows>,
  ): Promise<void>
  /**
   * Reports that a run was told what is another's. If the conversation that it is of belongs to somebody, the two have met
   * in it. False: it is of the conversation's own earlier runs, and there is nothing to report.
   */
  reportForeign(
    run: GuardedRun,
    foreign: NonNullable<GuardError['foreign']>,
    own: { readonly conversationId: string | undefined; readonly logId: string | undefined },
  ): Promise<boolean>
}

export function createEncounters(options: {
  readonly ledger: Pick<Ledger, 'session'>
  readonly clock: Clock
  /** Called when two have met in one upstream conversation. */
  readonly onBreach: (breach: Breach) => void
  /** Ends what runs in it, before anything more of that is shown. */
  readonly stopBreached: (replyIds: readonly ReplyId[]) => void
}): Encounters {
  const { ledger, clock } = options

  function report(
    { lease: { reply }, account }: GuardedRun,
    breach: Omit<Breach, 'target' | 'at'>,
  ): void {
    const target = { assistantId: reply.assistantId, strategy: account.strategy }
    options.onBreach({ target, at: clock.now(), ...breach })
  }

  function collide(
    run: GuardedRun,
    { owner, isNew, inFlight }: Collision,
    logId: string | undefined,
  ): CollisionError {
    const { session } = run.lease
    options.stopBreached(inFlight)
    report(run, {
      isNew,
      way: owner === session.id ? 'of-another-conversation' : 'of-another-session',
      logIds: logIdsOf(logId),
      sessions: [...new Set([owner, session.id])],
    })
    return new CollisionError(isNew)
  }

  /** True: it was the conversation's own before. */
  async function bind(
    run: GuardedRun,
    { conversationId, logId }: ToldConversation,
    contextReset: boolean,
  ): Promise<boolean> {
    const binding = bindingOf(run, conversationId)
    const outcome = await run.lease.bind(binding, { contextReset, at: clock.now() })
    if (outcome === 'lost') throw new LostReplyError()
    if (typeof outcome === 'object') throw collide(run, outcome, logId)
    return outcome === 'known'
  }

  return {
    async intend(run, opened, contextReset) {
      const binding = opened && bindingOf(run, opened.conversationId)
      const outcome = await run.lease.intend({ binding, contextReset, at: clock.now() })
      if (typeof outcome === 'object') throw collide(run, outcome, opened?.logId)
      return outcome === 'intended'
    },
    async reveal(run, revealed, list) {
      const { chatId, logId, replaces } = revealed
      if (await bind(run, revealed, replaces)) return
      // It may have been used by a run that was lost before it was bound.
      const way = judgeRevealed(await list(), chatId)
      if (way === undefined) return
      const sessions = [run.lease.session.id]
      report(run, { isNew: true, way, logIds: logIdsOf(logId), sessions })
      throw new CollisionError(true)
    },
    async reportForeign(run, { chatId, conversationId }, own) {
      const { session, reply } = run.lease
      const { logId } = own
      const isElsewhere = conversationId !== own.conversationId
      const way: BreachWay = isElsewhere ? 'event-of-another-conversation' : 'event-of-another-chat'
      const alone = { isNew: true, way, logIds: logIdsOf(logId), sessions: [session.id] }
      try {
        const isOwn = isElsewhere
          ? await bind(run, { conversationId, logId }, false)
          : await ledger.session(session).hadChat(reply.conversationId, chatId)
        if (isOwn) return false
      } catch (error) {
        if (error instanceof CollisionError) return true
        if (!(error instanceof LostReplyError || error instanceof StoreError)) throw error
      }
      report(run, alone)
      return true
    },
  }
}

function bindingOf({ account }: GuardedRun, conversationId: string): UpstreamBinding {
  return { ...account, conversationId }
}

function logIdsOf(logId: string | undefined): readonly string[] {
  return logId === undefined ? [] : [logId]
}
