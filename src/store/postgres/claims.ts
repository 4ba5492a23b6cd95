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
import type { SessionWrite } from './session-write.ts'
import type { Sessions } from './sessions.ts'
import { row, rows, sql } from './sql.ts'

/** Text that is handed over in one answer to `orphans`, in UTF-16 code units, and one reply more. */
const maxOrphanLength = 1024 * 1024

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

export type Claims = Pick<EngineCalls, 'claim' | 'orphans'>

export function createClaims(db: Database, sessions: Sessions, newId: NewId): AsyncCalls<Claims> {
  /** Gives a reply that was found to a new lease. */
  function lease(
    found: StoredRow,
    write: SessionWrite,
    columns: Readonly<Record<string, string | number>>,
  ): StoredRun {
    const fence = newId()
    const revisions = keepText(found, nameOfRevision(fence))
    const where = sql`id = ${integer(found['row'])}`
    write.update('replies', { ...columns, fence, revisions: JSON.stringify(revisions) }, where)
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

  return {
    claim({ sessionId, conversationId, at }, context) {
      const head = sql`
        SELECT q.id FROM replies q JOIN conversations c ON c.session = q.session AND c.id = q.conversation
        WHERE q.session = s.id AND c.key = ${conversationId} AND q.ended_at IS NULL
        ORDER BY q.status = 'QUEUED', q.rank LIMIT 1`
      return sessions.change(
        sessionId,
        {
          run: row(
            sql`${selectRun} WHERE r.session = s.id AND r.id = (${head}) AND r.status = 'QUEUED'`,
          ),
        },
        (found, write) => {
          const run = rowOf(found['run'])
          if (run === null) return undefined
          const status = after('QUEUED', 'claim')
          return lease(run, write, { status, step: 'claimed', started_at: at })
        },
        context,
      )
    },

    async orphans(_, context) {
      const taken: StoredOrphan[] = []
      for (let length = 0; ;) {
        // Opening the database has taken every lease away.
        const [first] = await db.query(sql`
          SELECT s.key AS session, r.id FROM replies r JOIN sessions s ON s.id = r.session
          WHERE r.status IN ('RUNNING', 'ACTION_REQUIRED') AND r.fence IS NULL LIMIT 1`)
        if (first === undefined) return { orphans: taken, hasMore: false }
        if (length >= maxOrphanLength) return { orphans: taken, hasMore: true }
        const { id: sessionId } = toSession({ session_key: first['session'], session_name: '' })
        const orphan = await sessions.change(
          sessionId,
          {
            run: row(sql`
              ${selectRun} WHERE r.session = s.id AND r.id = ${integer(first['id'])} AND r.fence IS NULL
                AND r.status IN ('RUNNING', 'ACTION_REQUIRED')`),
          },
          (found, write): StoredOrphan | undefined => {
            const run = rowOf(found['run'])
            if (run === null) return undefined
            const isInterrupted = run['interrupted'] === 1
            return { run: lease(run, write, {}), isInterrupted, progress: toProgress(run) }
          },
          context,
        )
        if (orphan === undefined) continue
        taken.push(orphan)
        length += orphan.run.answer.length + orphan.run.reasoning.length
      }
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
