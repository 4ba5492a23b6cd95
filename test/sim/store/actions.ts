import type { Reply, ReplyId, Session, ToolCall } from '../../../src/domain.ts'
import type { Fence } from '../../../src/store/ledger.ts'
import { toReply } from './rows.ts'
import { addEvent, findRun, type PlaceEvent } from './runs.ts'
import type { State } from './state.ts'

export function requireAction(
  state: State,
  session: Session,
  replyId: ReplyId,
  fence: Fence,
  action: { readonly toolCalls: readonly ToolCall[]; readonly expiresAt: number },
  place: PlaceEvent,
): boolean {
  const row = findRun(state, session, replyId, fence)
  if (row === undefined || row.told.status !== 'RUNNING') return false
  const { toolCalls, expiresAt } = action
  row.step = 'action'
  row.told = { ...row.told, status: 'ACTION_REQUIRED', toolCalls, actionExpiresAt: expiresAt }
  addEvent(state, row, place(session.id), { type: 'action-required', ...action })
  return true
}

export function takeToolOutputs(
  state: State,
  session: Session,
  replyId: ReplyId,
  { toolCallIds, digest }: { readonly toolCallIds: readonly string[]; readonly digest: string },
):
  | { readonly type: 'taken'; readonly reply: Reply }
  | { readonly type: 'repeated'; readonly reply: Reply }
  | { readonly type: 'not-waiting' }
  | { readonly type: 'other-calls' }
  | { readonly type: 'not-found' } {
  const row = state.replies.get(replyId)
  if (row?.sessionId !== session.id) return { type: 'not-found' }
  const isWaiting = row.told.status === 'ACTION_REQUIRED'
  const wanted = new Set(row.told.toolCalls.map(({ id }) => id))
  const given = new Set(toolCallIds)
  const isSame = given.size === toolCallIds.length && wanted.symmetricDifference(given).size === 0
  if (!isWaiting || !isSame) {
    if (row.toolOutputs.includes(digest)) return { type: 'repeated', reply: toReply(state, row) }
    return { type: isWaiting ? 'other-calls' : 'not-waiting' }
  }
  row.toolOutputs = [...row.toolOutputs, digest]
  row.step = 'outputs'
  row.told = { ...row.told, status: 'RUNNING', toolCalls: [], actionExpiresAt: null }
  return { type: 'taken', reply: toReply(state, row) }
}
