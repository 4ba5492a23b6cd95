import type { SessionId } from '../../domain.ts'
import { after } from '../../domain/reply-states.ts'
import type { NewId } from '../../lib/id.ts'
import {
  integer,
  jsonOrNull,
  type StoredRow,
  stringOrNull,
  rowOf,
  rowsOf,
} from '../engine/columns.ts'
import {
  assistantIdOf,
  conversationIdOf,
  toAttachment,
  toBinding,
  toExtras,
  toReplyRecord,
  toRevisions,
  toSession,
} from '../engine/records.ts'
import { nameOfRevision, toProgress } from '../engine/runs.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { StoredOrphan, StoredRun } from '../main-half/stored.ts'
import type { TextRevision } from '../reply-text.ts'
import { breached } from './bindings.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import {
  storedLength,
  messageColumns,
  messageOf,
  replyTexts,
  selectAttachment,
  selectReplyRecord,
  textsOf,
} from './rows.ts'
import type { WritingInstance, SessionWrite } from './session-write.ts'
import type { CallContext, Sessions } from './sessions.ts'
import { raw, row, rows, type Sql, sql } from './sql.ts'

/** Replies that one call to `orphans` takes over, and conversations that one to `waiting` takes on. */
const maxOrphans = 16
const maxWaiting = 256

/** The lengths of what is stored of the texts of the reply `r`, and its revisions, for `keepText`. */
export const findLengths = sql`
  ${storedLength('answer')} AS answer_length, ${storedLength('reasoning')} AS reasoning_length, r.revisions`

/** All revisions of a reply, with one more that keeps the text on disk, under a name of its own. */
export function keepText(found: StoredRow, name: string): readonly TextRevision[] {
  const answerKept = integer(found['answer_length'])
  const reasoningKept = integer(found['reasoning_length'])
  return [...toRevisions(found), { name, answerKept, reasoningKept }]
}

/** All that a run of the reply `r` is told. */
const selectRun = selectReplyRecord(sql`
  c.origin, c.account, c.strategy, c.upstream, c.generation, c.reset_pending,
  greatest(r.created_at, c.freed_at) AS head_since, r.step, r.chat, r.interrupted, ${findLengths}, ${replyTexts},
  ${row(sql`SELECT ${messageColumns}`)} AS sent,
  ${rows(sql`
    ${selectAttachment}
    WHERE f.session = r.session AND f.key IN (SELECT json_array_elements_text(m.attachments::json))`)} AS files,
  (SELECT p.question FROM replies p
    WHERE p.session = r.session AND p.conversation = r.conversation AND p.started_seq > c.cleared_seq AND p.id <> r.id
    ORDER BY p.started_seq DESC LIMIT 1) AS asked`)

/** The reply `r` is nobody's: its instance is not there any more, or has given it up. */
const isNobodys = sql`NOT EXISTS (SELECT FROM instance i WHERE i.name = r.instance)`

/** How many replies of the session `s` run, on whatever instance. */
export const countRunning = raw(`(
  SELECT count(*) FROM replies o WHERE o.session = s.id AND o.ended_at IS NULL AND o.status = 'RUNNING')`)

export type Claims = Pick<EngineCalls, 'claim' | 'orphans' | 'takeWaiting' | 'waiting' | 'handOver'>

export function createClaims({
  db,
  sessions,
  presence,
  maxRunningPerSession,
  newId,
}: {
  readonly db: Database
  readonly sessions: Sessions
  readonly presence: WritingInstance
  readonly maxRunningPerSession: number
  readonly newId: NewId
}): AsyncCalls<Claims> {
  /** Gives a reply that was found to a new lease. */
  function lease(
    found: StoredRow,
    write: SessionWrite,
    columns: Readonly<Record<string, string | number>>,
  ): StoredRun {
    const fence = newId()
    const revisions = keepText(found, nameOfRevision(fence))
    const where = sql`id = ${integer(found['row'])}`
    write.update(
      'replies',
      { ...columns, ...write.lease(fence), revisions: JSON.stringify(revisions) },
      where,
    )
    return {
      fence,
      revisions,
      ...textsOf(found),
      claim: claimOf({
        ...found,
        ...columns,
        session_key: write.sessionId,
        session_name: write.name,
      }),
    }
  }

  /**
   * Takes open replies that are nobody's for this instance, the oldest first: what another one is just taking is passed over.
   * Only their instance is changed, on which no other write is decided.
   */
  function take(statuses: readonly string[], limit: number): Promise<readonly StoredRow[]> {
    return db.query(sql`
      WITH due AS (
        SELECT r.session, r.id FROM replies r
        WHERE r.ended_at IS NULL AND r.status = ANY(${statuses}::text[]) AND ${isNobodys}
        ORDER BY r.created_at LIMIT ${limit} FOR UPDATE SKIP LOCKED),
      taken AS (
        UPDATE replies r SET instance = ${presence.name} FROM due WHERE r.session = due.session AND r.id = due.id
        RETURNING r.session, r.id, r.fence)
      SELECT s.key AS session, taken.id, taken.fence FROM taken JOIN sessions s ON s.id = taken.session`)
  }

  /** Gives the one reply of the session that a condition names to a new lease. */
  function takeOver(
    sessionId: SessionId,
    where: Sql,
    context: CallContext,
  ): Promise<StoredOrphan | undefined> {
    return sessions.change(
      sessionId,
      { run: row(sql`${selectRun} WHERE r.session = s.id AND ${where}`) },
      (found, write): StoredOrphan | undefined => {
        const run = rowOf(found['run'])
        if (run === null) return undefined
        const isInterrupted = run['interrupted'] === 1
        const isBreached = run['interrupted'] === breached
        return { run: lease(run, write, {}), isInterrupted, isBreached, progress: toProgress(run) }
      },
      context,
    )
  }

  return {
    async claim({ sessionId, conversationId, at }, context) {
      if (!presence.isFresh) return undefined
      const head = sql`
        SELECT q.id FROM replies q JOIN conversations c ON c.session = q.session AND c.id = q.conversation
        WHERE q.session = s.id AND c.key = ${conversationId} AND q.ended_at IS NULL
        ORDER BY q.status = 'QUEUED', q.rank LIMIT 1`
      return await sessions.change(
        sessionId,
        {
          run: row(
            sql`${selectRun} WHERE r.session = s.id AND r.id = (${head}) AND r.status = 'QUEUED'`,
          ),
          busy: countRunning,
        },
        (found, write) => {
          const run = rowOf(found['run'])
          // Where it waits for what runs elsewhere, it is found by `waiting` once there is room.
          if (run === null || integer(found['busy']) >= maxRunningPerSession) return undefined
          const status = after('QUEUED', 'claim')
          return lease(run, write, { status, step: 'claimed', started_at: at })
        },
        context,
      )
    },

    async orphans(_, context) {
      if (!presence.isFresh) return { orphans: [], hasMore: false }
      const taken = await take(['RUNNING', 'ACTION_REQUIRED'], maxOrphans)
      const works = taken.map((one) => {
        const { id: sessionId } = toSession({ session_key: one['session'], session_name: '' })
        const fence = stringOrNull(one['fence'] ?? null)
        const where = sql`
          r.id = ${integer(one['id'])} AND r.instance = ${presence.name} AND r.fence IS NOT DISTINCT FROM ${fence}
            AND r.status IN ('RUNNING', 'ACTION_REQUIRED')`
        return takeOver(sessionId, where, context)
      })
      const settled = await Promise.allSettled(works)
      const orphans = settled.flatMap((one) =>
        one.status === 'fulfilled' ? (one.value ?? []) : [],
      )
      // One that is damaged keeps none of the others; it is given up at a later beat, and tried again.
      if (orphans.length === 0) await Promise.all(works)
      return { orphans, hasMore: taken.length === maxOrphans && orphans.length > 0 }
    },

    async takeWaiting({ sessionId, replyId }, context) {
      if (!presence.isFresh) return undefined
      const where = sql`
        r.key = ${replyId} AND r.status = 'ACTION_REQUIRED' AND r.instance <> ${presence.name}`
      return await takeOver(sessionId, where, context)
    },

    async waiting() {
      if (!presence.isFresh) return []
      await take(['QUEUED'], maxWaiting)
      const found = await db.query(sql`
        SELECT DISTINCT s.key AS session_key, s.name AS session_name, c.key AS conversation, c.assistant
        FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
        JOIN sessions s ON s.id = r.session
        WHERE r.instance = ${presence.name} AND r.ended_at IS NULL AND r.status = 'QUEUED' AND NOT EXISTS (
          SELECT FROM replies q WHERE q.session = r.session AND q.conversation = r.conversation
            AND q.status IN ('RUNNING', 'ACTION_REQUIRED'))
          AND ${countRunning} < ${maxRunningPerSession}::int`)
      return found.map((one) => ({
        session: toSession(one),
        conversationId: conversationIdOf(one),
        assistantId: assistantIdOf(one),
      }))
    },

    async handOver() {
      await db.query(sql`
        UPDATE replies SET instance = '' WHERE instance = ${presence.name} AND ended_at IS NULL AND status = 'QUEUED'`)
    },
  }
}

function claimOf(found: StoredRow): StoredRun['claim'] {
  const sent = rowOf(found['sent'])
  if (sent === null) throw new TypeError('a reply lacks what was stored with it')
  const message = messageOf(sent)
  const files = rowsOf(found['files']).map(toAttachment)
  return {
    session: toSession(found),
    reply: {
      ...toReplyRecord(found),
      ...(found['status'] === 'RUNNING' && { queuePosition: null }),
    },
    message,
    // In the order in which the message names them.
    attachments: message.attachmentIds.flatMap((id) => files.filter((file) => file.id === id)),
    extras: toExtras(stringOrNull(sent['extras'] ?? null) ?? ''),
    upstream: toBinding(found),
    contextReset: found['reset_pending'] === 1,
    generation: integer(found['generation']),
    headSince: integer(found['head_since']),
    askedBefore: jsonOrNull(found['asked']),
  }
}
