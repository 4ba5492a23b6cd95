import type { DatabaseSync } from 'node:sqlite'
import {
  terminalStatuses,
  type ReplyEvent,
  type ReplyEventBody,
  type Session,
} from '../../domain.ts'
import type { FinishOutcome, FinishRequest } from '../ledger.ts'
import { integer, type Row } from './columns.ts'
import type { Transaction } from './commit.ts'
import { foldDeltas } from './deltas.ts'
import { toFailure, toPayload } from './event-rows.ts'
import { toPlace, type Place } from './place.ts'
import { selectReply, toReply } from './rows.ts'
import type { Runs } from './runs.ts'
import type { RunningReplies } from './running.ts'
import type { SessionLogs } from './session-logs.ts'

const statuses = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const

/** Step 7 of the order of writes: one winner ends a reply, with its deltas and its event, in one transaction. */
export function createFinish(
  db: DatabaseSync,
  epoch: number,
  logs: SessionLogs,
  running: RunningReplies,
  runs: Runs,
) {
  const find = db.prepare(`
    SELECT r.id, r.session, r.conversation, r.status, r.fence FROM replies r
    JOIN sessions s ON s.id = r.session JOIN conversations c ON c.id = r.conversation
    WHERE s.key = ? AND r.key = ?`)
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const insertEvent = db.prepare(
    'INSERT INTO events (session, place, reply, type, payload) VALUES (?, ?, ?, ?, ?)',
  )
  const insertAnswer = db.prepare(`
    INSERT INTO messages (key, session, conversation, reply, role, created_at, source)
    SELECT :key, :session, id, :reply, 'ASSISTANT', :at,
      CASE WHEN :source IS NOT NULL AND upstream IS NOT NULL THEN
        json_object('origin', origin, 'account', account, 'strategy', strategy, 'upstream', upstream, 'message', :source)
      END
    FROM conversations WHERE id = :conversation`)
  const end = db.prepare(`
    UPDATE replies SET status = :status, fence = NULL, answer = :answer, text = :text, reasoning = :reasoning,
      usage = :usage, follow_ups = :followUps, question = :question, omitted = :omitted, tool_calls = NULL,
      action_expires_at = NULL, explanation = :explanation, context_reset = context_reset OR :contextReset, failure = :failure,
      upstream_cancelled = :upstreamCancelled, first_event = coalesce(first_event, :place), last_event = :place,
      ended_at = :at
    WHERE id = :id`)
  const free = db.prepare('UPDATE conversations SET freed_at = ? WHERE id = ?')
  const resetUpstream = db.prepare(`
    UPDATE conversations SET origin = NULL, account = NULL, strategy = NULL, upstream = NULL,
      generation = generation + 1, reset_pending = 1
    WHERE id = ?`)

  function replyAt(row: number) {
    const found = findReply.get(row)
    if (found === undefined) throw new TypeError('a reply that was just stored is not there')
    return toReply(found, running)
  }

  function store(found: Row, place: Place, body: ReplyEventBody): void {
    insertEvent.run(
      integer(found['session']),
      place,
      integer(found['id']),
      body.type,
      toPayload(body),
    )
  }

  return function finish(
    session: Session,
    request: FinishRequest,
    transaction: Transaction,
  ): FinishOutcome {
    const { replyId, fence, event, at } = request
    const found = find.get(session.id, replyId)
    if (found === undefined) return { type: 'lost' }
    const row = integer(found['id'])
    if (terminalStatuses.some((status) => status === found['status'])) {
      return { type: 'already', reply: replyAt(row) }
    }
    if (fence !== undefined && found['fence'] !== fence) return { type: 'lost' }

    const log = logs.open(session.id)
    const run = running.get(replyId)
    const deltas = log.deltasOf(replyId)
    for (const kind of ['ANSWER', 'REASONING'] as const) {
      const folded = foldDeltas(deltas.filter((delta) => delta.kind === kind))
      for (const delta of folded) store(found, toPlace(delta), delta)
    }
    const seq = log.nextSeq()
    const place = toPlace({ epoch, seq })
    store(found, place, event)
    const isCompleted = event.type === 'completed'
    const conversation = integer(found['conversation'])
    const answer = isCompleted
      ? insertAnswer.run({
          key: request.answerId,
          session: integer(found['session']),
          conversation,
          reply: row,
          at,
          source: request.upstreamMessageId ?? null,
        })
      : undefined
    end.run({
      id: row,
      status: statuses[event.type],
      answer: answer === undefined ? null : Number(answer.lastInsertRowid),
      text: isCompleted ? event.text : (run?.answer.value ?? ''),
      reasoning: run?.reasoning.value ?? '',
      usage: isCompleted && event.usage !== null ? JSON.stringify(event.usage) : null,
      followUps: JSON.stringify(isCompleted ? event.followUps : []),
      question: isCompleted && event.question !== null ? JSON.stringify(event.question) : null,
      omitted: isCompleted && event.omitted.length > 0 ? JSON.stringify(event.omitted) : null,
      explanation: request.explanation === undefined ? null : JSON.stringify(request.explanation),
      contextReset: isCompleted && event.contextReset ? 1 : 0,
      failure: event.type === 'failed' ? JSON.stringify(toFailure(event)) : null,
      upstreamCancelled: event.type === 'cancelled' && event.upstreamCancelled ? 1 : 0,
      place,
      at,
    })
    if (found['status'] !== 'QUEUED') free.run(at, conversation)
    if (request.resetUpstream) resetUpstream.run(conversation)

    const reply = replyAt(row)
    const ended: ReplyEvent = {
      epoch,
      seq,
      replyId,
      conversationId: reply.conversationId,
      ...event,
    }
    transaction.committed(() => {
      const held = log.hold(ended)
      runs.unregister(replyId)
      transaction.synced(() => {
        log.release(held)
        logs.settle(log)
      })
    })
    return { type: 'finished', reply }
  }
}
