import type {
  AttachmentId,
  ConversationId,
  Position,
  ReplyEvent,
  ReplyEventBody,
  ReplyId,
  Session,
} from '../../../src/domain.ts'
import type {
  Claim,
  Collision,
  Fence,
  FinishOutcome,
  FinishRequest,
  Orphan,
  StoredAttachment,
  UpstreamBinding,
} from '../../../src/store/ledger.ts'
import { toMessage, toReply, toSession } from './rows.ts'
import {
  type BindingRow,
  isOpen,
  logOf,
  nextRow,
  openRepliesOf,
  type ConversationRow,
  type ReplyRow,
  type State,
} from './state.ts'

/** Gives an event its place; the same one however often the operation is repeated. */
export type PlaceEvent = (sessionId: Session['id']) => Position

const statuses = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const

export function claim(
  state: State,
  session: Session,
  conversationId: ConversationId,
  at: number,
  fence: Fence,
): Claim | undefined {
  const conversation = state.conversations.get(conversationId)
  if (conversation?.sessionId !== session.id) return undefined
  const open = openRepliesOf(state, conversationId)
  const head = open.find(({ told }) => told.status === 'QUEUED')
  const isRunning = state.flaw !== 'runs-two' && open.some(({ told }) => told.status !== 'QUEUED')
  if (head?.told.status !== 'QUEUED' || isRunning) return undefined
  head.told = { ...head.told, status: 'RUNNING', startedAt: at }
  head.fence = fence
  head.step = 'claimed'
  return describe(state, head, fence)
}

export function describe(state: State, row: ReplyRow, fence: Fence): Claim {
  const conversation = conversationOf(state, row)
  const message = state.messages.get(row.messageId)
  const session = state.sessions.get(row.sessionId)
  if (message === undefined || session === undefined) throw new TypeError('a reply lacks its rows')
  const { upstream, generation, isResetPending, freedAt } = conversation
  return {
    session: toSession(session),
    reply: toReply(state, row),
    message: toMessage(state, message),
    attachments: message.attachmentIds.flatMap((id) => attachmentsOf(state, id)),
    extras: row.extras,
    fence,
    upstream,
    contextReset: isResetPending,
    generation,
    headSince: Math.max(row.told.createdAt, freedAt),
  }
}

function attachmentsOf(state: State, id: AttachmentId): readonly StoredAttachment[] {
  const row = state.attachments.get(id)
  if (row === undefined) return []
  const { sessionId: _owner, ...attachment } = row
  return [attachment]
}

export function conversationOf(state: State, row: ReplyRow): ConversationRow {
  const conversation = state.conversations.get(row.conversationId)
  if (conversation === undefined) throw new TypeError('a reply lacks its conversation')
  return conversation
}

/** The reply if it runs under this fence. */
export function findRun(
  state: State,
  session: Session,
  replyId: ReplyId,
  fence: Fence,
): ReplyRow | undefined {
  const row = state.replies.get(replyId)
  if (row?.sessionId !== session.id || row.told.status === 'QUEUED' || !isOpen(row))
    return undefined
  return row.fence === fence || state.flaw === 'forgets-fences' ? row : undefined
}

export function requeue(state: State, session: Session, replyId: ReplyId, fence: Fence): boolean {
  const row = findRun(state, session, replyId, fence)
  if (row === undefined || (row.step !== 'claimed' && state.flaw !== 'sends-again')) return false
  const lowest = Math.min(...openRepliesOf(state, row.conversationId).map(({ rank }) => rank))
  row.told = { ...row.told, status: 'QUEUED', startedAt: null }
  row.fence = undefined
  row.rank = lowest - 1
  return true
}

export function bind(
  state: State,
  session: Session,
  replyId: ReplyId,
  fence: Fence,
  binding: UpstreamBinding,
): 'bound' | 'known' | 'lost' | Collision {
  const row = findRun(state, session, replyId, fence)
  if (row === undefined) return 'lost'
  const conversation = conversationOf(state, row)
  const { origin, account } = binding.scope
  const key = JSON.stringify([origin, account, binding.conversationId])
  const bound = state.bindings.get(key)
  if (bound !== undefined) {
    const isAnothers = bound.sessionId !== session.id || bound.conversationId !== conversation.id
    if (isAnothers || bound.isTainted) {
      return collide(state, bound)
    }
  }
  const owner = { sessionId: session.id, conversationId: conversation.id }
  state.bindings.set(key, { ...owner, binding, isTainted: false })
  const { upstream } = conversation
  // Bound anew within one run: the upstream conversation before this one is left for ever.
  if (upstream !== undefined && upstream.conversationId !== binding.conversationId) {
    conversation.generation += 1
  }
  conversation.upstream = binding
  // What is bound after the intent was revealed by the run.
  if (row.step === 'intent') row.step = 'revealed'
  return bound === undefined ? 'bound' : 'known'
}

function collide(state: State, bound: BindingRow): Collision {
  const { scope, conversationId } = bound.binding
  const { origin, account } = scope
  const isNew = !bound.isTainted
  bound.isTainted = true
  const met = [...state.conversations.values()].filter(
    ({ upstream }) =>
      upstream?.conversationId === conversationId &&
      upstream.scope.origin === origin &&
      upstream.scope.account === account,
  )
  const open = met.flatMap(({ id }) => openRepliesOf(state, id))
  for (const conversation of met) {
    conversation.upstream = undefined
    conversation.generation += 1
    conversation.isResetPending = true
  }
  const inFlight = open.flatMap(({ id, told }) => (told.status === 'QUEUED' ? [] : id))
  return { type: 'collision', owner: bound.sessionId, isNew, inFlight }
}

export function recordIntent(
  state: State,
  session: Session,
  replyId: ReplyId,
  fence: Fence,
  options: { readonly contextReset: boolean; readonly at: number },
  place: PlaceEvent,
): boolean {
  const row = findRun(state, session, replyId, fence)
  if (row === undefined) return false
  const conversation = conversationOf(state, row)
  const { contextReset } = options
  if (contextReset) conversation.isResetPending = false
  row.told = { ...row.told, contextReset: row.told.contextReset || contextReset }
  if (row.step !== 'claimed') {
    if (row.step === 'revealed') row.step = 'intent'
    return true
  }
  row.step = 'intent'
  conversation.lastRun += 1
  row.run = conversation.lastRun
  row.told = { ...row.told, startedAt: options.at }
  addEvent(state, row, place(session.id), { type: 'started' })
  return true
}

export function addEvent(
  state: State,
  row: ReplyRow,
  position: Position,
  body: ReplyEventBody,
): ReplyEvent {
  const { id: replyId, conversationId } = row
  const event: ReplyEvent = { ...position, replyId, conversationId, ...body }
  row.firstEvent ??= position
  row.lastEvent = position
  logOf(state, row.sessionId).events.push(event)
  return event
}

export function finish(
  state: State,
  session: Session,
  request: FinishRequest,
  place: PlaceEvent,
): FinishOutcome {
  const { replyId, fence, event, at } = request
  const row = state.replies.get(replyId)
  if (row?.sessionId !== session.id) return { type: 'lost' }
  if (!isOpen(row) && state.flaw !== 'ends-twice')
    return { type: 'already', reply: toReply(state, row) }
  const isMine = row.fence === fence || state.flaw === 'forgets-fences'
  if (fence !== undefined && !isMine) return { type: 'lost' }
  const conversation = conversationOf(state, row)
  const hasRun = row.told.status !== 'QUEUED'
  row.origin = conversation.upstream
  row.upstreamMessageId = request.upstreamMessageId
  row.fence = undefined
  row.told = {
    ...row.told,
    status: statuses[event.type],
    toolCalls: [],
    actionExpiresAt: null,
    explanation: request.explanation ?? null,
    endedAt: at,
  }
  if (event.type === 'completed') {
    const { text, usage, followUps, question, omitted, contextReset } = event
    row.told = {
      ...row.told,
      text,
      usage,
      followUps,
      question,
      omitted,
      contextReset: row.told.contextReset || contextReset,
      answerId: request.answerId,
    }
    state.messages.set(request.answerId, {
      id: request.answerId,
      sessionId: session.id,
      conversationId: conversation.id,
      replyId,
      role: 'ASSISTANT',
      text: '',
      attachmentIds: [],
      rating: null,
      createdAt: at,
      order: nextRow(state),
    })
  } else if (event.type === 'failed') {
    const { code, message, retryable, retryAfterMs } = event
    row.told = { ...row.told, failure: { code, message, retryable, retryAfterMs } }
  } else {
    row.told = { ...row.told, upstreamCancelled: event.upstreamCancelled }
  }
  if (hasRun) conversation.freedAt = at
  if (request.resetUpstream) {
    conversation.upstream = undefined
    conversation.generation += 1
    conversation.isResetPending = true
  }
  addEvent(state, row, place(session.id), event)
  return { type: 'finished', reply: toReply(state, row) }
}

/** Takes every reply that runs under a fence of before. */
export function takeOrphans(
  state: State,
  floor: Fence,
  nextFence: (replyId: ReplyId) => Fence,
): readonly Orphan[] {
  const orphans: Orphan[] = []
  for (const row of state.replies.values()) {
    if (!isOpen(row) || row.fence === undefined || row.fence > floor) continue
    row.fence = nextFence(row.id)
    const progress = state.flaw === 'sends-again' ? ({ step: 'claimed' } as const) : progressOf(row)
    const { isInterrupted } = row
    orphans.push({ ...describe(state, row, row.fence), isInterrupted, progress })
  }
  return orphans
}

function progressOf({ step, chatId, told }: ReplyRow): Orphan['progress'] {
  switch (step) {
    case 'claimed':
    case 'intent':
    case 'revealed':
      return { step }
    case 'chat':
    case 'outputs':
      return { step, chatId: chatId ?? '' }
    case 'action':
      return {
        step,
        chatId: chatId ?? '',
        toolCalls: told.toolCalls,
        expiresAt: told.actionExpiresAt ?? 0,
      }
  }
}
