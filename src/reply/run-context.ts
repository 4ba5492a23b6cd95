import type { Claim } from '../store/ledger.ts'
import type { RunContext } from '../strategy/strategy.ts'

/** The part of a claim that a strategy may key its calls by. */
export function runContext({ session, reply, generation }: Claim): RunContext {
  return { session, conversationId: reply.conversationId, replyId: reply.id, generation }
}
