import type { DatabaseSync } from 'node:sqlite'
import type { Reply, ReplyEvent, ReplyId, Session, ToolCall } from '../../domain.ts'
import type { Fence } from '../ledger.ts'
import { integer } from './columns.ts'
import type { Transaction } from './commit.ts'
import { toPayload } from './event-rows.ts'
import { toPlace } from './place.ts'
import { selectReply, toReply, toToolCalls } from './rows.ts'
import type { RunningReplies } from './running.ts'
import type { SessionLogs } from './session-logs.ts'

export type TakenToolOutputs =
  | { readonly type: 'taken'; readonly reply: Reply }
  | { readonly type: 'repeated'; readonly reply: Reply }
  | { readonly type: 'not-waiting' }
  | { readonly type: 'other-calls' }
  | { readonly type: 'not-found' }

/** What a Bot asks its client to do, and the intent to send what came of it. */
export function createActions(
  db: DatabaseSync,
  epoch: number,
  logs: SessionLogs,
  running: RunningReplies,
) {
  const findRun = db.prepare(`
    SELECT r.id, r.session FROM replies r JOIN sessions s ON s.id = r.session
    WHERE s.key = ? AND r.key = ? AND r.status = 'RUNNING' AND r.fence = ?`)
  const findReply = db.prepare(`
    ${selectReply} JOIN sessions s ON s.id = r.session WHERE s.key = ? AND r.key = ?`)
  const wait = db.prepare(`
    UPDATE replies SET status = 'ACTION_REQUIRED', step = 3, tool_calls = ?, action_expires_at = ? WHERE id = ?`)
  const goOn = db.prepare(`
    UPDATE replies SET status = 'RUNNING', step = 4, tool_calls = NULL, action_expires_at = NULL,
      tool_outputs = json_insert(coalesce(tool_outputs, '[]'), '$[#]', ?)
    WHERE id = ?`)
  const findTaken = db.prepare(`
    SELECT 1 FROM replies r, json_each(r.tool_outputs) o WHERE r.id = ? AND o.value = ?`)
  const insertEvent = db.prepare(
    `INSERT INTO events (session, place, reply, type, payload) VALUES (?, ?, ?, 'action-required', ?)`,
  )

  return {
    requireAction(
      session: Session,
      replyId: ReplyId,
      fence: Fence,
      action: { readonly toolCalls: readonly ToolCall[]; readonly expiresAt: number },
      transaction: Transaction,
    ): boolean {
      const found = findRun.get(session.id, replyId, fence)
      const run = running.get(replyId)
      if (found === undefined || run === undefined) return false
      const row = integer(found['id'])
      wait.run(JSON.stringify(action.toolCalls), action.expiresAt, row)
      const log = logs.open(session.id)
      const seq = log.nextSeq()
      const body = { type: 'action-required', ...action } as const
      insertEvent.run(integer(found['session']), toPlace({ epoch, seq }), row, toPayload(body))
      const { conversationId } = run
      const event: ReplyEvent = { epoch, seq, replyId, conversationId, ...body }
      transaction.committed(() => {
        const held = log.hold(event)
        transaction.synced(() => log.release(held))
      })
      return true
    },

    takeToolOutputs(
      session: Session,
      replyId: ReplyId,
      outputs: { readonly toolCallIds: readonly string[]; readonly digest: string },
    ): TakenToolOutputs {
      const found = findReply.get(session.id, replyId)
      if (found === undefined) return { type: 'not-found' }
      const { toolCallIds, digest } = outputs
      const row = integer(found['row'])
      const isWaiting = found['status'] === 'ACTION_REQUIRED'
      const wanted = new Set(toToolCalls(found).map(({ id }) => id))
      const given = new Set(toolCallIds)
      const isSame = given.size === toolCallIds.length && isEqual(given, wanted)
      if (!isWaiting || !isSame) {
        if (findTaken.get(row, digest) !== undefined) {
          return { type: 'repeated', reply: toReply(found, running) }
        }
        return { type: isWaiting ? 'other-calls' : 'not-waiting' }
      }
      goOn.run(digest, row)
      return {
        type: 'taken',
        reply: {
          ...toReply(found, running),
          status: 'RUNNING',
          toolCalls: [],
          actionExpiresAt: null,
        },
      }
    },
  }
}

function isEqual(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member))
}
