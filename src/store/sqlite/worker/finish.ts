import type { DatabaseSync } from 'node:sqlite'
import { isTerminal } from '../../../domain.ts'
import type { NewId } from '../../../lib/id.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { after } from '../../../domain/reply-states.ts'
import { leaveUpstream } from './bindings.ts'
import type { EventOwner, Events } from './events.ts'
import type { OutboxWork } from './outbox.ts'
import { nameOfRevision } from '../../engine/runs.ts'
import type { Claims } from './claims.ts'
import type { Runs } from './runs.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer } from '../../engine/columns.ts'
import { toFailure } from '../../engine/events.ts'
import { assistantIdOf, conversationIdOf, statusOf, toReplyRecord } from '../../engine/records.ts'
import { findOwn } from './columns.ts'
import { selectReply } from './rows.ts'

export interface FinishParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly events: Events
  readonly claims: Claims
  readonly runs: Runs
  readonly outbox: OutboxWork
  readonly newId: NewId
}

const writes = { completed: 'complete', failed: 'fail', cancelled: 'cancel' } as const

/** Step 6 of the order of writes: one winner ends a reply, with its text and its event, in one transaction. */
export function createFinish(parts: FinishParts): EngineCalls['finish'] {
  const { db, sessions, texts, events, claims, runs, outbox, newId } = parts
  const wholeReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const findReply = findOwn(
    db,
    'r',
    `SELECT r.id AS row, r.key AS reply, r.conversation AS conversation_row, r.status, r.context_reset,
      c.key AS conversation, c.assistant
    FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session`,
    'reply',
  )
  const insertAnswer = db.prepare(`
    INSERT INTO messages (key, session, conversation, reply, role, created_at, source)
    SELECT :key, session, id, :reply, 'ASSISTANT', :at,
      CASE WHEN :source IS NOT NULL AND upstream IS NOT NULL THEN
        json_object('origin', origin, 'account', account, 'strategy', strategy, 'upstream', upstream, 'message', :source)
      END
    FROM conversations WHERE id = :conversation`)
  const end = db.prepare(`
    UPDATE replies SET status = :status, fence = NULL, step = NULL, answer = :answer, usage = :usage,
      follow_ups = :followUps, question = :question, omitted = :omitted, tool_calls = NULL, action_expires_at = NULL,
      explanation = :explanation, context_reset = :contextReset, failure = :failure,
      upstream_cancelled = :upstreamCancelled, ended_at = :at
    WHERE id = :id`)
  const free = db.prepare('UPDATE conversations SET freed_at = ? WHERE id = ?')
  const resetUpstream = db.prepare(`${leaveUpstream} WHERE id = ?`)
  const waits = db.prepare(`
    SELECT 1 FROM replies WHERE session = ? AND conversation = ? AND ended_at IS NULL AND status = 'QUEUED' LIMIT 1`)
  const list = (values: readonly unknown[]) => (values.length === 0 ? null : JSON.stringify(values))

  function recordOf(reply: number) {
    const row = wholeReply.get(reply)
    if (row === undefined) throw new TypeError('a reply that ends lacks what was stored with it')
    return toReplyRecord(row)
  }

  return function finish({ sessionId, replyId, event, text, at, ...request }) {
    const owning = sessions.get(sessionId)
    const { session } = owning
    const found = findReply(replyId, session)
    if (found === undefined) return { type: 'lost' }
    const reply = integer(found['row'])
    const both = () => ({
      answer: texts.read(reply, 'answer'),
      reasoning: texts.read(reply, 'reasoning'),
    })
    const status = statusOf(found)
    if (isTerminal(status)) {
      return { type: 'already', reply: recordOf(reply), texts: both() }
    }
    if (text === undefined) {
      // Readers of the run's text go back to what is on disk.
      if (status !== 'QUEUED') claims.keepText(reply, nameOfRevision(newId()))
    } else {
      const run = runs.find(sessionId, replyId, text.fence)
      if (run === undefined) return { type: 'lost' }
      runs.write(run, text)
    }

    const conversation = integer(found['conversation_row'])
    const isCompleted = event.type === 'completed'
    const contextReset = found['context_reset'] === 1 || (isCompleted && event.contextReset)
    const answer = isCompleted
      ? insertAnswer.run({
          key: request.answerId,
          reply,
          at,
          source: request.upstreamMessageId ?? null,
          conversation,
        })
      : undefined
    end.run({
      id: reply,
      status: after(status, writes[event.type]),
      answer: answer === undefined ? null : Number(answer.lastInsertRowid),
      usage: isCompleted && event.usage !== null ? JSON.stringify(event.usage) : null,
      followUps: isCompleted ? list(event.followUps) : null,
      question: isCompleted && event.question !== null ? JSON.stringify(event.question) : null,
      omitted: isCompleted ? list(event.omitted) : null,
      explanation: request.explanation === undefined ? null : JSON.stringify(request.explanation),
      contextReset: contextReset ? 1 : 0,
      failure: event.type === 'failed' ? toFailure(event) : null,
      upstreamCancelled: event.type === 'cancelled' && event.upstreamCancelled ? 1 : 0,
      at,
    })
    if (status !== 'QUEUED') free.run(at, conversation)
    if (request.resetUpstream) resetUpstream.run(conversation)
    const { owesCancel } = request
    if (owesCancel !== undefined) {
      const assistantId = assistantIdOf(found)
      outbox.owe(owning, { type: 'cancel-chat', assistantId, ...owesCancel }, at)
    }
    const conversationId = conversationIdOf(found)
    const owner: EventOwner = { session, sessionId, reply, replyId, conversationId }
    events.append(owner, isCompleted ? { ...event, contextReset } : event)

    return {
      type: 'finished',
      reply: recordOf(reply),
      texts: text === undefined ? both() : undefined,
      hasNext: waits.get(session, conversation) !== undefined,
    }
  }
}
