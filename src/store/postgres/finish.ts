import { isTerminal } from '../../domain.ts'
import { after } from '../../domain/reply-states.ts'
import type { NewId } from '../../lib/id.ts'
import type { UpstreamChat } from '../../domain/upstream.ts'
import { integer, type StoredRow, rowOf, stringOrNull } from '../engine/columns.ts'
import { toFailure } from '../engine/events.ts'
import {
  assistantIdOf,
  conversationIdOf,
  statusOf,
  toBinding,
  toReplyRecord,
} from '../engine/records.ts'
import { nameOfRevision } from '../engine/runs.ts'
import type { ArgsOf, ResultOf } from '../main-half/calls.ts'
import type { FinishedCall, ReplyRecord } from '../main-half/stored.ts'
import type { Ahead, Decision } from './ahead.ts'
import { leftUpstream } from './bindings.ts'
import { findLengths, keepText } from './claims.ts'
import { owe } from './outbox.ts'
import { replyTexts, selectReply, selectReplyRecord, textsOf } from './rows.ts'
import type { SessionWrite } from './session-write.ts'
import type { CallContext, Sessions } from './sessions.ts'
import { row, type Sql, sql } from './sql.ts'
import { endTexts, findPlaces, isBehind, type NewTexts } from './texts.ts'

type FinishArgs = ArgsOf<'finish'>

const writes = { completed: 'complete', failed: 'fail', cancelled: 'cancel' } as const

/** A reply that is to be ended, with the texts that stand where its run is not held. */
export function selectReplyToEnd(text: NewTexts | undefined): Sql {
  const texts = text === undefined ? sql`, ${replyTexts}` : sql``
  return selectReplyRecord(sql`
    r.conversation AS conversation_row, r.fence, r.instance, r.chat, c.origin, c.account, c.strategy, c.upstream, ${findLengths},
    ${findPlaces(text ?? {})}, EXISTS (
      SELECT FROM replies q WHERE q.session = r.session AND q.conversation = r.conversation AND q.ended_at IS NULL
        AND q.status = 'QUEUED' AND q.id <> r.id)::int AS has_next${texts}`)
}

/** Step 6 of the order of writes: one winner ends a reply, with its text and its event, in one write. */
export function createFinish(sessions: Sessions, newId: NewId, ahead: Ahead) {
  return async (args: FinishArgs, context: CallContext): Promise<ResultOf<'finish'>> => {
    const { sessionId, replyId, text } = args
    let decision: Decision | undefined
    const outcome = await sessions.change(
      sessionId,
      {
        reply: row(sql`${selectReplyToEnd(text)} WHERE r.session = s.id AND r.key = ${replyId}`),
      },
      (found, write) => {
        decision = { found, write }
        const reply = rowOf(found['reply'])
        if (reply === null) return { type: 'lost' } as const
        return end(args, reply, write, newId)
      },
      context,
      ahead.takeEnd(args),
    )
    if (outcome.type === 'finished' && decision !== undefined) ahead.ended(args, decision)
    if (outcome.type !== 'already') return outcome
    const read = await sessions.read(sessionId, {
      reply: row(sql`${selectReply} WHERE r.session = s.id AND r.key = ${replyId}`),
    })
    const reply = rowOf(read?.['reply'])
    if (reply === null) return { type: 'lost' }
    return { type: 'already', reply: toReplyRecord(reply), texts: textsOf(reply) }
  }
}

type Decided = Exclude<FinishedCall, { readonly type: 'already' }> | { readonly type: 'already' }

/** @param found what `selectReplyToEnd` found */
export function end(
  { replyId, event, text, at, ...request }: FinishArgs,
  found: StoredRow,
  write: SessionWrite,
  newId: NewId,
): Decided {
  const status = statusOf(found)
  if (isTerminal(status)) return { type: 'already' }
  if (text !== undefined && found['fence'] !== text.fence) return { type: 'lost' }
  if (text !== undefined && isBehind(text, found)) return { type: 'behind' }
  const id = integer(found['row'])
  if (status !== 'QUEUED') endTexts(write, id, text ?? {}, found)
  // Readers of the run's text go back to what is on disk.
  const revisions =
    text === undefined
      ? status === 'QUEUED'
        ? undefined
        : keepText(found, nameOfRevision(newId()))
      : text.revisions

  const conversation = integer(found['conversation_row'])
  const isCompleted = event.type === 'completed'
  const contextReset = found['context_reset'] === 1 || (isCompleted && event.contextReset)
  const answer = isCompleted ? write.nextRow() : undefined
  if (answer !== undefined) insertAnswer(write, { answer, id, conversation, at, found, request })
  const ended = after(status, writes[event.type])
  const owner = { reply: id, replyId, conversationId: conversationIdOf(found) }
  const list = (values: readonly unknown[]) => (values.length === 0 ? null : JSON.stringify(values))
  const orNull = (value: unknown) =>
    value === null || value === undefined ? null : JSON.stringify(value)
  write.update(
    'replies',
    {
      status: ended,
      fence: null,
      step: null,
      answer: answer ?? null,
      usage: isCompleted ? orNull(event.usage) : null,
      follow_ups: isCompleted ? list(event.followUps) : null,
      question: isCompleted ? orNull(event.question) : null,
      omitted: isCompleted ? list(event.omitted) : null,
      tool_calls: null,
      action_expires_at: null,
      explanation: orNull(request.explanation),
      context_reset: contextReset ? 1 : 0,
      failure: event.type === 'failed' ? toFailure(event) : null,
      upstream_cancelled: event.type === 'cancelled' && event.upstreamCancelled ? 1 : 0,
      ended_at: at,
      ended_seq: write.append(owner, isCompleted ? { ...event, contextReset } : event),
      ...(revisions !== undefined && { revisions: JSON.stringify(revisions) }),
      ...(text?.chatId !== undefined && { chat: text.chatId }),
    },
    sql`id = ${id}`,
  )
  const freed = status === 'QUEUED' ? {} : { freed_at: at }
  const changed = { ...freed, ...(request.resetUpstream && leftUpstream) }
  if (Object.keys(changed).length > 0) write.changeConversation(conversation, changed)
  const owesCancel =
    request.owesCancel ?? (text === undefined ? chatElsewhere(found, write) : undefined)
  if (owesCancel !== undefined) {
    const assistantId = assistantIdOf(found)
    owe(write, [{ type: 'cancel-chat', assistantId, ...owesCancel }], newId, at)
  }
  const reply: ReplyRecord = {
    ...toReplyRecord(found),
    status: ended,
    queuePosition: null,
    answerId: isCompleted ? request.answerId : null,
    usage: isCompleted ? event.usage : null,
    followUps: isCompleted ? event.followUps : [],
    question: isCompleted ? event.question : null,
    omitted: isCompleted ? event.omitted : [],
    toolCalls: [],
    actionExpiresAt: null,
    explanation: request.explanation ?? null,
    contextReset,
    failure: event.type === 'failed' ? failureOf(event) : null,
    upstreamCancelled: event.type === 'cancelled' && event.upstreamCancelled === true,
    endedAt: at,
  }
  return {
    type: 'finished',
    reply,
    texts: text === undefined ? textsOf(found) : undefined,
    hasNext: found['has_next'] === 1,
  }
}

/**
 * The chat of a reply that another instance runs, which stops without telling the platform to; undefined: there is none that
 * can be cancelled there.
 */
function chatElsewhere(found: StoredRow, write: SessionWrite): UpstreamChat | undefined {
  const upstream = toBinding(found)
  const chatId = stringOrNull(found['chat'] ?? null)
  if (upstream?.strategy !== 'bot' || chatId === null) return undefined
  const isElsewhere = found['status'] !== 'QUEUED' && found['instance'] !== write.instance.name
  return isElsewhere ? { upstream, chatId } : undefined
}

function failureOf(event: Extract<FinishArgs['event'], { readonly type: 'failed' }>) {
  const { type: _, ...failure } = event
  return failure
}

function insertAnswer(
  write: SessionWrite,
  {
    answer,
    id,
    conversation,
    at,
    found,
    request,
  }: {
    readonly answer: number
    readonly id: number
    readonly conversation: number
    readonly at: number
    readonly found: StoredRow
    readonly request: Pick<FinishArgs, 'answerId' | 'upstreamMessageId'>
  },
): void {
  const bound = toBinding(found)
  const message = request.upstreamMessageId
  const source =
    bound === undefined || message === undefined
      ? null
      : JSON.stringify({
          ...bound.scope,
          strategy: bound.strategy,
          upstream: bound.conversationId,
          message,
        })
  write.insert('messages', {
    id: answer,
    key: request.answerId,
    conversation,
    reply: id,
    role: 'ASSISTANT',
    source,
    created_at: at,
  })
}
