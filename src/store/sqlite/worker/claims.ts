import type { DatabaseSync } from 'node:sqlite'
import type { SessionId } from '../../../domain.ts'
import { after } from '../../../domain/reply-states.ts'
import type { NewId } from '../../../lib/id.ts'
import type { Claim } from '../../run-lease.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { TextRevision } from '../../reply-text.ts'
import type { StoredOrphan, StoredRun } from '../../main-half/stored.ts'
import type { Events } from './events.ts'
import type { SessionRow, SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer, jsonOrNull } from '../../engine/columns.ts'
import {
  toAttachment,
  toBinding,
  toExtras,
  toReplyRecord,
  toRevisions,
  toSession,
} from '../../engine/records.ts'
import { nameOfRevision, toProgress } from '../../engine/runs.ts'
import type { Row } from './columns.ts'
import { messageOf, selectAttachment, selectMessage, selectReply } from './rows.ts'

/** Text that is handed over in one answer to `orphans`, in UTF-16 code units, and one reply more. */
const maxOrphanLength = 1024 * 1024

export interface ClaimsParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly events: Events
  readonly newId: NewId
}

/** How a reply comes under a lease, and all that its run is told then. */
export interface Claims extends Pick<EngineCalls, 'claim' | 'orphans'> {
  /** Starts a reply of the session that was just accepted, in a conversation that is bound. */
  begin(owner: SessionRow, reply: number, at: number): StoredRun
  /** Adds a revision that keeps the text on disk, under a name of its own, and returns all of them. */
  keepText(reply: number, name: string): readonly TextRevision[]
}

export function createClaims(parts: ClaimsParts): Claims {
  const { db, sessions, texts, events, newId } = parts
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
  const attachmentsByKeys = db.prepare(
    `${selectAttachment} WHERE f.key IN (SELECT value FROM json_each(?)) AND +f.session = ?`,
  )
  // Opening the database has taken every lease away.
  const orphaned = db.prepare(`
    SELECT id FROM replies WHERE status IN ('RUNNING', 'ACTION_REQUIRED') AND fence IS NULL LIMIT 1`)

  function found(row: Row | undefined): Row {
    if (row === undefined) throw new TypeError('a reply lacks what was stored with it')
    return row
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
    const asSent = found(findMessage.get(reply))
    const message = messageOf(asSent, texts)
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
      extras: toExtras(texts.read(reply, 'extras').slice(integer(asSent['images_length']))),
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

  return {
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
