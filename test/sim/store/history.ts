import type { Message, ReplyId, Session } from '../../../src/domain.ts'
import { toMessage } from './rows.ts'
import type { State } from './state.ts'

/** What the upstream was told before this reply and after the last clearing, in the order in which it was told. */
export function history(
  state: State,
  session: Session,
  replyId: ReplyId,
  limit: number,
): readonly Message[] {
  const own = state.replies.get(replyId)
  const conversation = own && state.conversations.get(own.conversationId)
  if (own?.sessionId !== session.id || conversation === undefined) return []
  const before = own.run ?? Infinity
  const all = [...state.messages.values()]
    .filter((row) => row.conversationId === own.conversationId && row.replyId !== replyId)
    .flatMap((row) => {
      const run = state.replies.get(row.replyId)?.run
      return run === undefined || run >= before || run <= conversation.clearedRun
        ? []
        : [{ row, run }]
    })
    .toSorted((a, b) => a.run - b.run || a.row.order - b.row.order)
    .map(({ row }) => toMessage(state, row))
  return limit === 0 ? [] : all.slice(-limit)
}
