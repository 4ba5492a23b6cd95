import type { DatabaseSync } from 'node:sqlite'
import type {
  AssistantId,
  ConversationId,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../../domain.ts'
import type { ErasedSession, UpstreamBinding } from '../ledger.ts'
import { integer, string } from './columns.ts'
import type { Transaction } from './commit.ts'
import { replyIdOf, selectAttachment, toAttachment, toBinding, toUpstreamPlace } from './rows.ts'
import type { SessionLogs } from './session-logs.ts'

/** Replies looked at in one call of `trimMessages`: a call is one transaction. */
const maxReplies = 500

export type DeletedConversation =
  | {
      readonly type: 'deleted'
      readonly assistantId: AssistantId
      readonly upstream: readonly UpstreamBinding[]
    }
  | { readonly type: 'not-found' }
  | { readonly type: 'busy' }

/** Ends what the store holds of a conversation or a session. Bindings stay, as tombstones; positions are not used again. */
export function createDeletion(db: DatabaseSync, logs: SessionLogs) {
  const find = db.prepare(`
    SELECT c.id, c.session, c.assistant,
      (SELECT count(*) FROM replies r WHERE r.conversation = c.id AND r.ended_at IS NULL) AS open
    FROM conversations c JOIN sessions s ON s.id = c.session WHERE s.key = ? AND c.key = ?`)
  const clear = db.prepare(`
    UPDATE conversations SET generation = generation + (upstream IS NOT NULL), origin = NULL, account = NULL,
      strategy = NULL, upstream = NULL, reset_pending = 0,
      cleared_run = (SELECT coalesce(max(r.run), 0) FROM replies r WHERE r.conversation = conversations.id AND r.run IS NOT NULL)
    WHERE id = ?`)
  const bindings = db.prepare(selectBinding)
  const replies = db.prepare('SELECT id, key AS reply FROM replies WHERE conversation = ?')
  const deleteEvents = db.prepare('DELETE FROM events WHERE session = ? AND reply = ?')
  const deleteKeys = db.prepare('DELETE FROM idempotency WHERE session = ? AND reply = ?')
  const deleteReplies = db.prepare('DELETE FROM replies WHERE conversation = ?')
  const deleteMessages = db.prepare('DELETE FROM messages WHERE conversation = ?')
  const deleteConversation = db.prepare('DELETE FROM conversations WHERE id = ?')

  const findSession = db.prepare('SELECT id, generation FROM sessions WHERE key = ?')
  const countOpen = db.prepare(
    'SELECT count(*) AS open FROM replies WHERE session = ? AND ended_at IS NULL',
  )
  const conversationsOf = db.prepare('SELECT id, assistant FROM conversations WHERE session = ?')
  const formerOf = db.prepare(`
    SELECT DISTINCT b.origin, b.account, coalesce(b.strategy, 'workflow') AS strategy
    FROM bindings b LEFT JOIN conversations c ON c.id = b.conversation
    WHERE b.session = ? AND c.id IS NULL`)
  const countMessages = db.prepare('SELECT count(*) AS messages FROM messages WHERE session = ?')
  const attachmentsOf = db.prepare(`${selectAttachment} WHERE f.session = ? ORDER BY f.id`)
  const deleteAttachments = db.prepare('DELETE FROM attachments WHERE session = ?')
  const rename = db.prepare('UPDATE sessions SET name = ?, generation = ? WHERE id = ?')

  const old = db.prepare(`
    SELECT r.id, r.session, r.conversation FROM replies r JOIN messages m ON m.id = r.id
    WHERE r.ended_at IS NOT NULL AND m.created_at < ? AND (r.trimmed = 1 OR r.last_event IS NULL)
    ORDER BY r.id LIMIT ${maxReplies}`)
  const deleteAnswer = db.prepare('DELETE FROM messages WHERE id = ? OR reply = ?')
  const deleteReply = db.prepare('DELETE FROM replies WHERE id = ?')
  const setTrimmed = db.prepare('UPDATE conversations SET trimmed = 1 WHERE id = ?')

  function bindingsOf(conversation: number): readonly UpstreamBinding[] {
    return bindings.all(conversation).flatMap((row) => toBinding(row) ?? [])
  }

  /** Also from memory, once it is committed: a reader that comes late must not meet it. */
  function remove(
    sessionId: SessionId,
    session: number,
    conversation: number,
    transaction: Transaction,
  ): void {
    const gone = new Set<ReplyId>()
    for (const row of replies.all(conversation)) {
      const reply = integer(row['id'])
      gone.add(replyIdOf(row))
      deleteEvents.run(session, reply)
      deleteKeys.run(session, reply)
    }
    deleteReplies.run(conversation)
    deleteMessages.run(conversation)
    deleteConversation.run(conversation)
    transaction.committed(() => logs.find(sessionId)?.forget((replyId) => gone.has(replyId)))
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
      const conversation = integer(found['id'])
      const upstream = bindingsOf(conversation)
      remove(session.id, integer(found['session']), conversation, transaction)
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
      for (const found of conversations) {
        remove(session.id, row, integer(found['id']), transaction)
      }
      deleteAttachments.run(row)
      const generation = integer(owner['generation']) + 1
      rename.run(name(generation), generation, row)
      return { type: 'erased', erased }
    },

    /** Only what no reader of the log can ask for any more. */
    trimMessages(writtenBefore: number): number {
      const rows = old.all(writtenBefore)
      for (const row of rows) {
        const reply = integer(row['id'])
        deleteKeys.run(integer(row['session']), reply)
        deleteAnswer.run(reply, reply)
        deleteReply.run(reply)
        setTrimmed.run(integer(row['conversation']))
      }
      return rows.length
    },
  }
}

/** Every upstream conversation that was ever this conversation's, the longest unused first. */
export const selectBinding = `
  SELECT b.origin, b.account, b.upstream, coalesce(b.strategy, c.strategy, 'workflow') AS strategy
  FROM bindings b JOIN conversations c ON c.id = b.conversation
  WHERE b.conversation = ? ORDER BY b.used_at, b.upstream = c.upstream`
