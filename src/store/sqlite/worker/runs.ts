import type { DatabaseSync } from 'node:sqlite'
import type { ReplyId, ReplyStatus, SessionId } from '../../../domain.ts'
import { after, type RunStep } from '../../../domain/reply-states.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { TextWrite } from '../../main-half/stored.ts'
import type { Bindings } from './bindings.ts'
import type { EventOwner, Events } from './events.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer, string } from '../../engine/columns.ts'
import { conversationIdOf, statusOf, toToolCalls } from '../../engine/records.ts'
import { findOwn } from './columns.ts'
import { replyOf, selectReply } from './rows.ts'

export interface RunsParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly events: Events
  readonly bindings: Bindings
}

/** A reply that runs under the fence that was given. */
export interface RunRow extends EventOwner {
  readonly conversation: number
  readonly step: RunStep
  readonly status: ReplyStatus
}

export interface Runs extends Pick<
  EngineCalls,
  'requeue' | 'intend' | 'bind' | 'writeTexts' | 'requireAction' | 'takeToolOutputs'
> {
  /** Undefined: the lease is lost. */
  find(sessionId: SessionId, replyId: ReplyId, fence: string): RunRow | undefined
  /** Writes what is new of the text of a run that was found. */
  write(run: RunRow, text: TextWrite): void
}

export function createRuns(parts: RunsParts): Runs {
  const { db, sessions, texts, events, bindings } = parts
  const isInterrupted = db.prepare('SELECT 1 FROM replies WHERE id = ? AND interrupted = 1')
  const setQueued = db.prepare(`
    UPDATE replies SET status = :status, fence = NULL, step = NULL, revisions = NULL, started_at = NULL,
      rank = -1 + (SELECT min(q.rank) FROM replies q
        WHERE q.session = replies.session AND q.conversation = replies.conversation AND q.ended_at IS NULL)
    WHERE id = :id`)
  const findRun = db.prepare(`
    SELECT r.id, r.key AS reply, r.session, s.key AS session_key, r.conversation AS conversation_row, c.key AS conversation,
      r.step, r.status, r.fence
    FROM replies r JOIN sessions s ON s.id = r.session
    JOIN conversations c ON c.id = r.conversation AND c.session = r.session
    WHERE r.id = (SELECT id FROM replies WHERE key = ?)`)
  const setIntended = db.prepare(`
    UPDATE replies SET step = 'intended', started_at = ? WHERE id = ?`)
  const setReset = db.prepare('UPDATE replies SET context_reset = 1 WHERE id = ?')
  const clearReset = db.prepare('UPDATE conversations SET reset_pending = 0 WHERE id = ?')
  const setRevealed = db.prepare(
    `UPDATE replies SET step = 'revealed' WHERE id = ? AND step = 'intended'`,
  )
  const setRevisions = db.prepare('UPDATE replies SET revisions = ? WHERE id = ?')
  const setChat = db.prepare(`
    UPDATE replies SET chat = :chat,
      step = CASE WHEN step IN ('intended', 'revealed', 'answered') THEN 'streaming' ELSE step END
    WHERE id = :id AND (chat IS NULL OR chat <> :chat OR step <> 'streaming')`)
  const ownReply = findOwn(db, 'r', selectReply, 'reply')
  const wait = db.prepare(`
    UPDATE replies SET status = ?, step = 'waiting', tool_calls = ?, action_expires_at = ? WHERE id = ?`)
  const goOn = db.prepare(`
    UPDATE replies SET status = ?, step = 'answered', tool_calls = NULL, action_expires_at = NULL,
      tool_outputs = json_insert(coalesce(tool_outputs, '[]'), '$[#]', ?)
    WHERE id = ?`)
  const findTaken = db.prepare(`
    SELECT 1 FROM replies r, json_each(r.tool_outputs) o WHERE r.id = ? AND o.value = ?`)

  function find(sessionId: SessionId, replyId: ReplyId, fence: string): RunRow | undefined {
    const row = findRun.get(replyId)
    if (row === undefined || row['fence'] !== fence || row['reply'] !== replyId) return undefined
    if (row['session_key'] !== sessionId) return undefined
    return {
      session: integer(row['session']),
      sessionId,
      reply: integer(row['id']),
      replyId,
      conversation: integer(row['conversation_row']),
      conversationId: conversationIdOf(row),
      step: string(row['step']) as RunStep,
      status: statusOf(row),
    }
  }

  /** A reply is written under its lease only while it runs, and `waiting` is no step of running. */
  function findRunning(sessionId: SessionId, replyId: ReplyId, fence: string): RunRow | undefined {
    const run = find(sessionId, replyId, fence)
    return run?.status === 'RUNNING' ? run : undefined
  }

  /** The reply's context begins anew, as its conversation was asked to. */
  function resetContext({ conversation, reply }: RunRow): void {
    clearReset.run(conversation)
    setReset.run(reply)
  }

  function write(run: RunRow, text: TextWrite): void {
    if (text.answer !== undefined) {
      texts.write(run.reply, 'answer', text.answer.offset, text.answer.text)
    }
    if (text.reasoning !== undefined) {
      texts.write(run.reply, 'reasoning', text.reasoning.offset, text.reasoning.text)
    }
    if (text.revisions !== undefined) setRevisions.run(JSON.stringify(text.revisions), run.reply)
    if (text.chatId !== undefined) setChat.run({ chat: text.chatId, id: run.reply })
  }

  return {
    find,
    write,

    requeue({ sessionId, replyId, fence }) {
      const run = findRunning(sessionId, replyId, fence)
      if (run === undefined || run.step !== 'claimed') return 'lost'
      if (isInterrupted.get(run.reply) !== undefined) return 'interrupted'
      setQueued.run({ status: after(run.status, 'requeue'), id: run.reply })
      return 'requeued'
    },

    intend({ sessionId, replyId, fence, binding, contextReset, at }) {
      const run = findRunning(sessionId, replyId, fence)
      if (run === undefined) return 'lost'
      if (binding !== undefined) {
        const outcome = bindings.bind(run, binding, at)
        if (typeof outcome === 'object') return outcome
      }
      if (contextReset) resetContext(run)
      if (run.step === 'claimed') {
        setIntended.run(at, run.reply)
        events.append(run, { type: 'started' })
      }
      return 'intended'
    },

    bind({ sessionId, replyId, fence, binding, contextReset, at }) {
      const run = findRunning(sessionId, replyId, fence)
      if (run === undefined) return 'lost'
      const outcome = bindings.bind(run, binding, at)
      if (typeof outcome === 'object') return outcome
      setRevealed.run(run.reply)
      if (contextReset) resetContext(run)
      return outcome
    },

    writeTexts: ({ texts: all }) =>
      all.map((text) => {
        const run = find(text.sessionId, text.replyId, text.fence)
        if (run === undefined) return 'lost'
        write(run, text)
        return 'written'
      }),

    requireAction({ sessionId, text, toolCalls, expiresAt }) {
      const run = find(sessionId, text.replyId, text.fence)
      if (run?.status !== 'RUNNING') return false
      write(run, text)
      const status = after(run.status, 'require-action')
      wait.run(status, JSON.stringify(toolCalls), expiresAt, run.reply)
      events.append(run, { type: 'action-required', toolCalls, expiresAt })
      return true
    },

    takeToolOutputs({ sessionId, replyId, toolCallIds, digest }) {
      const { session } = sessions.get(sessionId)
      const found = ownReply(replyId, session)
      if (found === undefined) return { type: 'not-found' }
      const reply = integer(found['row'])
      const status = statusOf(found)
      const isWaiting = status === 'ACTION_REQUIRED'
      const wanted = new Set(toToolCalls(found).map(({ id }) => id))
      const given = new Set(toolCallIds)
      const isSame = given.size === toolCallIds.length && isEqual(given, wanted)
      if (!isWaiting || !isSame) {
        if (findTaken.get(reply, digest) !== undefined) {
          return { type: 'repeated', reply: replyOf(found, texts) }
        }
        return { type: isWaiting ? 'other-calls' : 'not-waiting' }
      }
      const next = after(status, 'take-outputs')
      goOn.run(next, digest, reply)
      const taken = { status: next, toolCalls: [], actionExpiresAt: null }
      return { type: 'taken', reply: { ...replyOf(found, texts), ...taken } }
    },
  }
}

function isEqual(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member))
}
