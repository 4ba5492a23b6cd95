import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, ConversationId } from '../../../domain.ts'
import type { IdempotencyDigest } from '../../ledger.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer } from '../../engine/columns.ts'
import { conversationIdOf, toConversation } from '../../engine/records.ts'
import { findOwn } from './columns.ts'
import { messageOf, selectConversation, selectMessage } from './rows.ts'

export interface RecordsParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
}

/** What a session keeps beside its messages: its conversations, its files, and how it rates answers. */
export interface SessionRecords extends Pick<
  EngineCalls,
  'startConversation' | 'renameConversation' | 'addAttachment' | 'rateAnswer'
> {
  /** Returns the row of a new conversation, the session's most recently used one. */
  begin(
    session: number,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly idempotency: IdempotencyDigest | undefined
      readonly at: number
    },
  ): number
  /** It becomes the session's most recently used one. */
  use(session: number, conversation: number, at: number): void
}

export function createSessionRecords({ db, sessions, texts }: RecordsParts): SessionRecords {
  // Use is counted: the clock may jump.
  const lastUsed = db.prepare(
    'SELECT id, used FROM conversations WHERE session = ? ORDER BY used DESC LIMIT 1',
  )
  const insert = db.prepare(`
    INSERT INTO conversations (key, session, assistant, title, titled_at, start_key, start_digest, used, created_at,
      last_used_at)
    VALUES (:key, :session, :assistant, :title, :at, :startKey, :startDigest, :used, :at, :at)`)
  const startedUnder = db.prepare(
    'SELECT key AS conversation, start_digest FROM conversations WHERE session = ? AND start_key = ?',
  )
  const count = db.prepare(
    'SELECT count(*) AS found FROM (SELECT 1 FROM conversations WHERE session = ? LIMIT ?)',
  )
  const use = db.prepare('UPDATE conversations SET last_used_at = ?, used = ? WHERE id = ?')
  const useAgain = db.prepare('UPDATE conversations SET last_used_at = ? WHERE id = ?')
  const rename = db.prepare(`
    UPDATE conversations SET title = ?, titled_at = ?
    WHERE id = (SELECT id FROM conversations WHERE key = ?) AND session = ?`)
  const find = findOwn(db, 'c', selectConversation, 'conversation')
  const insertAttachment = db.prepare(`
    INSERT INTO attachments
      (key, session, assistant, origin, account, upstream, name, media_type, bytes, created_at)
    VALUES (:key, :session, :assistant, :origin, :account, :upstream, :name, :mediaType, :bytes, :at)`)
  const findAnswer = findOwn(db, 'm', selectMessage, 'message', "AND m.role = 'ASSISTANT'")
  const setRating = db.prepare(
    'UPDATE messages SET rating = ? WHERE id = (SELECT id FROM messages WHERE key = ?)',
  )

  function told(id: ConversationId, session: number) {
    const found = find(id, session)
    return found && toConversation(found)
  }

  const self: SessionRecords = {
    begin(session, { id, assistantId, title = null, idempotency, at }) {
      const used = integer(lastUsed.get(session)?.['used'] ?? 0) + 1
      const { key: startKey = null, digest: startDigest = null } = idempotency ?? {}
      const key = { startKey, startDigest }
      const row = insert.run({ key: id, session, assistant: assistantId, title, ...key, at, used })
      return Number(row.lastInsertRowid)
    },
    use(session, conversation, at) {
      const last = lastUsed.get(session)
      // Its place in the index stays the same where it is the last one already.
      if (last?.['id'] === conversation) useAgain.run(at, conversation)
      else use.run(at, integer(last?.['used'] ?? 0) + 1, conversation)
    },
    startConversation({ sessionId, max, ...conversation }) {
      const { session } = sessions.get(sessionId)
      const { idempotency } = conversation
      const used = idempotency && startedUnder.get(session, idempotency.key)
      if (used !== undefined && used['start_digest'] !== idempotency?.digest) {
        return { type: 'key-reused' }
      }
      if (used === undefined) {
        if (integer(count.get(session, max)?.['found']) >= max) return { type: 'too-many' }
        self.begin(session, conversation)
      }
      const started = told(used === undefined ? conversation.id : conversationIdOf(used), session)
      if (started === undefined) throw new TypeError('a stored conversation is not there')
      return { type: 'started', conversation: started }
    },
    renameConversation({ sessionId, id, title, at }) {
      const { session } = sessions.get(sessionId)
      if (told(id, session) === undefined) return undefined
      rename.run(title, at, id, session)
      return told(id, session)
    },
    addAttachment({ sessionId, attachment: { scope, upstreamId, ...attachment } }) {
      const { session } = sessions.get(sessionId)
      const { id, assistantId, name, mediaType, bytes, createdAt } = attachment
      const file = { key: id, assistant: assistantId, name, mediaType, bytes, at: createdAt }
      insertAttachment.run({ session, ...scope, upstream: upstreamId, ...file })
      return attachment
    },
    rateAnswer({ sessionId, id, rating }) {
      const found = findAnswer(id, sessions.get(sessionId).session)
      if (found === undefined) return undefined
      setRating.run(rating, id)
      return { ...messageOf(found, texts), rating }
    },
  }
  return self
}
