import type {
  AttachmentId,
  ConversationId,
  LogEvent,
  ReplyId,
  Session,
  TerminalEventBody,
} from '../../../src/domain.ts'
import { replyStates } from '../../../src/domain/reply-states.ts'
import type {
  Claim,
  Collision,
  RunLease,
  RunProgress,
  StoredAttachment,
  RequeueOutcome,
} from '../../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../../src/domain/upstream.ts'
import { toMessage, toReply, toSession } from './rows.ts'
import {
  type BindingRow,
  isOpen,
  logOf,
  openRepliesOf,
  type ConversationRow,
  type ReplyRow,
  type State,
} from './state.ts'
import { beginRevision, type RevisedText } from './texts.ts'
import { revisionName, type Tokens } from './tokens.ts'

/** A reply that was put under a fence. */
export interface Run {
  readonly claim: Claim
  readonly fence: string
  readonly text: RevisedText
}

export function claim(
  state: State,
  session: Session,
  conversationId: ConversationId,
  at: number,
  tokens: Tokens,
): Run | undefined {
  const conversation = state.conversations.get(conversationId)
  if (conversation?.sessionId !== session.id) return undefined
  const open = openRepliesOf(state, conversationId)
  const head = open.find(({ told }) => told.status === 'QUEUED')
  const isRunning = state.flaw !== 'runs-two' && open.some(({ told }) => told.status !== 'QUEUED')
  const status = head && replyStates[head.told.status].claim
  if (head === undefined || status === undefined || isRunning) return undefined
  head.told = { ...head.told, status, startedAt: at }
  head.step = 'claimed'
  return fenceOff(state, head, tokens)
}

/** Puts a running reply under a new fence: its text goes on in a revision that keeps what is on disk. */
export function fenceOff(state: State, row: ReplyRow, tokens: Tokens): Run {
  const fence = tokens.fence()
  row.fence = fence
  const isKept = state.flaw === 'keeps-revision' && row.text.revisions.length > 0
  if (!isKept) row.text = beginRevision(row.text, revisionName(row.text, fence, state.flaw))
  return { claim: describe(state, row), fence, text: row.text }
}

function describe(state: State, row: ReplyRow): Claim {
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
    upstream,
    contextReset: isResetPending,
    generation,
    headSince: Math.max(row.told.createdAt, freedAt),
    askedBefore: askedBefore(state, row, conversation),
  }
}

function attachmentsOf(state: State, id: AttachmentId): readonly StoredAttachment[] {
  const row = state.attachments.get(id)
  if (row === undefined) return []
  const { sessionId: _owner, ...attachment } = row
  return [attachment]
}

function askedBefore(state: State, row: ReplyRow, { clearedRun }: ConversationRow) {
  const before = row.run ?? Infinity
  const earlier = [...state.replies.values()]
    .filter(({ conversationId }) => conversationId === row.conversationId)
    .filter(({ run }) => run !== undefined && run > clearedRun && run < before)
    .toSorted((a, b) => (b.run ?? 0) - (a.run ?? 0))
  return earlier[0]?.told.question ?? null
}

export function conversationOf(state: State, row: ReplyRow): ConversationRow {
  const conversation = state.conversations.get(row.conversationId)
  if (conversation === undefined) throw new TypeError('a reply lacks its conversation')
  return conversation
}

/** The reply if it runs under this fence. */
export function findRun(state: State, replyId: ReplyId, fence: string): ReplyRow | undefined {
  const row = state.replies.get(replyId)
  if (row === undefined || row.told.status === 'QUEUED' || !isOpen(row)) return undefined
  return row.fence === fence || state.flaw === 'forgets-fences' ? row : undefined
}

export function requeue(state: State, replyId: ReplyId, fence: string): RequeueOutcome {
  const row = findRun(state, replyId, fence)
  if (row === undefined || (row.step !== 'claimed' && state.flaw !== 'sends-again')) return 'lost'
  const status = replyStates[row.told.status].requeue
  if (status === undefined) return 'lost'
  if (row.isInterrupted) return 'interrupted'
  const lowest = Math.min(...openRepliesOf(state, row.conversationId).map(({ rank }) => rank))
  row.told = { ...row.told, status, startedAt: null }
  row.fence = undefined
  row.rank = lowest - 1
  return 'requeued'
}

export function intend(
  state: State,
  replyId: ReplyId,
  fence: string,
  { binding, contextReset, at }: Parameters<RunLease['intend']>[0],
  tokens: Tokens,
): Awaited<ReturnType<RunLease['intend']>> {
  const row = findRun(state, replyId, fence)
  if (row === undefined) return 'lost'
  const bound = binding && bindTo(state, conversationOf(state, row), binding)
  if (typeof bound === 'object') return bound
  resetContext(state, row, contextReset)
  if (row.step === 'claimed') begin(state, row, at, tokens)
  // It is sent once more, to a conversation that it did not reveal.
  else if (row.step === 'revealed') row.step = 'intended'
  return 'intended'
}

/** The send intent and the `started` event. */
export function begin(state: State, row: ReplyRow, at: number, tokens: Tokens): void {
  const conversation = conversationOf(state, row)
  row.step = 'intended'
  conversation.lastRun += 1
  row.run = conversation.lastRun
  row.told = { ...row.told, startedAt: at }
  const { seq, check } = addEvent(state, row, { type: 'started' }, tokens)
  row.startEvent = { seq, check }
}

function resetContext(state: State, row: ReplyRow, contextReset: boolean): void {
  if (!contextReset) return
  conversationOf(state, row).isResetPending = false
  row.told = { ...row.told, contextReset: true }
}

export function bind(
  state: State,
  replyId: ReplyId,
  fence: string,
  binding: UpstreamBinding,
  { contextReset }: { readonly contextReset: boolean },
): 'bound' | 'known' | 'lost' | Collision {
  const row = findRun(state, replyId, fence)
  if (row === undefined) return 'lost'
  const bound = bindTo(state, conversationOf(state, row), binding)
  if (typeof bound === 'object') return bound
  resetContext(state, row, contextReset)
  if (row.step === 'intended') row.step = 'revealed'
  return bound
}

function bindTo(
  state: State,
  conversation: ConversationRow,
  binding: UpstreamBinding,
): 'bound' | 'known' | Collision {
  const { origin, account } = binding.scope
  const key = JSON.stringify([origin, account, binding.conversationId])
  const bound = state.bindings.get(key)
  if (bound !== undefined) {
    const isAnothers = bound.conversationId !== conversation.id
    const isMet = (isAnothers || bound.isTainted) && state.flaw !== 'binds-again'
    if (isMet) return collide(state, bound)
  }
  // It goes on in what it had left: nobody is to delete that any more.
  for (const [id, { work }] of state.outbox) {
    if (work.type !== 'delete-conversation') continue
    const { scope, conversationId: owed } = work.upstream
    if (JSON.stringify([scope.origin, scope.account, owed]) === key) state.outbox.delete(id)
  }
  const { sessionId } = conversation
  state.bindings.set(key, {
    sessionId,
    conversationId: conversation.id,
    binding,
    isTainted: false,
    isOwed: false,
  })
  // The upstream conversation before this one is left for ever.
  const { upstream } = conversation
  if (upstream !== undefined && upstream.conversationId !== binding.conversationId) {
    conversation.generation += 1
  }
  conversation.upstream = binding
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

type LogEventBody =
  | { readonly type: 'started' }
  | Omit<Extract<LogEvent, { readonly type: 'action-required' }>, keyof EventHead>
  | TerminalEventBody
interface EventHead {
  readonly seq: number
  readonly check: string
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
}

export function addEvent(
  state: State,
  row: ReplyRow,
  body: LogEventBody,
  tokens: Tokens,
): LogEvent {
  const { id: replyId, conversationId, sessionId } = row
  const log = logOf(state, sessionId)
  log.lastSeq += 1
  const place = { seq: log.lastSeq, check: tokens.check() }
  const event: LogEvent = { ...place, replyId, conversationId, ...body }
  row.firstEvent ??= place
  row.lastEvent = place
  log.events.push(event)
  state.changed.add(sessionId)
  return event
}

/** The group of writes: what readers hold, and the upstream's id of the run, where it is news. */
export function saveText(
  state: State,
  replyId: ReplyId,
  fence: string,
  text: RevisedText,
  chatId: string | undefined,
): void {
  const row = findRun(state, replyId, fence)
  if (row === undefined) return
  row.text = text
  recordChat(row, chatId)
}

export function recordChat(row: ReplyRow, chatId: string | undefined): void {
  if (chatId === undefined) return
  row.chatId = chatId
  row.step = 'streaming'
}

/** Takes every reply that runs under a fence of another opening. */
export function takeOrphans(
  state: State,
  isOwn: (fence: string) => boolean,
  tokens: Tokens,
): readonly {
  readonly run: Run
  readonly progress: RunProgress
  readonly isInterrupted: boolean
}[] {
  return [...state.replies.values()]
    .filter((row) => isOpen(row) && row.fence !== undefined && !isOwn(row.fence))
    .map((row) => {
      const progress =
        state.flaw === 'sends-again' ? ({ step: 'claimed' } as const) : progressOf(row)
      return { run: fenceOff(state, row, tokens), progress, isInterrupted: row.isInterrupted }
    })
}

function progressOf({ step, chatId = '', told }: ReplyRow): RunProgress {
  switch (step) {
    case 'claimed':
    case 'intended':
    case 'revealed':
      return { step }
    case 'streaming':
    case 'answered':
      return { step, chatId }
    case 'waiting': {
      const { toolCalls, actionExpiresAt } = told
      return { step, chatId, toolCalls, expiresAt: actionExpiresAt ?? 0 }
    }
  }
}
