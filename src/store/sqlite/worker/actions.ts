import type { DatabaseSync } from 'node:sqlite'
import type { WorkerCalls } from '../calls.ts'
import { integer } from './columns.ts'
import type { Events } from './events.ts'
import { findOwn } from './own-rows.ts'
import { selectReply, statusOf, toReply, toToolCalls } from './rows.ts'
import { after, type Runs } from './runs.ts'
import type { Sessions } from './sessions.ts'
import type { Texts } from './texts.ts'

export interface ActionsParts {
  readonly db: DatabaseSync
  readonly sessions: Sessions
  readonly texts: Texts
  readonly events: Events
  readonly runs: Runs
}

/** What a Bot asks its client to do, and the intent to send what came of it. */
export function createActions(
  parts: ActionsParts,
): Pick<WorkerCalls, 'requireAction' | 'takeToolOutputs'> {
  const { db, sessions, texts, events, runs } = parts
  const findReply = findOwn(db, 'r', selectReply, 'reply')
  const wait = db.prepare(`
    UPDATE replies SET status = ?, step = 'waiting', tool_calls = ?, action_expires_at = ? WHERE id = ?`)
  const goOn = db.prepare(`
    UPDATE replies SET status = ?, step = 'answered', tool_calls = NULL, action_expires_at = NULL,
      tool_outputs = json_insert(coalesce(tool_outputs, '[]'), '$[#]', ?)
    WHERE id = ?`)
  const findTaken = db.prepare(`
    SELECT 1 FROM replies r, json_each(r.tool_outputs) o WHERE r.id = ? AND o.value = ?`)

  return {
    requireAction({ sessionId, text, toolCalls, expiresAt }) {
      const run = runs.find(sessionId, text.replyId, text.fence)
      if (run?.status !== 'RUNNING') return false
      runs.write(run, text)
      const status = after(run.status, 'require-action')
      wait.run(status, JSON.stringify(toolCalls), expiresAt, run.reply)
      events.append(run, { type: 'action-required', toolCalls, expiresAt })
      return true
    },

    takeToolOutputs({ sessionId, replyId, toolCallIds, digest }) {
      const { session } = sessions.get(sessionId)
      const found = findReply(replyId, session)
      if (found === undefined) return { type: 'not-found' }
      const reply = integer(found['row'])
      const status = statusOf(found)
      const isWaiting = status === 'ACTION_REQUIRED'
      const wanted = new Set(toToolCalls(found).map(({ id }) => id))
      const given = new Set(toolCallIds)
      const isSame = given.size === toolCallIds.length && isEqual(given, wanted)
      if (!isWaiting || !isSame) {
        if (findTaken.get(reply, digest) !== undefined) {
          return { type: 'repeated', reply: toReply(found, texts) }
        }
        return { type: isWaiting ? 'other-calls' : 'not-waiting' }
      }
      const next = after(status, 'take-outputs')
      goOn.run(next, digest, reply)
      const taken = { status: next, toolCalls: [], actionExpiresAt: null }
      return { type: 'taken', reply: { ...toReply(found, texts), ...taken } }
    },
  }
}

function isEqual(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member))
}
