import type { ConversationId, Session, SessionName } from '../../../src/domain.ts'
import type { ErasedSession, UpstreamBinding } from '../../../src/store/ledger.ts'
import {
  comparePlaces,
  type ConversationRow,
  isOpen,
  logOf,
  openRepliesOf,
  type State,
} from './state.ts'

export function clearConversation(
  state: State,
  session: Session,
  id: ConversationId,
): 'cleared' | 'not-found' | 'busy' {
  const row = findOwn(state, session, id)
  if (row === undefined) return 'not-found'
  if (openRepliesOf(state, id).length > 0) return 'busy'
  if (row.upstream !== undefined) row.generation += 1
  row.upstream = undefined
  row.isResetPending = false
  row.clearedRun = row.lastRun
  return 'cleared'
}

export function deleteConversation(state: State, session: Session, id: ConversationId) {
  const row = findOwn(state, session, id)
  if (row === undefined) return { type: 'not-found' } as const
  if (openRepliesOf(state, id).length > 0) return { type: 'busy' } as const
  const upstream = bindingsOf(state, row)
  remove(state, row)
  return { type: 'deleted', assistantId: row.assistantId, upstream } as const
}

export function eraseSession(
  state: State,
  session: Session,
  name: (generation: number) => SessionName,
): { readonly type: 'erased'; readonly erased: ErasedSession } | { readonly type: 'busy' } {
  const owner = state.sessions.get(session.id)
  if (owner === undefined) throw new TypeError('the session was not opened')
  const mine = (row: { readonly sessionId: string }) => row.sessionId === session.id
  if ([...state.replies.values()].some((row) => mine(row) && isOpen(row))) return { type: 'busy' }
  const conversations = [...state.conversations.values()].filter(mine)
  const messages = [...state.messages.values()].filter(mine).length
  const attachments = [...state.attachments.values()].filter(mine)
  const upstream = conversations.flatMap((row) =>
    bindingsOf(state, row).map((binding) => ({ ...binding, assistantId: row.assistantId })),
  )
  const former = new Map(
    [...state.bindings.values()]
      .filter((row) => mine(row) && !state.conversations.has(row.conversationId))
      .map(({ binding: { scope, strategy } }) => [
        JSON.stringify([scope.origin, scope.account, strategy]),
        { scope, strategy },
      ]),
  )
  for (const row of conversations) remove(state, row)
  for (const { id } of attachments) state.attachments.delete(id)
  owner.generation += 1
  owner.name = name(owner.generation)
  return {
    type: 'erased',
    erased: {
      conversations: conversations.length,
      messages,
      attachments: attachments.map(({ sessionId: _owner, ...attachment }) => attachment),
      upstream,
      former: [...former.values()],
    },
  }
}

/** Only what no reader of the log can ask for any more. */
export function trimMessages(state: State, writtenBefore: number): number {
  let count = 0
  for (const row of state.replies.values()) {
    const written = state.messages.get(row.messageId)?.createdAt ?? 0
    const isToldOf = row.lastEvent !== undefined && !row.isTrimmed
    if (isOpen(row) || isToldOf || written >= writtenBefore) continue
    state.replies.delete(row.id)
    for (const message of state.messages.values()) {
      if (message.replyId === row.id) state.messages.delete(message.id)
    }
    for (const [key, { replyId }] of state.keys) if (replyId === row.id) state.keys.delete(key)
    const conversation = state.conversations.get(row.conversationId)
    if (conversation !== undefined) conversation.isTrimmed = true
    count += 1
  }
  return count
}

function findOwn(state: State, session: Session, id: ConversationId): ConversationRow | undefined {
  const row = state.conversations.get(id)
  return row?.sessionId === session.id ? row : undefined
}

function bindingsOf(state: State, { id }: ConversationRow): readonly UpstreamBinding[] {
  return [...state.bindings.values()]
    .filter((row) => row.conversationId === id)
    .map(({ binding }) => binding)
}

/** All but its bindings, which stay as tombstones. */
function remove(state: State, { id, sessionId }: ConversationRow): void {
  state.conversations.delete(id)
  const isOf = (row: { readonly conversationId: string }) => row.conversationId === id
  for (const row of state.messages.values()) if (isOf(row)) state.messages.delete(row.id)
  const log = logOf(state, sessionId)
  for (const { conversationId, epoch, seq } of log.events) {
    if (conversationId === id && comparePlaces({ epoch, seq }, log.deletedTo) > 0) {
      log.deletedTo = { epoch, seq }
    }
  }
  log.events = log.events.filter((event) => !isOf(event))
  for (const row of state.replies.values()) {
    if (!isOf(row)) continue
    state.replies.delete(row.id)
    for (const [key, { replyId }] of state.keys) if (replyId === row.id) state.keys.delete(key)
  }
}
