import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, ConversationId, ReplyId, Session } from '../../domain.ts'
import type { AcceptOutcome, AcceptRequest } from '../ledger.ts'
import { integer, string } from './columns.ts'
import type { Transaction } from './commit.ts'
import { replyIdOf, selectReply, toReply } from './rows.ts'
import type { RunningReplies } from './running.ts'

export interface Conversations {
  /** Answers the row of a new conversation, the session's most recently used one. */
  begin(
    sessionRow: number,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly at: number
    },
  ): number
}

export function createConversations(db: DatabaseSync): Conversations {
  const insert = db.prepare(`
    INSERT INTO conversations (key, session, assistant, used, created_at, last_used_at)
    VALUES (:key, :session, :assistant, ${nextUse(':session')}, :at, :at)`)
  return {
    begin: (session, { id, assistantId, at }) =>
      Number(insert.run({ key: id, session, assistant: assistantId, at }).lastInsertRowid),
  }
}

/** Use is counted per session: the clock may jump. */
const nextUse = (session: string) =>
  `(SELECT coalesce(max(used), 0) + 1 FROM conversations WHERE session = ${session})`

export function createAccept(
  db: DatabaseSync,
  running: RunningReplies,
  conversations: Conversations,
) {
  const findSession = db.prepare('SELECT id FROM sessions WHERE key = ?')
  const findKey = db.prepare('SELECT digest, reply FROM idempotency WHERE session = ? AND key = ?')
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const findConversation = db.prepare(
    'SELECT id, assistant FROM conversations WHERE session = ? AND key = ?',
  )
  const findLatest = db.prepare(
    'SELECT id, assistant FROM conversations WHERE session = ? AND assistant = ? ORDER BY used DESC LIMIT 1',
  )
  const open = db.prepare(
    'SELECT key AS reply, status, rank FROM replies WHERE conversation = ? AND ended_at IS NULL ORDER BY rank',
  )
  const use = db.prepare(`
    UPDATE conversations SET last_used_at = ?, used = ${nextUse('conversations.session')} WHERE id = ?`)
  const insertMessage = db.prepare(`
    INSERT INTO messages (key, session, conversation, role, text, created_at) VALUES (?, ?, ?, 'USER', ?, ?)`)
  const insertReply = db.prepare(`
    INSERT INTO replies (id, key, session, conversation, status, rank, created_at)
    VALUES (?, ?, ?, ?, 'QUEUED', ?, ?)`)
  const insertKey = db.prepare(
    'INSERT INTO idempotency (session, key, digest, reply) VALUES (?, ?, ?, ?)',
  )
  const deleteKey = db.prepare('DELETE FROM idempotency WHERE session = ? AND key = ?')
  const deleteReply = db.prepare('DELETE FROM replies WHERE id = ?')
  const deleteMessage = db.prepare('DELETE FROM messages WHERE id = ?')
  const deleteConversation = db.prepare('DELETE FROM conversations WHERE id = ?')

  function replyAt(row: number) {
    const found = findReply.get(row)
    if (found === undefined) throw new TypeError('a reply that was just stored is not there')
    return toReply(found, running)
  }

  return function accept(
    session: Session,
    request: AcceptRequest,
    transaction: Transaction,
  ): AcceptOutcome {
    const sessionRow = integer(findSession.get(session.id)?.['id'])
    const { idempotency, at } = request
    const used = idempotency && findKey.get(sessionRow, idempotency.key)
    if (used !== undefined) {
      return string(used['digest']) === idempotency?.digest
        ? { type: 'repeated', reply: replyAt(integer(used['reply'])) }
        : { type: 'key-reused' }
    }

    const wanted = request.assistantId ?? request.defaultAssistantId
    const found =
      request.conversationId === undefined
        ? findLatest.get(sessionRow, wanted)
        : findConversation.get(sessionRow, request.conversationId)
    if (found === undefined && request.conversationId !== undefined) {
      return { type: 'conversation-not-found' }
    }
    if (found !== undefined && found['assistant'] !== (request.assistantId ?? found['assistant'])) {
      return { type: 'other-assistant' }
    }

    const others = found === undefined ? [] : open.all(integer(found['id']))
    if (request.onBusy === 'REJECT' && others.length > 0) return { type: 'busy' }
    // One of the open ones runs or is about to.
    if (others.length > request.maxQueued) return { type: 'queue-full' }

    const conversation =
      found === undefined
        ? conversations.begin(sessionRow, {
            id: request.newConversationId,
            assistantId: wanted,
            at,
          })
        : integer(found['id'])
    if (found !== undefined) use.run(at, conversation)
    const row = Number(
      insertMessage.run(request.messageId, sessionRow, conversation, request.text, at)
        .lastInsertRowid,
    )
    const ranks = others.map((other) => integer(other['rank']))
    const isInterrupt = request.onBusy === 'INTERRUPT'
    const rank = isInterrupt ? Math.min(0, ...ranks) - 1 : Math.max(0, ...ranks) + 1
    insertReply.run(row, request.replyId, sessionRow, conversation, rank, at)
    if (idempotency !== undefined) {
      insertKey.run(sessionRow, idempotency.key, idempotency.digest, row)
    }
    transaction.undo(() => {
      if (idempotency !== undefined) deleteKey.run(sessionRow, idempotency.key)
      deleteReply.run(row)
      deleteMessage.run(row)
      if (found === undefined) deleteConversation.run(conversation)
    })

    const interrupted = isInterrupt
      ? others.find((other) => other['status'] === 'RUNNING')
      : undefined
    return {
      type: 'accepted',
      reply: replyAt(row),
      interrupts:
        interrupted === undefined ? undefined : (replyIdOf(interrupted) satisfies ReplyId),
    }
  }
}
