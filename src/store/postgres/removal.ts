import { integer, type StoredRow, string } from '../engine/columns.ts'
import type { SessionId } from '../../domain.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import type { Lanes } from './lanes.ts'
import type { SessionWrite } from './session-write.ts'
import type { Sessions } from './sessions.ts'
import { sql } from './sql.ts'

/** Rows of each kind that one call comes to. */
const maxRows = 50

export type RemovalCalls = Pick<EngineCalls, 'trimMessages'>

/** Deletes what has outlived its time, in calls of bounded work. */
export function createRemoval(
  db: Database,
  sessions: Sessions,
  lanes: Lanes,
): AsyncCalls<RemovalCalls> {
  async function count(statement: ReturnType<typeof sql>): Promise<number> {
    const [counted] = await db.query(
      sql`WITH done AS (${statement} RETURNING 1) SELECT count(*) AS done FROM done`,
    )
    return integer(counted?.['done'])
  }

  return {
    async trimMessages({ writtenBefore }, context) {
      const old = await db.query(sql`
        SELECT s.key AS session, r.id FROM replies r JOIN sessions s ON s.id = r.session
        WHERE r.trimmed = 1 AND r.created_at < ${writtenBefore} ORDER BY r.created_at LIMIT ${maxRows}`)
      const bySession = Map.groupBy(old, (row: StoredRow) => string(row['session']) as SessionId)
      for (const [sessionId, rows] of bySession) {
        const ids = rows.map((row) => integer(row['id']))
        await lanes.run(sessionId, () =>
          sessions.change(
            sessionId,
            {},
            (_, write) => {
              removeReplies(write, ids)
              write.remove('messages', sql`reply = ANY(${ids}::int[])`)
              write.update(
                'conversations',
                { first_words: null },
                sql`first_message = ANY(${ids}::int[])`,
              )
            },
            context,
          ),
        )
      }
      if (old.length > 0) return old.length
      // What is used meanwhile is not old any more: each row is looked at again once it is locked.
      const isOldName = sql`(title IS NOT NULL OR start_key IS NOT NULL)
        AND greatest(last_used_at, coalesce(titled_at, 0)) < ${writtenBefore}`
      const names = await count(sql`
        UPDATE conversations SET title = NULL, titled_at = NULL, start_key = NULL, start_digest = NULL
        WHERE (session, id) IN (SELECT session, id FROM conversations WHERE ${isOldName} LIMIT ${maxRows})
          AND ${isOldName}`)
      const isOldFile = sql`forgotten = 0 AND greatest(created_at, coalesce(used_at, 0)) < ${writtenBefore}`
      const files = await count(sql`
        UPDATE attachments SET name = '', media_type = '', forgotten = 1
        WHERE (session, key) IN (SELECT session, key FROM attachments WHERE ${isOldFile} LIMIT ${maxRows})
          AND ${isOldFile}`)
      return names + files
    },
  }
}

/** Deletes replies with their texts and keys, but not their messages. */
function removeReplies(write: SessionWrite, ids: readonly number[]): void {
  const isOf = sql`reply = ANY(${ids}::int[])`
  write.remove('replies', sql`id = ANY(${ids}::int[])`)
  write.remove('texts', isOf)
  write.remove('idempotency', isOf)
}
