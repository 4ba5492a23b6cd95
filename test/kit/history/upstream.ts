import type { Facts } from './facts.ts'
import { type Chats, type Complain, type History, isTerminal } from './history.ts'

/** What the upstream may be told, and what has to come of it: rules 4, 5, 6 and 9. */
export function checkUpstream(
  history: History,
  { truths, deleted }: Facts,
  complain: Complain,
): void {
  const keys = new Map<string, string>()
  const settled = new Set(history.flatMap((step) => (step.type === 'settled' ? step.id : [])))
  for (const step of history) {
    if (step.type === 'chats') checkChats(step)
    if (step.type === 'served' && step.sessions.length > 1) {
      complain(5, `${step.sessions.join(' and ')} were both served in ${step.upstream}`)
    }
    if (step.type === 'owed' && !settled.has(step.id)) complain(9, `${step.work}, and forgotten`)
    if (step.type !== 'send' || step.idempotencyKey === undefined || !step.accepted) continue
    const key = JSON.stringify([step.as, step.idempotencyKey])
    const { replyId } = step.accepted
    const first = keys.get(key) ?? replyId
    // A key is kept as long as its reply.
    keys.set(key, deleted.has(first) ? replyId : first)
    if (first !== replyId && !deleted.has(first)) {
      complain(6, `key ${step.idempotencyKey} of ${step.as} made ${first} and ${replyId}`)
    }
  }

  function checkChats({ replyId, count, text }: Chats): void {
    if (count > 1) complain(6, `the message of ${replyId} became ${count} upstream chats`)
    const end = truths.get(replyId)?.events.findLast(isTerminal)?.body
    if (end?.type !== 'completed') return
    if (count === 0) complain(6, `${replyId} is completed, and no upstream chat was`)
    else if (text !== undefined && text !== end.text) {
      complain(4, `${replyId} has another text than the upstream gave`)
    }
  }
}
