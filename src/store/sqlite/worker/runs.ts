import type { DatabaseSync } from 'node:sqlite'
import type { ReplyId, ReplyStatus, SessionId } from '../../../domain.ts'
import { replyStates, type ReplyWrite, type RunStep } from '../../../domain/reply-states.ts'
import type { NewId } from '../../../lib/id.ts'
import type { Claim, RunProgress } from '../../ledger.ts'
import type { WorkerCalls } from '../calls.ts'
import type { TextRevision } from '../../reply-text.ts'
import type { StoredOrphan, StoredRun, TextWrite } from '../stored.ts'
import type { Bindings } from './bindings.ts'
import { integer, jsonOrNull, string, type Row } from './columns.ts'
import type { EventOwner, Events } from './events.ts'
import {
  conversationIdOf,
  selectAttachment,
  selectMessage,
  selectReply,
  statusOf,
  toAttachment,
  toBinding,
  toExtras,
  toMessage,
  toReplyRecord,
  toRevisions,
  toSession,
  toToolCalls,
} from './rows.ts'
import type { SessionRow, Sessions } from './sessions.ts'
import type { Texts } from './texts.ts'

/** Text that is handed over in one answer to `orphans`, in UTF-16 code units, and one reply more. */
const maxOrphanLength = 1024 * 1024
/** Characters of a fence that name its revisions. */
const revisionLength = 4

export interface RunsParts {
  readonly db: DatabaseSync
  readonly sessions: Sessions
  readonly texts: Texts
  readonly events: Events
  readonly bindings: Bindings
  readonly newId: NewId
}

/** A reply that runs under the fence that was given. */
export interface RunRow extends EventOwner {
  readonly conversation: number
  readonly step: RunStep
  readonly status: ReplyStatus
}

export interface Runs extends Pick<
  WorkerCalls,
  'claim' | 'requeue' | 'intend' | 'bind' | 'writeTexts' | 'orphans'
> {
  /** Starts a reply of the session that was just accepted, in a conversation that is bound. */
  begin(owner: SessionRow, reply: number, at: number): StoredRun
  /** Undefined: the lease is lost. */
  find(sessionId: SessionId, replyId: ReplyId, fence: string): RunRow | undefined
  /** Writes what is new of the text of a run that was found. */
  write(run: RunRow, text: TextWrite): void
  /** Adds a revision that keeps the text on disk, under a name of its own. Answers all of them. */
  keepText(reply: number, name: string): readonly TextRevision[]
}

export function createRuns(parts: RunsParts): Runs {
  const { db, sessions, texts, events, bindings, newId } = parts
  const head = db.prepare(`
    SELECT r.id, r.status FROM replies r
    JOIN conversations c ON c.id = (SELECT id FROM conversations WHERE key = :conversation)
      AND c.session = :session AND +c.key = :conversation
    WHERE r.session = :session AND r.conversation = c.id AND r.ended_at IS NULL
    ORDER BY r.status = 'QUEUED', r.rank LIMIT 1`)
  const setRunning = db.prepare(`
    UPDATE replies SET status = :status, fence = :fence, step = :step, started_at = :at WHERE id = :id`)
  const setBegun = db.prepare(`
    UPDATE replies SET status = :status, fence = :fence, step = 'intended', revisions = :revisions, started_at = :at
    WHERE id = :id`)
  const setFence = db.prepare('UPDATE replies SET fence = ? WHERE id = ?')
  const setRevisions = db.prepare('UPDATE replies SET revisions = ? WHERE id = ?')
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
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const findMessage = db.prepare(`${selectMessage} WHERE m.id = ?`)
  const findContext = db.prepare(`
    SELECT s.key AS session_key, s.name AS session_name, c.origin, c.account, c.strategy, c.upstream, c.generation,
      c.reset_pending, c.cleared_seq, c.id AS conversation_row, max(r.created_at, c.freed_at) AS head_since, r.step, r.chat,
      r.tool_calls, r.action_expires_at, r.interrupted, r.revisions
    FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session
    JOIN sessions s ON s.id = r.session
    WHERE r.id = ?`)
  const lastAsked = db.prepare(`
    SELECT question FROM replies
    WHERE conversation = ? AND started_seq > ? AND id <> ? ORDER BY started_seq DESC LIMIT 1`)
  const setIntended = db.prepare(`
    UPDATE replies SET step = 'intended', started_at = ? WHERE id = ?`)
  const setReset = db.prepare('UPDATE replies SET context_reset = 1 WHERE id = ?')
  const clearReset = db.prepare('UPDATE conversations SET reset_pending = 0 WHERE id = ?')
  const setRevealed = db.prepare(
    `UPDATE replies SET step = 'revealed' WHERE id = ? AND step = 'intended'`,
  )
  const attachmentsByKeys = db.prepare(
    `${selectAttachment} WHERE f.key IN (SELECT value FROM json_each(?)) AND +f.session = ?`,
  )
  const setChat = db.prepare(`
    UPDATE replies SET chat = :chat,
      step = CASE WHEN step IN ('intended', 'revealed', 'answered') THEN 'streaming' ELSE step END
    WHERE id = :id AND (chat IS NULL OR chat <> :chat OR step <> 'streaming')`)
  // Opening the database has taken every lease away.
  const orphaned = db.prepare(`
    SELECT id FROM replies WHERE status IN ('RUNNING', 'ACTION_REQUIRED') AND fence IS NULL LIMIT 1`)

  function found(row: Row | undefined): Row {
    if (row === undefined) throw new TypeError('a reply lacks what was stored with it')
    return row
  }

  /** The run that holds a fence, of whatever session. */
  function held(replyId: ReplyId, fence: string): RunRow | undefined {
    const row = findRun.get(replyId)
    if (row === undefined || row['fence'] !== fence || row['reply'] !== replyId) return undefined
    return {
      session: integer(row['session']),
      sessionId: string(row['session_key']) as SessionId,
      reply: integer(row['id']),
      replyId,
      conversation: integer(row['conversation_row']),
      conversationId: conversationIdOf(row),
      step: string(row['step']) as RunStep,
      status: statusOf(row),
    }
  }

  function find(sessionId: SessionId, replyId: ReplyId, fence: string): RunRow | undefined {
    const run = held(replyId, fence)
    return run?.sessionId === sessionId ? run : undefined
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

  function keepText(reply: number, name: string): readonly TextRevision[] {
    const revisions = [
      ...toRevisions(found(findContext.get(reply))),
      {
        name,
        answerKept: texts.length(reply, 'answer'),
        reasoningKept: texts.length(reply, 'reasoning'),
      },
    ]
    setRevisions.run(JSON.stringify(revisions), reply)
    return revisions
  }

  /** Gives the reply to a new lease. */
  function describe(
    reply: number,
    fence: string,
  ): { readonly run: StoredRun; readonly context: Row } {
    const revisions = keepText(reply, nameOfRevision(fence))
    const context = found(findContext.get(reply))
    const claim = claimOf(reply, context)
    const answer = texts.read(reply, 'answer')
    const reasoning = texts.read(reply, 'reasoning')
    return { run: { fence, revisions, claim, answer, reasoning }, context }
  }

  function claimOf(reply: number, context: Row): StoredRun['claim'] {
    const stored = found(findReply.get(reply))
    const message = toMessage(found(findMessage.get(reply)), texts)
    const session = toSession(context)
    const asked = lastAsked.get(
      integer(context['conversation_row']),
      integer(context['cleared_seq']),
      reply,
    )
    return {
      session,
      reply: toReplyRecord(stored),
      message,
      attachments: attachmentsOf(session.id, message.attachmentIds),
      extras: toExtras(texts.read(reply, 'extras')),
      upstream: toBinding(context),
      contextReset: context['reset_pending'] === 1,
      generation: integer(context['generation']),
      headSince: integer(context['head_since']),
      askedBefore: jsonOrNull(asked?.['question']),
    }
  }

  /** In the order in which the message names them. */
  function attachmentsOf(sessionId: SessionId, ids: readonly string[]): Claim['attachments'] {
    if (ids.length === 0) return []
    const { session } = sessions.get(sessionId)
    const stored = attachmentsByKeys.all(JSON.stringify(ids), session).map(toAttachment)
    return ids.flatMap((id) => stored.filter((attachment) => attachment.id === id))
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
    keepText,

    begin({ session, sessionId }, reply, at) {
      const fence = newId()
      // Nothing is stored of its text.
      const revisions = [{ name: nameOfRevision(fence), answerKept: 0, reasoningKept: 0 }]
      setBegun.run({
        status: after('QUEUED', 'begin'),
        fence,
        revisions: JSON.stringify(revisions),
        at,
        id: reply,
      })
      const claim = claimOf(reply, found(findContext.get(reply)))
      const { id: replyId, conversationId } = claim.reply
      events.append({ session, sessionId, reply, replyId, conversationId }, { type: 'started' })
      return { fence, revisions, claim, answer: '', reasoning: '' }
    },

    claim({ sessionId, conversationId, at }) {
      const { session } = sessions.get(sessionId)
      const first = head.get({ session, conversation: conversationId })
      if (first === undefined || first['status'] !== 'QUEUED') return undefined
      const reply = integer(first['id'])
      const fence = newId()
      setRunning.run({ status: after('QUEUED', 'claim'), fence, step: 'claimed', at, id: reply })
      return describe(reply, fence).run
    },

    requeue({ sessionId, replyId, fence }) {
      const run = findRunning(sessionId, replyId, fence)
      if (run === undefined || run.step !== 'claimed') return false
      setQueued.run({ status: after(run.status, 'requeue'), id: run.reply })
      return true
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
        const run = held(text.replyId, text.fence)
        if (run === undefined) return 'lost'
        write(run, text)
        return 'written'
      }),

    orphans() {
      const taken: StoredOrphan[] = []
      let length = 0
      for (let row = orphaned.get(); row !== undefined; row = orphaned.get()) {
        if (length >= maxOrphanLength) return { orphans: taken, hasMore: true }
        const reply = integer(row['id'])
        const fence = newId()
        setFence.run(fence, reply)
        const { run, context } = describe(reply, fence)
        length += run.answer.length + run.reasoning.length
        const isInterrupted = context['interrupted'] === 1
        taken.push({ run, isInterrupted, progress: toProgress(context) })
      }
      return { orphans: taken, hasMore: false }
    },
  }
}

/** A revision that begins with a fence; those after it in the same lease count on. */
export function nameOfRevision(fence: string): string {
  return `${fence.slice(0, revisionLength)}0`
}

/** What a write makes of a reply in a state; whoever asks has seen that it may be made. */
export function after(status: ReplyStatus, write: ReplyWrite): ReplyStatus {
  const next = replyStates[status][write]
  if (next === undefined) throw new TypeError(`a reply that is ${status} cannot ${write}`)
  return next
}

function toProgress(row: Row): RunProgress {
  const step = string(row['step']) as RunStep
  switch (step) {
    case 'claimed':
    case 'intended':
    case 'revealed':
      return { step }
    case 'streaming':
    case 'answered':
      return { step, chatId: string(row['chat']) }
    case 'waiting':
      return {
        step,
        chatId: string(row['chat']),
        toolCalls: toToolCalls(row),
        expiresAt: integer(row['action_expires_at']),
      }
  }
}
