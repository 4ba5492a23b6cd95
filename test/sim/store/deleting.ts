import type { ConversationId, Session, SessionName } from '../../../src/domain.ts'
import type { Ledger } from '../../../src/store/ledger.ts'
import type { UpstreamAccount } from '../../../src/domain/upstream.ts'
import type { OwedCall, OwedWork } from '../../../src/store/outbox.ts'
import { owe } from './outbox.ts'
import { toSession } from './rows.ts'
import {
  type ConversationRow,
  isOpen,
  logOf,
  openRepliesOf,
  type SessionRow,
  type State,
} from './state.ts'
import type { Tokens } from './tokens.ts'

export function clearConversation(
  state: State,
  session: Session,
  id: ConversationId,
  at: number,
  tokens: Tokens,
): Awaited<ReturnType<Ledger['clearConversation']>> {
  const row = findOwn(state, session, id)
  if (row === undefined) return { type: 'not-found' }
  if (openRepliesOf(state, id).length > 0) return { type: 'busy' }
  const calls = deletionsOf(state, row)
  if (state.flaw !== 'clears-in-place') {
    if (row.upstream !== undefined) row.generation += 1
    row.upstream = undefined
  }
  row.isResetPending = false
  row.clearedRun = row.lastRun
  return { type: 'cleared', owed: oweAll(state, session, calls, at, tokens) }
}

export function deleteConversation(
  state: State,
  session: Session,
  id: ConversationId,
  at: number,
  tokens: Tokens,
): Awaited<ReturnType<Ledger['deleteConversation']>> {
  const row = findOwn(state, session, id)
  if (row === undefined) return { type: 'not-found' }
  if (openRepliesOf(state, id).length > 0) return { type: 'busy' }
  const calls = deletionsOf(state, row)
  remove(state, row)
  return { type: 'deleted', owed: oweAll(state, session, calls, at, tokens) }
}

export function eraseSession(
  state: State,
  session: Session,
  name: (generation: number) => SessionName,
  at: number,
  tokens: Tokens,
): Awaited<ReturnType<Ledger['eraseSession']>> {
  const owner = ownerOf(state, session)
  const mine = (row: { readonly sessionId: string }) => row.sessionId === session.id
  if ([...state.replies.values()].some((row) => mine(row) && isOpen(row))) return { type: 'busy' }
  const conversations = [...state.conversations.values()].filter(mine)
  const messages = [...state.messages.values()].filter(mine).length
  const attachments = [...state.attachments.values()].filter(mine)
  const hasSpoken = [...state.bindings.values()].some(mine)
  const calls = [
    ...clearingsOf(state, session),
    ...conversations.flatMap((row) => deletionsOf(state, row)),
  ]
  const earlier = [...state.outbox.values()]
    .map(({ work }) => work)
    .filter((work) => work.session.id === session.id)
  const isLate = state.flaw === 'owes-under-the-new-name'
  const owedNow = isLate ? [] : oweAll(state, session, calls, at, tokens)
  for (const row of conversations) remove(state, row)
  for (const { id } of attachments) state.attachments.delete(id)
  owner.generation += 1
  owner.name = name(owner.generation)
  const owedLate = isLate ? oweAll(state, session, calls, at, tokens) : []
  return {
    type: 'erased',
    erased: {
      conversations: conversations.length,
      messages,
      attachments: attachments.length,
      hasSpoken,
      owed: [...earlier, ...owedNow, ...owedLate],
    },
  }
}

/** The variables of every assistant that the session spoke to; where a deletion forgot which, of the account. */
function clearingsOf(state: State, session: Session): readonly OwedCall[] {
  const calls = new Map<string, OwedCall>()
  for (const { sessionId, conversationId, binding } of state.bindings.values()) {
    if (sessionId !== session.id) continue
    const { scope, strategy } = binding
    const account: UpstreamAccount = { scope, strategy }
    const assistantId = state.conversations.get(conversationId)?.assistantId ?? null
    const key = JSON.stringify([assistantId, scope.origin, scope.account, strategy])
    calls.set(key, { type: 'clear-variables', assistantId, account })
  }
  return [...calls.values()]
}

/** Each upstream conversation that a conversation ever had is owed once. */
function deletionsOf(state: State, { id, assistantId }: ConversationRow): readonly OwedCall[] {
  return [...state.bindings.values()]
    .filter((row) => row.conversationId === id && !row.isOwed)
    .map((row) => {
      row.isOwed = true
      return { type: 'delete-conversation', assistantId, upstream: row.binding }
    })
}

function oweAll(
  state: State,
  session: Session,
  calls: readonly OwedCall[],
  at: number,
  tokens: Tokens,
): readonly OwedWork[] {
  const known = toSession(ownerOf(state, session))
  return calls.map((call) => owe(state, known, call, at, tokens))
}

function ownerOf(state: State, session: Session): SessionRow {
  const owner = state.sessions.get(session.id)
  if (owner === undefined) throw new TypeError('the session was not opened')
  return owner
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
    count += 1
  }
  return count
}

function findOwn(state: State, session: Session, id: ConversationId): ConversationRow | undefined {
  const row = state.conversations.get(id)
  return row?.sessionId === session.id ? row : undefined
}

/** All but its bindings, which stay as tombstones. */
function remove(state: State, { id, sessionId }: ConversationRow): void {
  state.conversations.delete(id)
  const isOf = (row: { readonly conversationId: string }) => row.conversationId === id
  for (const row of state.messages.values()) if (isOf(row)) state.messages.delete(row.id)
  const log = logOf(state, sessionId)
  const gone = log.events.filter(isOf).map(({ seq, check }) => ({ seq, check }))
  log.stubs = [...log.stubs, ...gone]
  log.events = log.events.filter((event) => !isOf(event))
  state.changed.add(sessionId)
  for (const row of state.replies.values()) {
    if (!isOf(row)) continue
    state.replies.delete(row.id)
    for (const [key, { replyId }] of state.keys) if (replyId === row.id) state.keys.delete(key)
  }
}
