import type { DatabaseSync } from 'node:sqlite'
import type { OwedCall, OwedWork } from '../../outbox.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { Bindings } from './bindings.ts'
import type { OutboxWork, OwingSession } from './outbox.ts'
import type { SessionRows } from './sessions.ts'
import { integer } from '../../engine/columns.ts'
import { assistantIdOf, toUpstreamAccount } from '../../engine/records.ts'
import { type Row, findOwn } from './columns.ts'

export interface DeletionParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly bindings: Bindings
  readonly outbox: OutboxWork
  /** Hears that deleted conversations have left rows to be swept. */
  readonly onDeleted: () => void
}

/**
 * Ends conversations and sessions at once, however much they hold: their other rows are left to the sweeper. Bindings stay,
 * as tombstones, and what is owed to the platform for it is written with it.
 */
export function createDeletion(
  parts: DeletionParts,
): Pick<EngineCalls, 'clearConversation' | 'deleteConversation' | 'eraseSession'> {
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
  const isOpen = db.prepare('SELECT 1 FROM replies WHERE session = ? AND ended_at IS NULL LIMIT 1')
  const conversationsOf = db.prepare(
    'SELECT id, key, assistant FROM conversations WHERE session = ?',
  )
  // Of conversations that are gone nobody knows the assistant any more.
  const accountsOf = db.prepare(`
    SELECT DISTINCT b.origin, b.account, coalesce(b.strategy, c.strategy, 'workflow') AS strategy, c.assistant
    FROM bindings b LEFT JOIN conversations c ON c.id = b.conversation
    WHERE b.session = ?`)
  const countMessages = db.prepare(`
    SELECT count(*) AS messages FROM conversations c JOIN messages m ON m.conversation = c.id WHERE c.session = ?`)
  const countAttachments = db.prepare(
    'SELECT count(*) AS attachments FROM attachments WHERE session = ?',
  )
  const deleteAttachments = db.prepare('DELETE FROM attachments WHERE session = ?')
  const rename = db.prepare('UPDATE sessions SET name = ?, generation = ? WHERE id = ?')

  /** The deletion of every upstream conversation that it ever had, and that was not owed before. */
  function oweBindings(owing: OwingSession, conversation: Row, at: number): readonly OwedWork[] {
    const assistantId = assistantIdOf(conversation)
    return bindings
      .leave(integer(conversation['id']))
      .map((upstream) =>
        outbox.owe(owing, { type: 'delete-conversation', assistantId, upstream }, at),
      )
  }

  /** The row alone: what has no conversation is read by nobody. */
  function remove(session: number, conversation: number, at: number): void {
    deleteConversation.run(conversation)
    leaveRest.run(conversation, session, at)
    onDeleted()
  }

  return {
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
      const owed = oweBindings(owner, found, at)
      remove(owner.session, integer(found['id']), at)
      return { type: 'deleted', owed }
    },

    eraseSession({ sessionId, generation, name, at }) {
      const owner = sessions.get(sessionId)
      const { session } = owner
      if (owner.generation + 1 !== generation) {
        return { type: 'other-generation', generation: owner.generation + 1 }
      }
      if (isOpen.get(session) !== undefined) return { type: 'busy' }
      const conversations = conversationsOf.all(session)
      const messages = integer(countMessages.get(session)?.['messages'])
      const attachments = integer(countAttachments.get(session)?.['attachments'])
      const accounts = accountsOf.all(session)
      for (const row of accounts) {
        const assistantId = row['assistant'] === null ? null : assistantIdOf(row)
        const account = toUpstreamAccount(row)
        const call: OwedCall = { type: 'clear-variables', assistantId, account }
        outbox.owe(owner, call, at)
      }
      for (const found of conversations) {
        oweBindings(owner, found, at)
        remove(session, integer(found['id']), at)
      }
      deleteAttachments.run(session)
      rename.run(name, generation, session)
      const owed = outbox.ofSession(session)
      const hasSpoken = accounts.length > 0
      const count = conversations.length
      return {
        type: 'erased',
        erased: { conversations: count, messages, attachments, hasSpoken, owed },
      }
    },
  }
}
