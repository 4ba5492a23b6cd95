import type { AssistantId, AssistantInfo } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { Logger } from '../observe/logger.ts'
import { type AssistantAccess, choiceFor, recordsFor } from '../reply/assistant-access.ts'
import type { UpstreamAccount } from '../domain/upstream.ts'
import type { Outbox, OwedWork, OwedWorkId } from '../store/outbox.ts'
import { StoreError } from '../store/store.ts'

/**
 * What became of a work. `done`: the platform did it, or says that there is nothing to do. `hidden`: the platform only hides
 * what is deleted. `no-call`: the platform has no call for it. `owed`: it was tried in vain, and will be tried again.
 * `given-up`: it was tried in vain for too long.
 */
export type OwedOutcome = 'done' | 'hidden' | 'no-call' | 'owed' | 'given-up'

export interface TriedWork {
  readonly work: OwedWork
  readonly outcome: OwedOutcome
}

/** Does what is owed to the platform, as far as it lets us. */
export interface OwedWorks {
  /**
   * Tries each work once, in bounded time, and records in the outbox what became of it: settled, or due again later. Never
   * throws: a work whose outcome could not be recorded is still owed.
   */
  attempt(works: readonly OwedWork[]): Promise<readonly TriedWork[]>
  /**
   * Works off whatever is due: what an earlier process left behind, and what was tried in vain. Resolves when the engine is
   * closed.
   */
  workOff(): Promise<void>
}

/** For one upstream call, in ms. */
const callMs = 10_000
/** For all of them, in ms. */
const totalMs = 60_000
const atOnce = 8
/** The time until a work is tried again doubles from try to try, between these, in ms. */
const firstRetryMs = 1_000
const maxRetryMs = 3_600_000
/** How long after it was owed a work is tried, in ms. */
const giveUpMs: Readonly<Record<OwedWork['type'], number>> = {
  'delete-conversation': 7 * 24 * 3_600_000,
  'clear-variables': 7 * 24 * 3_600_000,
  // No chat runs for so long.
  'cancel-chat': 3_600_000,
}
/** Works that are taken at once, and for how long nobody else is given them, in ms: longer than they are tried. */
const batch = 64
const leaseMs = 2 * totalMs
/** The longest time between two looks at the outbox, in ms: what is owed at the end of a reply is seen then. */
const lookMs = 30_000
/** The shortest one, in ms. */
const minLookMs = 100

export function createOwedWorks(
  options: AssistantAccess & {
    readonly outbox: Outbox
    readonly assistants: readonly Pick<AssistantInfo, 'id'>[]
    readonly clock: Clock
    readonly logger: Logger
    /** Aborts when the engine is closed. */
    readonly closed: AbortSignal
  },
): OwedWorks {
  const { outbox, assistants, clock, logger, closed } = options

  async function call(work: OwedWork, signal: AbortSignal): Promise<OwedOutcome> {
    const { session } = work
    switch (work.type) {
      case 'delete-conversation': {
        const { assistantId, upstream } = work
        const records = recordsFor(options, assistantId, upstream)
        const removal = await records?.deleteConversation(session, upstream.conversationId, signal)
        if (removal === 'gone') return 'done'
        return removal === 'hidden' ? 'hidden' : 'owed'
      }
      case 'clear-variables': {
        const owners = work.assistantId === null ? ownersAt(work.account) : [work.assistantId]
        let outcome: OwedOutcome = 'done'
        for (const owner of owners) {
          const emptying = await recordsFor(options, owner, work.account)?.clearVariables(
            session,
            signal,
          )
          if (emptying === 'no-call' && outcome === 'done') outcome = 'no-call'
          if (emptying === 'kept' || emptying === undefined) outcome = 'owed'
        }
        return outcome
      }
      case 'cancel-chat': {
        const { assistantId, upstream, chatId } = work
        const { conversationId: upstreamConversationId } = upstream
        const strategy = choiceFor(options, assistantId, upstream)?.strategy
        const outcome = await strategy?.cancel({ session, upstreamConversationId, chatId }, signal)
        return outcome === 'agreed' || outcome === 'refused' ? 'done' : 'owed'
      }
    }
  }

  /** All configured assistants of the account; at least one, so that what is out of reach is not passed over. */
  function ownersAt(account: UpstreamAccount): readonly AssistantId[] {
    const ids = assistants.map(({ id }) => id)
    const found = ids.filter((id) => recordsFor(options, id, account) !== undefined)
    return found.length > 0 ? found : ids.slice(0, 1)
  }

  async function tryOnce(work: OwedWork, total: AbortSignal): Promise<OwedOutcome> {
    using own = createDeadline(clock, callMs, overdue)
    const signal = AbortSignal.any([own.signal, total, closed])
    if (signal.aborted) return 'owed'
    try {
      return await call(work, signal)
    } catch (error) {
      logger.error({ work: work.id, type: work.type, err: error }, 'owed work failed')
      return 'owed'
    }
  }

  /** What cannot be recorded is tried once more than it would have to be, which does no harm. */
  async function record(what: () => Promise<void>): Promise<void> {
    try {
      await what()
    } catch (error) {
      // A store that is closed under a request has lost nothing: the work is taken up at the next start.
      if (closed.aborted && error instanceof StoreError) return
      logger.error({ err: error }, 'the outcome of owed work was not stored')
    }
  }

  /** The ids of works that are being tried, by a request or by the loop below. */
  const underWay = new Set<OwedWorkId>()
  let sleep = new AbortController()

  async function recordAll(tried: readonly TriedWork[]): Promise<void> {
    const settled = tried.filter(({ outcome }) => outcome !== 'owed')
    if (settled.length > 0) await record(() => outbox.settle(settled.map(({ work }) => work.id)))
    for (const { work, outcome } of tried) {
      if (outcome !== 'owed') continue
      const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(work.attempts, 32))
      await record(() => outbox.postpone(work.id, clock.now() + waitMs))
    }
  }

  /** Tries what is due, and returns how long to sleep then, in ms. */
  async function workOffDue(): Promise<number> {
    const now = clock.now()
    const taken = await outbox.take({ now, leaseMs, limit: batch })
    const due = taken.filter(({ id }) => !underWay.has(id))
    for (const { work, outcome } of await attempt(due)) {
      const { id, type, attempts } = work
      if (outcome !== 'owed')
        logger.info({ work: id, type, attempts, outcome }, 'owed work settled')
    }
    if (taken.length === batch) return 0
    const next = await outbox.nextDue()
    return next === undefined ? lookMs : Math.min(lookMs, Math.max(0, next - clock.now()))
  }

  async function attempt(works: readonly OwedWork[]): Promise<readonly TriedWork[]> {
    for (const { id } of works) underWay.add(id)
    try {
      return await attemptAll(works)
    } finally {
      for (const { id } of works) underWay.delete(id)
    }
  }

  async function attemptAll(works: readonly OwedWork[]): Promise<readonly TriedWork[]> {
    const outcomes: OwedOutcome[] = works.map(() => 'owed')
    using total = createDeadline(clock, totalMs, overdue)
    const left = works.entries()
    async function workOff(): Promise<void> {
      for (const [at, work] of left) outcomes[at] = await tryOnce(work, total.signal)
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, works.length) }, workOff))
    const tried = works.map((work, at): TriedWork => {
      const outcome = outcomes[at] ?? 'owed'
      const isOver = outcome === 'owed' && clock.now() - work.owedSince >= giveUpMs[work.type]
      if (!isOver) return { work, outcome }
      const { id, type, attempts } = work
      logger.error({ work: id, type, attempts }, 'owed work was given up')
      return { work, outcome: 'given-up' }
    })
    await recordAll(tried)
    return tried
  }

  return {
    async attempt(works) {
      const tried = await attempt(works)
      // It is due sooner than the loop would look.
      if (tried.some(({ outcome }) => outcome === 'owed')) sleep.abort()
      return tried
    },
    async workOff() {
      while (!closed.aborted) {
        sleep = new AbortController()
        let waitMs = lookMs
        try {
          waitMs = await workOffDue()
        } catch (error) {
          // A damaged row as well as a store that fails: the process goes on without what is owed.
          logger.error({ err: error }, 'the outbox could not be read')
        }
        const woken = AbortSignal.any([sleep.signal, closed])
        await clock.sleep(Math.max(waitMs, minLookMs), woken).catch(() => undefined)
      }
    },
  }
}

function overdue(): Error {
  return new Error('the upstream did not answer in time')
}
