import type { AssistantId, AssistantInfo, Session } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { UpstreamBinding, UpstreamPlace } from '../store/ledger.ts'
import { type AssistantAccess, recordsFor } from './assistant-access.ts'

export type BoundConversation = UpstreamBinding & { readonly assistantId: AssistantId }

type Owner = UpstreamPlace & { readonly assistantId: AssistantId }

/** Takes away what the upstream keeps of a session, as far as it lets us, in bounded time. */
export interface UpstreamCleaner {
  /** How many conversations are gone. */
  deleteConversations(
    session: Session,
    conversations: readonly BoundConversation[],
  ): Promise<number>
  /**
   * False: some assistant's variables may be there still. `former`: where conversations were that nobody knows the
   * assistants of any more.
   */
  clearVariables(
    session: Session,
    conversations: readonly BoundConversation[],
    former: readonly UpstreamPlace[],
  ): Promise<boolean>
}

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

  /** How many calls have done what they should; those that have no time left are not begun. */
  async function countDone(
    calls: readonly ((signal: AbortSignal) => Promise<boolean>)[],
  ): Promise<number> {
    using total = createDeadline(clock, totalMs, overdue)
    const left = calls.values()
    let done = 0
    async function work(): Promise<void> {
      for (const call of left) {
        using own = createDeadline(clock, callMs, overdue)
        const signal = AbortSignal.any([own.signal, total.signal, closed])
        if (signal.aborted) return
        if (await call(signal)) done += 1
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, calls.length) }, work))
    return done
  }

  return {
    deleteConversations: (session, conversations) =>
      countDone(
        conversations.map((conversation) => async (signal) => {
          const records = recordsFor(options, conversation.assistantId, conversation)
          const { conversationId } = conversation
          return (await records?.deleteConversation(session, conversationId, signal)) ?? false
        }),
      ),
    async clearVariables(session, conversations, former) {
      const owners = new Map(
        [...former.flatMap(ownersAt), ...conversations].map((one) => [
          JSON.stringify([one.assistantId, one.strategy, one.scope]),
          one,
        ]),
      )
      const calls = [...owners.values()].map((owner) => async (signal: AbortSignal) => {
        const records = recordsFor(options, owner.assistantId, owner)
        return (await records?.clearVariables(session, signal)) ?? false
      })
      return (await countDone(calls)) === calls.length
    },
  }
}

function overdue(): Error {
  return new Error('the upstream did not answer in time')
}
