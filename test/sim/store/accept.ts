import type { MessageId, ReplyId, Session } from '../../../src/domain.ts'
import type {
  AcceptOutcome,
  AcceptRequest,
  BeginRequest,
  IdempotencyDigest,
} from '../../../src/store/ledger.ts'
import type { FinishRequest } from '../../../src/store/run-lease.ts'
import type { UpstreamBinding } from '../../../src/domain/upstream.ts'
import { finishRow } from './finish.ts'
import { toReply } from './rows.ts'
import { begin, fenceOff, type Run } from './runs.ts'
import {
  type ConversationRow,
  isOpen,
  nextRow,
  openRepliesOf,
  type ReplyRow,
  type State,
} from './state.ts'
import { noText } from './texts.ts'
import type { Tokens } from './tokens.ts'

/** What the ledger answers, but for the lease: that is made where the store is open. */
export interface Accepted {
  readonly outcome: AcceptOutcome
  /** The reply was started as well. */
  readonly run: Run | undefined
}

/** Step 1 of the order of writes. */
export function accept(
  state: State,
  session: Session,
  request: AcceptRequest,
  tokens: Tokens,
): Accepted {
  const { idempotency, at } = request
  const owner = state.sessions.get(session.id)
  if (owner === undefined) throw new TypeError('the session was not opened')
  const keyName = idempotency && keyOf(session, idempotency.key)
  const used = keyName === undefined ? undefined : state.keys.get(keyName)
  if (used !== undefined) {
    const reply = state.replies.get(used.replyId)
    return used.digest === idempotency?.digest && reply !== undefined
      ? refused({ type: 'repeated', reply: toReply(state, reply) })
      : refused({ type: 'key-reused' })
  }

  const found = findConversation(state, session, request)
  if (found === undefined && request.conversationId !== undefined) {
    return refused({ type: 'conversation-not-found' })
  }
  if (found !== undefined && found.assistantId !== (request.assistantId ?? found.assistantId)) {
    return refused({ type: 'other-assistant' })
  }
  const assistantId = found?.assistantId ?? request.assistantId ?? request.defaultAssistantId
  for (const id of request.attachmentIds) {
    const attachment = state.attachments.get(id)
    if (attachment?.sessionId !== session.id || attachment.assistantId !== assistantId) {
      return refused({ type: 'attachment-not-found' })
    }
  }

  const others = found === undefined ? [] : openRepliesOf(state, found.id)
  if (request.onBusy === 'REJECT' && others.length > 0) return refused({ type: 'busy' })
  const isInterrupt = request.onBusy === 'INTERRUPT'
  const interrupted = isInterrupt ? others.find(({ told }) => told.status !== 'QUEUED') : undefined
  const overtakes = isInterrupt && state.flaw !== 'keeps-overtaken'
  const waiting = overtakes ? others.filter(({ told }) => told.status === 'QUEUED') : []
  // One of the open ones runs or is about to; those that are cancelled make room.
  if (!isInterrupt && others.length > request.maxQueued) return refused({ type: 'queue-full' })
  if (countOpen(state, session) - waiting.length >= request.maxOpen) {
    return refused({ type: 'too-many-open' })
  }
  if (interrupted !== undefined) interrupted.isInterrupted = true
  const overtaken = waiting.flatMap((row) => {
    const outcome = finishRow(state, row, overtaking(row.id, at), row.text, tokens)
    return outcome.type === 'finished' ? [outcome.reply] : []
  })

  const conversation =
    found ??
    beginConversation(state, session, {
      id: request.newConversationId,
      assistantId,
      title: undefined,
      idempotency: undefined,
      at,
    })
  if (found !== undefined) {
    owner.uses += 1
    found.used = owner.uses
    found.lastUsedAt = at
  }
  conversation.firstText ??= request.text
  const ranks = others.map(({ rank }) => rank)
  const reply: ReplyRow = {
    id: request.replyId,
    sessionId: session.id,
    conversationId: conversation.id,
    messageId: request.messageId,
    extras: request.extras,
    told: newlyQueued(at),
    text: noText,
    rank: isInterrupt ? Math.min(0, ...ranks) - 1 : Math.max(0, ...ranks) + 1,
    fence: undefined,
    isInterrupted: false,
    toolOutputs: [],
    step: 'claimed',
    chatId: undefined,
    run: undefined,
    firstEvent: undefined,
    lastEvent: undefined,
    startEvent: undefined,
    isTrimmed: false,
    upstreamMessageId: undefined,
    origin: undefined,
  }
  state.replies.set(reply.id, reply)
  const { id: conversationId } = conversation
  const { replyId, messageId } = request
  state.everAccepted.push({
    sessionId: session.id,
    conversationId,
    replyId,
    messageId,
    isUrgent: isInterrupt,
  })
  state.messages.set(request.messageId, {
    id: request.messageId,
    sessionId: session.id,
    conversationId: conversation.id,
    replyId: reply.id,
    role: 'USER',
    text: request.text,
    attachmentIds: request.attachmentIds,
    imageUrls: request.imageUrls,
    rating: null,
    createdAt: at,
    order: nextRow(state),
  })
  if (idempotency !== undefined && keyName !== undefined) {
    state.keys.set(keyName, { digest: idempotency.digest, replyId: reply.id })
  }
  const isNext =
    state.flaw === 'overtakes-the-queue'
      ? others.every(({ told }) => told.status === 'QUEUED')
      : openRepliesOf(state, conversation.id).length === 1
  let run: Run | undefined
  if (
    isNext &&
    request.begin !== undefined &&
    mayBegin(state, conversation, request.begin, request)
  ) {
    reply.told = { ...reply.told, status: 'RUNNING' }
    begin(state, reply, at, tokens)
    run = fenceOff(state, reply, tokens)
  }
  const interrupts = interrupted?.id
  const told = toReply(state, reply)
  return {
    outcome: { type: 'accepted', reply: told, interrupts, overtaken, lease: undefined },
    run,
  }
}

function refused(outcome: AcceptOutcome): Accepted {
  return { outcome, run: undefined }
}

/** It goes on in a conversation that is served and that has all that the message names. */
function mayBegin(
  state: State,
  { upstream, assistantId, isResetPending }: ConversationRow,
  wanted: BeginRequest,
  { attachmentIds }: AcceptRequest,
): boolean {
  if (upstream === undefined || isResetPending || assistantId !== wanted.assistantId) return false
  const isServed = wanted.served.some(
    ({ scope, strategy }) => strategy === upstream.strategy && isSameScope(scope, upstream.scope),
  )
  return (
    isServed &&
    attachmentIds.every((id) => {
      const attachment = state.attachments.get(id)
      return attachment !== undefined && isSameScope(attachment.scope, upstream.scope)
    })
  )
}

function isSameScope(left: UpstreamBinding['scope'], right: UpstreamBinding['scope']): boolean {
  return left.origin === right.origin && left.account === right.account
}

function overtaking(replyId: ReplyId, at: number): FinishRequest {
  return {
    replyId,
    event: { type: 'cancelled', upstreamCancelled: false },
    answerId: '' as MessageId,
    resetUpstream: false,
    upstreamMessageId: undefined,
    explanation: undefined,
    owesCancel: undefined,
    at,
  }
}

export function keyOf(session: Pick<Session, 'id'>, key: string): string {
  return JSON.stringify([session.id, key])
}

export function beginConversation(
  state: State,
  session: Session,
  request: Pick<ConversationRow, 'id' | 'assistantId'> & {
    readonly title: string | undefined
    readonly idempotency: IdempotencyDigest | undefined
    readonly at: number
  },
): ConversationRow {
  const owner = state.sessions.get(session.id)
  if (owner === undefined) throw new TypeError('the session was not opened')
  owner.uses += 1
  const conversation: ConversationRow = {
    id: request.id,
    sessionId: session.id,
    assistantId: request.assistantId,
    title: request.title ?? null,
    startKey: request.idempotency,
    firstText: null,
    createdAt: request.at,
    lastUsedAt: request.at,
    used: owner.uses,
    upstream: undefined,
    generation: 0,
    isResetPending: false,
    freedAt: 0,
    clearedRun: 0,
    lastRun: 0,
  }
  state.conversations.set(conversation.id, conversation)
  return conversation
}

function findConversation(
  state: State,
  session: Session,
  { conversationId, assistantId, defaultAssistantId }: AcceptRequest,
): ConversationRow | undefined {
  if (conversationId !== undefined) {
    const found = state.conversations.get(conversationId)
    return found?.sessionId === session.id ? found : undefined
  }
  const wanted = assistantId ?? defaultAssistantId
  return [...state.conversations.values()]
    .filter((row) => row.sessionId === session.id && row.assistantId === wanted)
    .toSorted((a, b) => b.used - a.used)[0]
}

function countOpen(state: State, session: Session): number {
  return [...state.replies.values()].filter((row) => row.sessionId === session.id && isOpen(row))
    .length
}

function newlyQueued(at: number): ReplyRow['told'] {
  return {
    answerId: null,
    status: 'QUEUED',
    usage: null,
    followUps: [],
    question: null,
    omitted: [],
    toolCalls: [],
    actionExpiresAt: null,
    contextReset: false,
    failure: null,
    upstreamCancelled: false,
    explanation: null,
    createdAt: at,
    startedAt: null,
    endedAt: null,
  }
}
