import type { AssistantId, AssistantInfo, Session } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { UpstreamBinding, UpstreamPlace } from '../store/ledger.ts'
import type { Emptying, Removal } from '../strategy/records.ts'
import { type AssistantAccess, recordsFor } from './assistant-access.ts'

export type BoundConversation = UpstreamBinding & { readonly assistantId: AssistantId }

type Owner = UpstreamPlace & { readonly assistantId: AssistantId }

/** Takes away what the upstream keeps of a session, as far as it lets us, in bounded time. */
export interface UpstreamCleaner {
  deleteConversations(
    session: Session,
    conversations: readonly BoundConversation[],
  ): Promise<Removals>
  /**
   * The worst of what became of any assistant's variables. `former`: where conversations were that nobody knows the
   * assistants of any more.
   */
  clearVariables(
    session: Session,
    conversations: readonly BoundConversation[],
    former: readonly UpstreamPlace[],
  ): Promise<Emptying>
}

/** How many conversations have become what. */
export type Removals = Readonly<Record<Removal, number>>

/** For one upstream call, in ms. */
const callMs = 10_000
/** For all of them, in ms. */
const totalMs = 60_000
const atOnce = 8

export function createUpstreamCleaner(
  options: AssistantAccess & {
    readonly assistants: readonly Pick<AssistantInfo, 'id'>[]
    readonly clock: Clock
    readonly closed: AbortSignal
  },
): UpstreamCleaner {
  const { assistants, clock, closed } = options

  /** All of the configured assistants that are there; at least one, so that what is out of reach is not passed over. */
  function ownersAt(place: UpstreamPlace): readonly Owner[] {
    const owners = assistants.map(({ id }) => ({ ...place, assistantId: id }))
    const found = owners.filter((one) => recordsFor(options, one.assistantId, one) !== undefined)
    return found.length > 0 ? found : owners.slice(0, 1)
  }

  /** The outcome of each call; those that have no time left are not begun, and leave all as it is. */
  async function settle<T extends string>(
    calls: readonly ((signal: AbortSignal) => Promise<T>)[],
  ): Promise<readonly (T | 'kept')[]> {
    using total = createDeadline(clock, totalMs, overdue)
    const left = calls.entries()
    const outcomes: (T | 'kept')[] = calls.map(() => 'kept')
    async function work(): Promise<void> {
      for (const [at, call] of left) {
        using own = createDeadline(clock, callMs, overdue)
        const signal = AbortSignal.any([own.signal, total.signal, closed])
        if (signal.aborted) return
        outcomes[at] = await call(signal)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, calls.length) }, work))
    return outcomes
  }

  return {
    async deleteConversations(session, conversations) {
      const calls = conversations.map((conversation) => async (signal: AbortSignal) => {
        const records = recordsFor(options, conversation.assistantId, conversation)
        const { conversationId } = conversation
        return (await records?.deleteConversation(session, conversationId, signal)) ?? 'kept'
      })
      const removals = { gone: 0, hidden: 0, kept: 0 }
      for (const removal of await settle(calls)) removals[removal] += 1
      return removals
    },
    async clearVariables(session, conversations, former) {
      const owners = new Map(
        [...former.flatMap(ownersAt), ...conversations].map((one) => [
          JSON.stringify([one.assistantId, one.strategy, one.scope]),
          one,
        ]),
      )
      const calls = [...owners.values()].map((owner) => async (signal: AbortSignal) => {
        const records = recordsFor(options, owner.assistantId, owner)
        return (await records?.clearVariables(session, signal)) ?? 'kept'
      })
      const outcomes = await settle(calls)
      return (['kept', 'no-call'] as const).find((one) => outcomes.includes(one)) ?? 'emptied'
    },
  }
}

function overdue(): Error {
  return new Error('the upstream did not answer in time')
}
