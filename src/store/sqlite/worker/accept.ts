import type { DatabaseSync } from 'node:sqlite'
import type {
  AssistantId,
  ConversationId,
  MessageExtras,
  MessageId,
  Reply,
  ReplyId,
  Session,
} from '../../domain.ts'
import type { AcceptOutcome, AcceptRequest } from '../ledger.ts'
import { integer, string } from './columns.ts'
import type { Transaction } from './commit.ts'
import type { createFinish } from './finish.ts'
import { isHighSurrogate } from '../../lib/surrogate.ts'
import { replyIdOf, selectReply, toReply } from './rows.ts'
import type { RunningReplies } from './running.ts'
import type { SessionLogs } from './session-logs.ts'

export interface Conversations {
  /** How many conversations a session has, counted up to a number. */
  count(sessionRow: number, atMost: number): number
  /** Answers the row of a new conversation, the session's most recently used one. */
  begin(
    sessionRow: number,
    conversation: {
      readonly id: ConversationId
      readonly assistantId: AssistantId
      readonly title: string | undefined
      readonly at: number
    },
  ): number
}

export function createConversations(db: DatabaseSync): Conversations {
  const insert = db.prepare(`
    INSERT INTO conversations (key, session, assistant, title, titled_at, used, created_at, last_used_at)
    VALUES (:key, :session, :assistant, :title, :at, ${nextUse(':session')}, :at, :at)`)
  const count = db.prepare(
    'SELECT count(*) AS found FROM (SELECT 1 FROM conversations WHERE session = ? LIMIT ?)',
  )
  return {
    count: (session, atMost) => integer(count.get(session, atMost)?.['found']),
    begin: (session, { id, assistantId, title = null, at }) =>
      Number(insert.run({ key: id, session, assistant: assistantId, title, at }).lastInsertRowid),
  }
}

/** Use is counted per session: the clock may jump. */
const nextUse = (session: string) =>
  `(SELECT coalesce(max(o.used), 0) + 1 FROM conversations o WHERE o.session = ${session})`

export function createAccept(
  db: DatabaseSync,
  logs: SessionLogs,
  running: RunningReplies,
  conversations: Conversations,
  finish: ReturnType<typeof createFinish>,
) {
  const findSession = db.prepare('SELECT id FROM sessions WHERE key = ?')
  // A key of a deleted conversation is as free as if it were gone already.
  const findKey = db.prepare(`
    SELECT i.digest, i.reply FROM idempotency i
    JOIN replies r ON r.id = i.reply JOIN conversations c ON c.id = r.conversation
    WHERE i.session = ? AND i.key = ?`)
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const findConversation = db.prepare(
    'SELECT id, assistant, first_words FROM conversations WHERE session = ? AND key = ?',
  )
  const findLatest = db.prepare(
    'SELECT id, assistant, first_words FROM conversations WHERE session = ? AND assistant = ? ORDER BY used DESC LIMIT 1',
  )
  const openIn = db.prepare(
    'SELECT key AS reply, status, rank FROM replies WHERE conversation = ? AND ended_at IS NULL ORDER BY rank',
  )
  const countOpen = db.prepare(
    'SELECT count(*) AS open FROM replies WHERE session = ? AND ended_at IS NULL',
  )
  const countAttachments = db.prepare(`
    SELECT count(*) AS found FROM attachments
    WHERE +session = ? AND assistant = ? AND forgotten = 0 AND key IN (SELECT value FROM json_each(?))`)
  const useAttachments = db.prepare(
    'UPDATE attachments SET used_at = ? WHERE key IN (SELECT value FROM json_each(?))',
  )
  const setFirstWords = db.prepare(
    'UPDATE conversations SET first_words = ?, first_message = ? WHERE id = ?',
  )
  const use = db.prepare(`
    UPDATE conversations SET last_used_at = ?, used = ${nextUse('conversations.session')} WHERE id = ?`)
  const insertMessage = db.prepare(`
    INSERT INTO messages (key, session, conversation, role, text, attachments, extras, created_at)
    VALUES (?, ?, ?, 'USER', ?, ?, ?, ?)`)
  const insertReply = db.prepare(`
    INSERT INTO replies (id, key, session, conversation, status, rank, created_at)
    VALUES (?, ?, ?, ?, 'QUEUED', ?, ?)`)
  const insertKey = db.prepare(
    'INSERT OR REPLACE INTO idempotency (session, key, digest, reply) VALUES (?, ?, ?, ?)',
  )
  const deleteKey = db.prepare('DELETE FROM idempotency WHERE session = ? AND key = ?')
  const deleteReply = db.prepare('DELETE FROM replies WHERE id = ?')
  const deleteMessage = db.prepare('DELETE FROM messages WHERE id = ?')
  const deleteConversation = db.prepare('DELETE FROM conversations WHERE id = ?')
  const setInterrupted = db.prepare('UPDATE replies SET interrupted = ? WHERE key = ?')
  const queueAgain = db.prepare(`
    UPDATE replies SET status = 'QUEUED', first_event = NULL, last_event = NULL, ended_at = NULL WHERE key = ?`)
  const deleteEvent = db.prepare(`
    DELETE FROM events WHERE (session, place) = (SELECT session, last_event FROM replies WHERE key = ?)`)

  function replyAt(row: number) {
    const found = findReply.get(row)
    if (found === undefined) throw new TypeError('a reply that was just stored is not there')
    return toReply(found, running)
  }

  /** Cancels replies that wait, each with its event. */
  function overtake(
    session: Session,
    waiting: readonly ReplyId[],
    at: number,
    transaction: Transaction,
  ): readonly Reply[] {
    return waiting.flatMap((replyId) => {
      const outcome = finish(
        session,
        {
          replyId,
          fence: undefined,
          event: { type: 'cancelled', upstreamCancelled: false },
          // Only a completed reply has an answer.
          answerId: '' as MessageId,
          resetUpstream: false,
          upstreamMessageId: undefined,
          explanation: undefined,
          at,
        },
        transaction,
      )
      return outcome.type === 'finished' ? [outcome.reply] : []
    })
  }

  function undoOvertaking(session: Session, overtaken: readonly Reply[]): void {
    for (const { id } of overtaken) {
      deleteEvent.run(id)
      queueAgain.run(id)
      logs.find(session.id)?.withdraw(id)
    }
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

    const { attachmentIds } = request
    const names = attachmentIds.length === 0 ? null : JSON.stringify(attachmentIds)
    if (names !== null) {
      const assistant = found === undefined ? wanted : string(found['assistant'])
      const known = countAttachments.get(sessionRow, assistant, names)?.['found']
      if (known !== new Set(attachmentIds).size) return { type: 'attachment-not-found' }
    }

    const others = found === undefined ? [] : openIn.all(integer(found['id']))
    if (request.onBusy === 'REJECT' && others.length > 0) return { type: 'busy' }
    const isInterrupt = request.onBusy === 'INTERRUPT'
    const interrupted = isInterrupt
      ? others.find((other) => other['status'] !== 'QUEUED')
      : undefined
    const waiting = isInterrupt
      ? others.filter((other) => other['status'] === 'QUEUED').map(replyIdOf)
      : []
    // One of the open ones runs or is about to; those that are cancelled make room.
    if (!isInterrupt && others.length > request.maxQueued) return { type: 'queue-full' }
    const open = integer(countOpen.get(sessionRow)?.['open']) - waiting.length
    if (open >= request.maxOpen) return { type: 'too-many-open' }
    const interrupts =
      interrupted === undefined ? undefined : (replyIdOf(interrupted) satisfies ReplyId)
    if (interrupts !== undefined) setInterrupted.run(1, interrupts)
    const overtaken = overtake(session, waiting, at, transaction)

    const conversation =
      found === undefined
        ? conversations.begin(sessionRow, {
            id: request.newConversationId,
            assistantId: wanted,
            title: undefined,
            at,
          })
        : integer(found['id'])
    if (found !== undefined) use.run(at, conversation)
    const { messageId, text, extras } = request
    const row = Number(
      insertMessage.run(messageId, sessionRow, conversation, text, names, toColumn(extras), at)
        .lastInsertRowid,
    )
    const isFirst = (found?.['first_words'] ?? null) === null
    if (isFirst) setFirstWords.run(firstWords(text), row, conversation)
    if (names !== null) useAttachments.run(at, names)
    const ranks = others.map((other) => integer(other['rank']))
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
      else if (isFirst) setFirstWords.run(null, null, conversation)
      if (interrupts !== undefined) setInterrupted.run(0, interrupts)
      undoOvertaking(session, overtaken)
    })

    return { type: 'accepted', reply: replyAt(row), interrupts, overtaken }
  }
}

const maxFirstWords = 80

/** A title for who has given none: the beginning of the first message, on one line. */
function firstWords(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= maxFirstWords) return line
  const cut = isHighSurrogate(line.charCodeAt(maxFirstWords - 1))
    ? maxFirstWords - 1
    : maxFirstWords
  return line.slice(0, cut)
}

/** Mostly there are none, and nothing is stored. */
function toColumn(extras: MessageExtras): string | null {
  const isEmpty =
    Object.keys(extras.parameters).length === 0 && Object.keys(extras.metadata).length === 0
  return isEmpty ? null : JSON.stringify(extras)
}
