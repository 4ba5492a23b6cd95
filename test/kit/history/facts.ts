import type { History, Truth } from './history.ts'

/** What a history says of replies as a whole, whenever it says so. */
export interface Facts {
  /** Per accepted reply: its session. */
  readonly owners: ReadonlyMap<string, string>
  /** Per accepted reply. */
  readonly conversations: ReadonlyMap<string, string>
  readonly truths: ReadonlyMap<string, Truth>
  readonly deleted: ReadonlySet<string>
  /** Whether text of a reply may be taken back. */
  readonly isCorrectable: (replyId: string) => boolean
}

export function gatherFacts(history: History): Facts {
  const owners = new Map<string, string>()
  const conversations = new Map<string, string>()
  const truths = new Map<string, Truth>()
  const deleted = new Set<string>()
  const corrected = new Set<string>()
  let crashed = false
  for (const step of history) {
    if (step.type === 'send' && step.accepted) {
      owners.set(step.accepted.replyId, step.as)
      conversations.set(step.accepted.replyId, step.accepted.conversationId)
    }
    if (step.type === 'truth') truths.set(step.replyId, step)
    if (step.type === 'deleted') deleted.add(step.replyId)
    if ((step.type === 'truth' || step.type === 'deleted') && step.corrected) {
      corrected.add(step.replyId)
    }
    if (step.type === 'crash') crashed = true
  }
  return {
    owners,
    conversations,
    truths,
    deleted,
    isCorrectable: (replyId) => crashed || corrected.has(replyId),
  }
}
