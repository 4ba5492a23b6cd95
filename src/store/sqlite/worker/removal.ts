import type { DatabaseSync } from 'node:sqlite'
import { eventId } from './events.ts'
import type { Texts } from './texts.ts'
import { integer, integerOrNull } from '../../engine/columns.ts'
import type { Row } from './columns.ts'

/** Rows looked at in one call: a call holds up whatever is posted behind it. */
const maxRows = 20
/** A call begins no other reply after so many ms. */
const maxMs = 3

export interface RemovalParts {
  readonly db: DatabaseSync
  readonly texts: Texts
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Takes away what a deletion or its age has ended, in calls of bounded work. */
export interface RowRemoval {
  /** True: deleted conversations may have left more. */
  sweep(): boolean
  /** What `Ledger.trimMessages` says. */
  trimMessages(writtenBefore: number): number
}

export function createRemoval({ db, texts, now }: RemovalParts): RowRemoval {
  const columns = 'r.id, r.answer, r.session, r.conversation, r.started_seq, r.ended_seq'
  const findDeletion = db.prepare(
    'SELECT conversation FROM deletions WHERE swept = 0 ORDER BY conversation LIMIT 1',
  )
  // Every reply has the row id of a message.
  const repliesOf = db.prepare(`
    SELECT ${columns} FROM messages m JOIN replies r ON r.id = m.id
    WHERE m.conversation = ? LIMIT ${maxRows}`)
  const deleteMessages = db.prepare('DELETE FROM messages WHERE conversation = ?')
  const endDeletion = db.prepare('UPDATE deletions SET swept = 1 WHERE conversation = ?')

  const oldReplies = db.prepare(`
    SELECT ${columns} FROM replies r
    WHERE r.trimmed = 1 AND r.created_at < ? ORDER BY r.created_at LIMIT ${maxRows}`)
  const forgetFirstWords = db.prepare(`
    UPDATE conversations SET first_words = NULL
    WHERE id = :conversation AND coalesce(first_message, :reply) = :reply`)
  const forgetNames = db.prepare(`
    UPDATE conversations SET title = NULL, titled_at = NULL, start_key = NULL, start_digest = NULL WHERE id IN (
      SELECT id FROM conversations
      WHERE (title IS NOT NULL OR start_key IS NOT NULL) AND max(last_used_at, coalesce(titled_at, 0)) < ?
      LIMIT ${maxRows})`)
  const forgetAttachments = db.prepare(`
    UPDATE attachments SET name = '', media_type = '', forgotten = 1 WHERE id IN (
      SELECT id FROM attachments
      WHERE forgotten = 0 AND max(created_at, coalesce(used_at, 0)) < ? LIMIT ${maxRows})`)

  // Other replies of the session may have written in between. Number and check stay, for readers that have seen them.
  const emptyEvents = db.prepare(`
    UPDATE events SET reply = NULL, type = 'deleted', payload = NULL
    WHERE id >= ${eventId(':session', ':first')} AND id <= ${eventId(':session', ':last')} AND reply = :reply`)
  const deleteKeys = db.prepare('DELETE FROM idempotency WHERE reply = ?')
  const deleteMessage = db.prepare('DELETE FROM messages WHERE id = ?')
  const deleteReply = db.prepare('DELETE FROM replies WHERE id = ?')

  function removeReply(row: Row): void {
    const reply = integer(row['id'])
    const answer = integerOrNull(row['answer'] ?? null)
    const last = integerOrNull(row['ended_seq'] ?? null)
    const first = integerOrNull(row['started_seq'] ?? null) ?? last
    if (first !== null && last !== null) {
      emptyEvents.run({ session: integer(row['session']), first, last, reply })
    }
    deleteKeys.run(reply)
    texts.remove(reply)
    if (answer !== null) deleteMessage.run(answer)
    deleteMessage.run(reply)
    deleteReply.run(reply)
  }

  /** Answers how many it came to. */
  function removeSome(rows: readonly Row[], removed?: (row: Row) => void): number {
    const startedAt = now()
    let count = 0
    for (const row of rows) {
      removeReply(row)
      removed?.(row)
      count += 1
      if (now() - startedAt > maxMs) break
    }
    return count
  }

  return {
    sweep() {
      const deletion = findDeletion.get()
      if (deletion === undefined) return false
      const conversation = integer(deletion['conversation'])
      if (removeSome(repliesOf.all(conversation)) > 0) return true
      deleteMessages.run(conversation)
      endDeletion.run(conversation)
      return true
    },
    trimMessages(writtenBefore) {
      const replies = removeSome(oldReplies.all(writtenBefore), (row) =>
        forgetFirstWords.run({
          reply: integer(row['id']),
          conversation: integer(row['conversation']),
        }),
      )
      if (replies > 0) return replies
      const names = Number(forgetNames.run(writtenBefore).changes)
      return names + Number(forgetAttachments.run(writtenBefore).changes)
    },
  }
}
