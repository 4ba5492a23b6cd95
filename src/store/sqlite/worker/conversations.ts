import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, ConversationId } from '../../../domain.ts'
import type { WorkerCalls } from '../calls.ts'
import { integer } from './columns.ts'
import { findOwn } from './own-rows.ts'
import { selectConversation, toConversation } from './rows.ts'
import type { Sessions } from './sessions.ts'

export interface Conversations extends Pick<
  WorkerCalls,
  'startConversation' | 'renameConversation'
> {
  /** Answers the row of a new conversation, the session's most recently used one. */
  begin(
    session: number,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly at: number
    },
  ): number
  /** It becomes the session's most recently used one. */
  use(session: number, conversation: number, at: number): void
}

export function createConversations(db: DatabaseSync, sessions: Sessions): Conversations {
  // Use is counted: the clock may jump.
  const lastUsed = db.prepare(
    'SELECT id, used FROM conversations WHERE session = ? ORDER BY used DESC LIMIT 1',
  )
  const insert = db.prepare(`
    INSERT INTO conversations (key, session, assistant, title, titled_at, used, created_at, last_used_at)
    VALUES (:key, :session, :assistant, :title, :at, :used, :at, :at)`)
  const count = db.prepare(
    'SELECT count(*) AS found FROM (SELECT 1 FROM conversations WHERE session = ? LIMIT ?)',
  )
  const use = db.prepare('UPDATE conversations SET last_used_at = ?, used = ? WHERE id = ?')
  const useAgain = db.prepare('UPDATE conversations SET last_used_at = ? WHERE id = ?')
  const rename = db.prepare(`
    UPDATE conversations SET title = ?, titled_at = ?
    WHERE id = (SELECT id FROM conversations WHERE key = ?) AND session = ?`)
  const find = findOwn(db, 'c', selectConversation, 'conversation')

  function told(id: ConversationId, session: number) {
    const found = find(id, session)
    return found && toConversation(found)
  }

  const self: Conversations = {
    begin(session, { id, assistantId, title = null, at }) {
      const used = integer(lastUsed.get(session)?.['used'] ?? 0) + 1
      const row = insert.run({ key: id, session, assistant: assistantId, title, at, used })
      return Number(row.lastInsertRowid)
    },
    use(session, conversation, at) {
      const last = lastUsed.get(session)
      // Its place in the index stays the same where it is the last one already.
      if (last?.['id'] === conversation) useAgain.run(at, conversation)
      else use.run(at, integer(last?.['used'] ?? 0) + 1, conversation)
    },
    startConversation({ sessionId, id, assistantId, title, at, max }) {
      const { session } = sessions.get(sessionId)
      if (integer(count.get(session, max)?.['found']) >= max) return undefined
      self.begin(session, { id, assistantId, title, at })
      const begun = told(id, session)
      if (begun === undefined)
        throw new TypeError('a conversation that was just stored is not there')
      return begun
    },
    renameConversation({ sessionId, id, title, at }) {
      const { session } = sessions.get(sessionId)
      if (told(id, session) === undefined) return undefined
      rename.run(title, at, id, session)
      return told(id, session)
    },
  }
  return self
}
