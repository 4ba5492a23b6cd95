import type { ReplyId, Session, ToolCall } from '../../../src/domain.ts'
import { replyStates } from '../../../src/domain/reply-states.ts'
import type { Ledger } from '../../../src/store/ledger.ts'
import { toReply } from './rows.ts'
import { addEvent, findRun, recordChat } from './runs.ts'
import type { State } from './state.ts'
import type { RevisedText } from './texts.ts'
import type { Tokens } from './tokens.ts'

export function requireAction(
  state: State,
  replyId: ReplyId,
  fence: string,
  action: { readonly toolCalls: readonly ToolCall[]; readonly expiresAt: number },
  held: { readonly text: RevisedText; readonly chatId: string | undefined },
  tokens: Tokens,
): boolean {
  const row = findRun(state, replyId, fence)
  const status = row && replyStates[row.told.status]['require-action']
  if (row === undefined || status === undefined) return false
  const { toolCalls, expiresAt } = action
  row.text = held.text
  recordChat(row, held.chatId)
  row.step = 'waiting'
  row.told = { ...row.told, status, toolCalls, actionExpiresAt: expiresAt }
  addEvent(state, row, { type: 'action-required', ...action }, tokens)
  return true
}

export function takeToolOutputs(
  state: State,
  session: Session,
  replyId: ReplyId,
  { toolCallIds, digest }: { readonly toolCallIds: readonly string[]; readonly digest: string },
): Awaited<ReturnType<Ledger['takeToolOutputs']>> {
  const row = state.replies.get(replyId)
  if (row?.sessionId !== session.id) return { type: 'not-found' }
  const status = replyStates[row.told.status]['take-outputs']
  const wanted = new Set(row.told.toolCalls.map(({ id }) => id))
  const given = new Set(toolCallIds)
  const isSame = given.size === toolCallIds.length && wanted.symmetricDifference(given).size === 0
  if (status === undefined || !isSame) {
    if (row.toolOutputs.includes(digest)) return { type: 'repeated', reply: toReply(state, row) }
    return { type: status === undefined ? 'not-waiting' : 'other-calls' }
  }
  row.toolOutputs = [...row.toolOutputs, digest]
  row.step = 'answered'
  row.told = { ...row.told, status, toolCalls: [], actionExpiresAt: null }
  return { type: 'taken', reply: toReply(state, row) }
}
