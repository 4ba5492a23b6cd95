import type { AssistantId, Session } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { UpstreamBinding } from '../store/ledger.ts'
import { type AssistantAccess, recordsFor } from './assistant-access.ts'

export type BoundConversation = UpstreamBinding & { readonly assistantId: AssistantId }

/** Takes away what the upstream keeps of a session, as far as it lets us, in bounded time. */
export interface UpstreamCleaner {
  /** How many conversations are gone. */
  deleteConversations(
    session: Session,
    conversations: readonly BoundConversation[],
  ): Promise<number>
  /** False: some assistant's variables may be there still. */
  clearVariables(session: Session, conversations: readonly BoundConversation[]): Promise<boolean>
}

/** For one upstream call, in ms. */
const callMs = 10_000
/** For all of them, in ms. */
const totalMs = 60_000
const atOnce = 8

export function createUpstreamCleaner(
  options: AssistantAccess & { readonly clock: Clock; readonly closed: AbortSignal },
): UpstreamCleaner {
  const { clock, closed } = options

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
    async clearVariables(session, conversations) {
      const owners = new Map(
        conversations.map((one) => [JSON.stringify([one.assistantId, one.strategy]), one]),
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
