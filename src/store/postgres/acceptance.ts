import type { Message, MessageId, Reply, ReplyId } from '../../domain.ts'
import { after } from '../../domain/reply-states.ts'
import type { NewId } from '../../lib/id.ts'
import { firstWords, fromExtras, mayBegin } from '../engine/accepting.ts'
import { integer, jsonOrNull, type StoredRow, string, rowOf, rowsOf } from '../engine/columns.ts'
import {
  assistantIdOf,
  conversationIdOf,
  replyIdOf,
  toAttachment,
  toBinding,
  toReplyRecord,
} from '../engine/records.ts'
import { nameOfRevision } from '../engine/runs.ts'
import type { AcceptRequest } from '../ledger.ts'
import type { AcceptedCall, ReplyRecord, StoredRun } from '../main-half/stored.ts'
import { beginConversation, useConversation } from './conversations.ts'
import { end } from './finish.ts'
import { textsOf } from './rows.ts'
import type { SessionWrite } from './session-write.ts'
import { sql } from './sql.ts'

/** `repeated`: the reply is not read yet. */
export type DecidedAcceptance =
  | Exclude<AcceptedCall, { readonly type: 'repeated' }>
  | { readonly type: 'repeated'; readonly replyId: ReplyId }

/** Decides in this order: key, conversation, attachments, busy policy, limits. Refusals write nothing. */
export function decideAcceptance(
  request: AcceptRequest,
  found: StoredRow,
  write: SessionWrite,
  { newId, maxRunningPerSession }: { readonly newId: NewId; readonly maxRunningPerSession: number },
): DecidedAcceptance {
  const { idempotency, at } = request
  const used = rowOf(found['used'])
  // A key of a conversation that is deleted is free, though its row may still be there.
  if (used !== null && used['conversation'] !== null) {
    return string(used['digest']) === idempotency?.digest
      ? { type: 'repeated', replyId: replyIdOf(used) }
      : { type: 'key-reused' }
  }
  const stored = rowOf(found['conversation'])
  if (stored === null && request.conversationId !== undefined) {
    return { type: 'conversation-not-found' }
  }
  const wanted = request.assistantId ?? request.defaultAssistantId
  const assistantId = stored === null ? wanted : assistantIdOf(stored)
  if (assistantId !== (request.assistantId ?? assistantId)) return { type: 'other-assistant' }

  const { attachmentIds } = request
  const files = rowsOf(found['attachments'])
  const own = files.filter((file) => file['assistant'] === assistantId)
  if (own.length !== new Set(attachmentIds).size) return { type: 'attachment-not-found' }

  const others = rowsOf(found['others'])
  if (request.onBusy === 'REJECT' && others.length > 0) return { type: 'busy' }
  const isInterrupt = request.onBusy === 'INTERRUPT'
  const waiting = isInterrupt ? rowsOf(found['waiting']) : []
  // One of the open ones runs or is about to; those that are cancelled make room.
  if (!isInterrupt && others.length > request.maxQueued) return { type: 'queue-full' }
  if (integer(found['open']) - waiting.length >= request.maxOpen) return { type: 'too-many-open' }

  const interrupted = isInterrupt ? others.find((other) => other['status'] !== 'QUEUED') : undefined
  const runsElsewhere = interrupted !== undefined && interrupted['instance'] !== write.instance.name
  if (interrupted !== undefined && !runsElsewhere) {
    write.update('replies', { interrupted: 1 }, sql`id = ${integer(interrupted['id'])}`)
  }
  const cut = runsElsewhere ? cutShort(write, rowOf(found['interrupted']), at, newId) : []
  const overtaken = [...cut, ...waiting.map((one) => overtake(write, one, at))]
  const row = write.nextRow()
  const words = { first_words: firstWords(request.text), first_message: row }
  const conversation =
    stored === null
      ? beginConversation(write, found, {
          id: request.newConversationId,
          assistantId: wanted,
          title: undefined,
          idempotency: undefined,
          at,
          words,
        })
      : integer(stored['id'])
  if (stored !== null) {
    useConversation(write, found, conversation, at, stored['first_words'] === null ? words : {})
  }
  const conversationId = stored === null ? request.newConversationId : conversationIdOf(stored)
  insertMessage(write, request, row, conversation)
  if (attachmentIds.length > 0) {
    write.update('attachments', { used_at: at }, sql`key = ANY(${[...attachmentIds]}::text[])`)
  }
  const ranks = others.map((other) => integer(other['rank']))
  const rank = isInterrupt ? Math.min(0, ...ranks) - 1 : Math.max(0, ...ranks) + 1
  if (idempotency !== undefined) {
    const { key, digest } = idempotency
    const free =
      'ON CONFLICT (session, key) DO UPDATE SET digest = excluded.digest, reply = excluded.reply'
    write.insert('idempotency', { key, digest, reply: row }, used === null ? '' : free)
  }
  const record: ReplyRecord = {
    ...newReply,
    id: request.replyId,
    conversationId,
    assistantId,
    messageId: request.messageId,
    queuePosition: isInterrupt ? 0 : others.filter((other) => other['status'] === 'QUEUED').length,
    createdAt: at,
  }
  const columns = { id: row, key: request.replyId, conversation, rank, created_at: at }
  const isIdle = stored !== null && others.length === 0
  const hasRoom = integer(found['busy']) < maxRunningPerSession
  const interrupts = interrupted && !runsElsewhere ? replyIdOf(interrupted) : undefined
  const { instance } = write
  if (!isIdle || !hasRoom || !instance.isFresh || !mayBegin(stored, own, request.begin)) {
    write.insert('replies', { ...columns, status: 'QUEUED', instance: instance.name })
    const reply = { ...record, text: '', reasoning: '' }
    return { type: 'accepted', reply, interrupts, overtaken, run: undefined }
  }
  const fence = newId()
  const revisions = [{ name: nameOfRevision(fence), answerKept: 0, reasoningKept: 0 }]
  const status = after('QUEUED', 'begin')
  const owner = { reply: row, replyId: request.replyId, conversationId }
  write.insert('replies', {
    ...columns,
    status,
    ...write.lease(fence),
    step: 'intended',
    revisions: JSON.stringify(revisions),
    started_at: at,
    started_seq: write.append(owner, { type: 'started' }),
  })
  const running: ReplyRecord = { ...record, status, queuePosition: null, startedAt: at }
  const stay = own.map(toAttachment)
  const run: StoredRun = {
    fence,
    revisions,
    answer: '',
    reasoning: '',
    claim: {
      session: { id: write.sessionId, name: write.name },
      reply: running,
      message: messageFor(request, record),
      attachments: attachmentIds.flatMap((id) => stay.filter((file) => file.id === id)),
      extras: request.extras,
      upstream: toBinding(stored),
      contextReset: false,
      generation: integer(stored['generation']),
      headSince: Math.max(at, integer(stored['freed_at'])),
      askedBefore: jsonOrNull(rowOf(found['asked'])?.['question']),
    },
  }
  return {
    type: 'accepted',
    reply: { ...running, text: '', reasoning: '' },
    interrupts,
    overtaken,
    run,
  }
}

/** A reply as it is when it was just accepted. */
const newReply = {
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
  startedAt: null,
  endedAt: null,
} as const

function insertMessage(
  write: SessionWrite,
  { messageId, text, imageUrls, extras, attachmentIds, at }: AcceptRequest,
  row: number,
  conversation: number,
): void {
  const beside = fromExtras(extras)
  write.insert('messages', {
    id: row,
    key: messageId,
    conversation,
    reply: row,
    role: 'USER',
    text,
    attachments: attachmentIds.length === 0 ? null : JSON.stringify(attachmentIds),
    images: imageUrls.length === 0 ? null : JSON.stringify(imageUrls),
    extras: beside === '' ? null : beside,
    created_at: at,
  })
}

function messageFor(
  { text, attachmentIds, imageUrls, at }: AcceptRequest,
  reply: ReplyRecord,
): Message {
  return {
    id: reply.messageId,
    conversationId: reply.conversationId,
    replyId: reply.id,
    role: 'USER',
    text,
    attachmentIds,
    imageUrls,
    rating: null,
    createdAt: at,
  }
}

/** Cancels the reply that runs on another instance, with the text that is stored: that one has lost its lease. */
function cutShort(
  write: SessionWrite,
  running: StoredRow | null,
  at: number,
  newId: NewId,
): readonly Reply[] {
  if (running === null) return []
  const request = {
    sessionId: write.sessionId,
    replyId: replyIdOf(running),
    event: { type: 'cancelled', upstreamCancelled: false },
    text: undefined,
    answerId: newId() as MessageId,
    resetUpstream: true,
    upstreamMessageId: undefined,
    explanation: undefined,
    owesCancel: undefined,
    at,
  } as const
  const outcome = end(request, running, write, newId)
  if (outcome.type !== 'finished') return []
  const { answer: text, reasoning } = outcome.texts ?? textsOf(running)
  return [{ ...outcome.reply, text, reasoning }]
}

/** Cancels a reply that waits, with its event. */
function overtake(write: SessionWrite, waiting: StoredRow, at: number): Reply {
  const record = toReplyRecord(waiting)
  const status = after(record.status, 'cancel')
  const owner = {
    reply: integer(waiting['row']),
    replyId: record.id,
    conversationId: record.conversationId,
  }
  const ended_seq = write.append(owner, { type: 'cancelled', upstreamCancelled: false })
  write.update('replies', { status, ended_at: at, ended_seq }, sql`id = ${owner.reply}`)
  return { ...record, status, queuePosition: null, endedAt: at, text: '', reasoning: '' }
}
