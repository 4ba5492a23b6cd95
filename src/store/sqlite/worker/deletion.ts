import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, ConversationId, Session, SessionId, SessionName } from '../../domain.ts'
import type { ErasedSession, UpstreamBinding } from '../ledger.ts'
import { integer, string, type Row } from './columns.ts'
import type { Transaction } from './commit.ts'
import {
  conversationIdOf,
  selectAttachment,
  toAttachment,
  toBinding,
  toUpstreamPlace,
} from './rows.ts'
import type { SessionLogs } from './session-logs.ts'
import type { Sweeper } from './sweeper.ts'

export type DeletedConversation =
  | {
      readonly type: 'deleted'
      readonly assistantId: AssistantId
      readonly upstream: readonly UpstreamBinding[]
    }
  | { readonly type: 'not-found' }
  | { readonly type: 'busy' }

/**
 * Ends conversations and sessions at once, however much they hold: their other rows are left to the sweeper. Bindings
 * stay, as tombstones; positions are not used again.
 */
export function createDeletion(db: DatabaseSync, logs: SessionLogs, sweeper: Sweeper) {
  const find = db.prepare(`
    SELECT c.id, c.key AS conversation, c.assistant,
      (SELECT count(*) FROM replies r WHERE r.conversation = c.id AND r.ended_at IS NULL) AS open
    FROM conversations c JOIN sessions s ON s.id = c.session WHERE s.key = ? AND c.key = ?`)
  const clear = db.prepare(`
    UPDATE conversations SET generation = generation + (upstream IS NOT NULL), origin = NULL, account = NULL,
      strategy = NULL, upstream = NULL, reset_pending = 0,
      cleared_run = (SELECT coalesce(max(r.run), 0) FROM replies r WHERE r.conversation = conversations.id AND r.run IS NOT NULL)
    WHERE id = ?`)
  const bindings = db.prepare(selectBinding)
  const deleteConversation = db.prepare('DELETE FROM conversations WHERE id = ?')
  const leaveRest = db.prepare('INSERT INTO deletions (conversation) VALUES (?)')

  const findSession = db.prepare('SELECT id, generation FROM sessions WHERE key = ?')
  const countOpen = db.prepare(
    'SELECT count(*) AS open FROM replies WHERE session = ? AND ended_at IS NULL',
  )
  const conversationsOf = db.prepare(
    'SELECT id, key AS conversation, assistant FROM conversations WHERE session = ?',
  )
  const formerOf = db.prepare(`
    SELECT DISTINCT b.origin, b.account, coalesce(b.strategy, 'workflow') AS strategy
    FROM bindings b LEFT JOIN conversations c ON c.id = b.conversation
    WHERE b.session = ? AND c.id IS NULL`)
  const countMessages = db.prepare(`
    SELECT count(*) AS messages FROM conversations c JOIN messages m ON m.conversation = c.id WHERE c.session = ?`)
  const attachmentsOf = db.prepare(`${selectAttachment} WHERE f.session = ? ORDER BY f.id`)
  const deleteAttachments = db.prepare('DELETE FROM attachments WHERE session = ?')
  const rename = db.prepare('UPDATE sessions SET name = ?, generation = ? WHERE id = ?')

  function bindingsOf(conversation: number): readonly UpstreamBinding[] {
    return bindings.all(conversation).flatMap((row) => toBinding(row) ?? [])
  }

  /** The row alone: what has no conversation is read by nobody, in the log neither once it is committed. */
  function remove(sessionId: SessionId, found: Row, transaction: Transaction): void {
    const conversation = integer(found['id'])
    const id = conversationIdOf(found)
    deleteConversation.run(conversation)
    leaveRest.run(conversation)
    transaction.committed(() => {
      logs.find(sessionId)?.forget(({ conversationId }) => conversationId === id)
      sweeper.deleted()
    })
  }

  return {
    clearConversation(session: Session, id: ConversationId): 'cleared' | 'not-found' | 'busy' {
      const found = find.get(session.id, id)
      if (found === undefined) return 'not-found'
      if (found['open'] !== 0) return 'busy'
      clear.run(integer(found['id']))
      return 'cleared'
    },

    deleteConversation(
      session: Session,
      id: ConversationId,
      transaction: Transaction,
    ): DeletedConversation {
      const found = find.get(session.id, id)
      if (found === undefined) return { type: 'not-found' }
      if (found['open'] !== 0) return { type: 'busy' }
      const upstream = bindingsOf(integer(found['id']))
      remove(session.id, found, transaction)
      return { type: 'deleted', assistantId: string(found['assistant']) as AssistantId, upstream }
    },

    eraseSession(
      session: Session,
      name: (generation: number) => SessionName,
      transaction: Transaction,
    ): { readonly type: 'erased'; readonly erased: ErasedSession } | { readonly type: 'busy' } {
      const owner = findSession.get(session.id)
      if (owner === undefined) throw new TypeError('the session was not opened')
      const row = integer(owner['id'])
      if (countOpen.get(row)?.['open'] !== 0) return { type: 'busy' }
      const conversations = conversationsOf.all(row)
      const erased: ErasedSession = {
        conversations: conversations.length,
        messages: integer(countMessages.get(row)?.['messages']),
        attachments: attachmentsOf.all(row).map(toAttachment),
        upstream: conversations.flatMap((found) => {
          const assistantId = string(found['assistant']) as AssistantId
          return bindingsOf(integer(found['id'])).map((binding) => ({ ...binding, assistantId }))
        }),
        former: formerOf.all(row).map(toUpstreamPlace),
      }
      for (const found of conversations) remove(session.id, found, transaction)
      deleteAttachments.run(row)
      const generation = integer(owner['generation']) + 1
      rename.run(name(generation), generation, row)
      return { type: 'erased', erased }
    },
  }
}

/** Every upstream conversation that was ever this conversation's, the longest unused first. */
export const selectBinding = `
  SELECT b.origin, b.account, b.upstream, coalesce(b.strategy, c.strategy, 'workflow') AS strategy
  FROM bindings b JOIN conversations c ON c.id = b.conversation
  WHERE b.conversation = ? ORDER BY b.used_at, b.upstream = c.upstream`
