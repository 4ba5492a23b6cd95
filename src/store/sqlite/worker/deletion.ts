import type { DatabaseSync } from 'node:sqlite'
import type { OwedWork } from '../../outbox.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { Bindings } from './bindings.ts'
import type { OutboxWork, OwingSession } from './outbox.ts'
import type { SessionRows } from './sessions.ts'
import { integer } from '../../engine/columns.ts'
import { assistantIdOf } from '../../engine/records.ts'
import { type Row, findOwn } from './columns.ts'

export interface DeletionParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly bindings: Bindings
  readonly outbox: OutboxWork
  /** Hears that deleted conversations have left rows to be swept. */
  readonly onDeleted: () => void
}

export interface Deletion extends Pick<EngineCalls, 'clearConversation' | 'deleteConversation'> {
  /** Ends a conversation, of which `row` is the id and the assistant, and owes the deletion of what the platform keeps. */
  end(owing: OwingSession, row: Row, at: number): readonly OwedWork[]
}

/**
 * Ends conversations at once, however much they hold: their other rows are left to the sweeper. Bindings stay, as
 * tombstones, and what is owed to the platform for it is written with it.
 */
export function createDeletion(parts: DeletionParts): Deletion {
  const { db, sessions, bindings, outbox, onDeleted } = parts
  const find = findOwn(
    db,
    'c',
    `SELECT c.id, c.key, c.assistant,
      EXISTS (SELECT 1 FROM replies r WHERE r.session = c.session AND r.conversation = c.id AND r.ended_at IS NULL) AS open
    FROM conversations c`,
  )
  const clear = db.prepare(`
    UPDATE conversations SET generation = generation + (upstream IS NOT NULL), origin = NULL, account = NULL,
      strategy = NULL, upstream = NULL, reset_pending = 0, cleared_seq = :seq
    WHERE id = :id`)
  const lastStarted = db.prepare(`
    SELECT started_seq FROM replies WHERE conversation = ? AND started_seq IS NOT NULL
    ORDER BY started_seq DESC LIMIT 1`)
  const deleteConversation = db.prepare('DELETE FROM conversations WHERE id = ?')
  const leaveRest = db.prepare(
    'INSERT INTO deletions (conversation, session, deleted_at) VALUES (?, ?, ?)',
  )

  /** The deletion of every upstream conversation that it ever had, and that was not owed before. */
  function oweBindings(owing: OwingSession, conversation: Row, at: number): readonly OwedWork[] {
    const assistantId = assistantIdOf(conversation)
    return bindings
      .leave(integer(conversation['id']))
      .map((upstream) =>
        outbox.owe(owing, { type: 'delete-conversation', assistantId, upstream }, at),
      )
  }

  function end(owing: OwingSession, row: Row, at: number): readonly OwedWork[] {
    const owed = oweBindings(owing, row, at)
    const conversation = integer(row['id'])
    // The row alone: what has no conversation is read by nobody.
    deleteConversation.run(conversation)
    leaveRest.run(conversation, owing.session, at)
    onDeleted()
    return owed
  }

  return {
    end,

    clearConversation({ sessionId, id, at }) {
      const owner = sessions.get(sessionId)
      const found = find(id, owner.session)
      if (found === undefined) return { type: 'not-found' }
      if (found['open'] !== 0) return { type: 'busy' }
      const owed = oweBindings(owner, found, at)
      const conversation = integer(found['id'])
      const seq = integer(lastStarted.get(conversation)?.['started_seq'] ?? 0)
      clear.run({ id: conversation, seq })
      return { type: 'cleared', owed }
    },

    deleteConversation({ sessionId, id, at }) {
      const owner = sessions.get(sessionId)
      const found = find(id, owner.session)
      if (found === undefined) return { type: 'not-found' }
      if (found['open'] !== 0) return { type: 'busy' }
      return { type: 'deleted', owed: end(owner, found, at) }
    },
  }
}
