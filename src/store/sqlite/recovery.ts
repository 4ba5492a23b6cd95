import type { DatabaseSync } from 'node:sqlite'
import type { ReplyEvent, SessionId } from '../../domain.ts'
import { integer, string } from './columns.ts'
import { inOrder } from './deltas.ts'
import type { Journal } from './journal.ts'
import { toPlace } from './place.ts'
import { conversationIdOf, replyIdOf } from './rows.ts'
import { GrowingText, growText, type RunningReplies, type RunningReply } from './running.ts'
import type { SessionLog } from './session-log.ts'
import type { SessionLogs } from './session-logs.ts'

/** Brings back to memory the replies that ran when the file was last in use, with their deltas from the journal. */
export function recoverRunning(
  db: DatabaseSync,
  logs: SessionLogs,
  running: RunningReplies,
  journal: Journal,
): void {
  const byRow = new Map<number, RunningReply>()
  const deltas = new Map<SessionLog, ReplyEvent[]>()
  const rows = db
    .prepare(
      `SELECT r.id, r.key AS reply, r.fence, c.key AS conversation, s.key AS session_key
       FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = r.session
       WHERE r.ended_at IS NULL AND r.status IN ('RUNNING', 'ACTION_REQUIRED')`,
    )
    .all()
  for (const row of rows) {
    const log = logs.open(string(row['session_key']) as SessionId)
    log.running += 1
    const reply: RunningReply = {
      row: integer(row['id']),
      replyId: replyIdOf(row),
      conversationId: conversationIdOf(row),
      log,
      fence: integer(row['fence']),
      answer: new GrowingText(),
      reasoning: new GrowingText(),
      journalFrom: undefined,
    }
    running.set(reply.replyId, reply)
    byRow.set(reply.row, reply)
  }
  journal.scan((journalRow, replyRow, stored) => {
    const reply = byRow.get(replyRow)
    if (reply === undefined) return
    const { replyId, conversationId, log } = reply
    const event = { ...stored, replyId, conversationId }
    growText(reply, event)
    reply.journalFrom ??= journalRow
    const ofSession = deltas.get(log)
    if (ofSession === undefined) deltas.set(log, [event])
    else ofSession.push(event)
  })
  for (const [log, events] of deltas) {
    const first = inOrder(events)[0]
    if (first !== undefined) logs.restore(log, toPlace(first) - 1, events)
  }
}
