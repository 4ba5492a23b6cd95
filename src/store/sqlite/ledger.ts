import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, Attachment, ConversationId, Session } from '../../domain.ts'
import type { Ledger } from '../ledger.ts'
import { createAccept, createConversations } from './accept.ts'
import { createActions } from './actions.ts'
import { integer, string, type Row } from './columns.ts'
import type { CommitPipe } from './commit.ts'
import { toStoreError } from './failure.ts'
import { createDeletion } from './deletion.ts'
import { createFinish } from './finish.ts'
import {
  conversationIdOf,
  selectConversation,
  selectMessage,
  toConversation,
  toMessage,
  toSession,
} from './rows.ts'
import type { RunningReplies } from './running.ts'
import type { Removal } from './removal.ts'
import { createRuns } from './runs.ts'
import type { SessionLogs } from './session-logs.ts'
import { createSessionStores } from './session-store.ts'
import type { Sweeper } from './sweeper.ts'

export interface LedgerParts {
  readonly db: DatabaseSync
  readonly epoch: number
  readonly pipe: CommitPipe
  readonly logs: SessionLogs
  readonly running: RunningReplies
  readonly removal: Removal
  readonly sweeper: Sweeper
}

export function createSqliteLedger(parts: LedgerParts): Ledger {
  const { db, epoch, pipe, logs, running, removal, sweeper } = parts
  const conversations = createConversations(db)
  const runs = createRuns(db, epoch, logs, running)
  const finish = createFinish(db, epoch, logs, running, runs)
  const accept = createAccept(db, logs, running, conversations, finish)
  const actions = createActions(db, epoch, logs, running)
  const deletion = createDeletion(db, logs, sweeper)
  const ofSession = '(SELECT id FROM sessions WHERE key = ?)'
  const rename = db.prepare(
    `UPDATE conversations SET title = ?, titled_at = ? WHERE +session = ${ofSession} AND key = ?`,
  )
  const findConversation = db.prepare(`${selectConversation} WHERE c.key = ?`)
  const rate = db.prepare(`
    UPDATE messages SET rating = ? WHERE +session = ${ofSession} AND key = ? AND role = 'ASSISTANT'`)
  const findMessage = db.prepare(`${selectMessage} WHERE m.key = ?`)
  const insertAttachment = db.prepare(`
    INSERT INTO attachments
      (key, session, assistant, origin, account, upstream, name, media_type, bytes, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const findSession = db.prepare(
    'SELECT id, key AS session_key, name AS session_name FROM sessions WHERE key = ?',
  )
  const insertSession = db.prepare(
    'INSERT INTO sessions (key, name, generation, created_at) VALUES (?, ?, 0, ?)',
  )
  const waiting = db.prepare(`
    SELECT DISTINCT s.key AS session_key, s.name AS session_name, c.key AS conversation, c.assistant
    FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = r.session
    WHERE r.ended_at IS NULL AND r.status = 'QUEUED'`)
  // What the upstream was told before, in the order in which it was told.
  const history = db.prepare(`
    WITH recent AS MATERIALIZED (
      SELECT p.id, p.answer FROM replies o
      JOIN sessions s ON s.id = o.session JOIN conversations c ON c.id = o.conversation
      JOIN replies p ON p.conversation = o.conversation AND p.session = o.session
      WHERE s.key = :session AND o.key = :reply AND p.run > c.cleared_run AND p.id <> o.id
        AND (o.run IS NULL OR p.run < o.run)
      ORDER BY p.run DESC LIMIT :limit
    )
    ${selectMessage}
    WHERE m.id IN (SELECT id FROM recent UNION ALL SELECT answer FROM recent)
    ORDER BY r.run DESC, m.id DESC LIMIT :limit`)

  function sessionRow(session: Session): Row {
    const row = findSession.get(session.id)
    if (row === undefined) throw new TypeError('the session was not opened')
    return row
  }

  function isWaiting(session: Session, conversationId: ConversationId): boolean {
    try {
      return runs.isWaiting(session, conversationId)
    } catch (error) {
      throw toStoreError(error)
    }
  }

  return {
    async openSession(id, name, at) {
      const found = findSession.get(id)
      if (found !== undefined) {
        await pipe.settled()
        return { session: toSession(found), isNew: false }
      }
      return pipe.durable(() => {
        // Another may have opened it in this very transaction.
        const other = findSession.get(id)
        if (other !== undefined) return { session: toSession(other), isNew: false }
        const session: Session = { id, name: name(0) }
        insertSession.run(id, session.name, at)
        return { session, isNew: true }
      })
    },
    session: createSessionStores(db, pipe, running),
    startConversation: (session, conversation) =>
      pipe.durable(() => {
        const owner = integer(sessionRow(session)['id'])
        if (conversations.count(owner, conversation.max) >= conversation.max) return undefined
        conversations.begin(owner, conversation)
        const begun = findConversation.get(conversation.id)
        if (begun === undefined)
          throw new TypeError('a conversation that was just stored is not there')
        return toConversation(begun)
      }),
    renameConversation: (session, id, title, at) =>
      pipe.durable(() => {
        if (Number(rename.run(title, at, session.id, id).changes) === 0) return undefined
        const found = findConversation.get(id)
        return found && toConversation(found)
      }),
    clearConversation: (session, id) => pipe.durable(() => deletion.clearConversation(session, id)),
    deleteConversation: (session, id) =>
      pipe.durable((transaction) => deletion.deleteConversation(session, id, transaction)),
    eraseSession: (session, name) =>
      pipe.durable((transaction) => deletion.eraseSession(session, name, transaction)),
    addAttachment: (session, { scope, upstreamId, ...attachment }) =>
      pipe.durable((): Attachment => {
        const { id, assistantId, name, mediaType, bytes, createdAt } = attachment
        const owner = integer(sessionRow(session)['id'])
        const { origin, account } = scope
        insertAttachment.run(
          id,
          owner,
          assistantId,
          origin,
          account,
          upstreamId,
          name,
          mediaType,
          bytes,
          createdAt,
        )
        return attachment
      }),
    rateAnswer: (session, id, rating) =>
      pipe.durable(() => {
        if (Number(rate.run(rating, session.id, id).changes) === 0) return undefined
        const found = findMessage.get(id)
        return found && toMessage(found)
      }),
    trimMessages: (writtenBefore) =>
      pipe.atomic((transaction) => {
        const count = removal.trimMessages(writtenBefore)
        if (count > 0) transaction.committed(() => sweeper.trimmed())
        return count
      }),
    accept: (session, request) =>
      pipe.durable((transaction) => accept(session, request, transaction)),
    async claim(session, conversationId, at) {
      // Asked after each reply, when mostly nothing waits: that costs no transaction.
      if (!isWaiting(session, conversationId)) return undefined
      return pipe.atomic((transaction) => runs.claim(session, conversationId, at, transaction))
    },
    requeue: (session, replyId, fence) =>
      pipe.atomic((transaction) => runs.requeue(session, replyId, fence, transaction)),
    bind: (session, replyId, fence, binding, at) =>
      pipe.durable(() => runs.bind(session, replyId, fence, binding, at)),
    recordIntent: (session, replyId, fence, options) =>
      pipe.durable((transaction) =>
        runs.recordIntent(session, replyId, fence, options, transaction),
      ),
    recordChat: (session, replyId, fence, chatId) =>
      pipe.durable(() => runs.recordChat(session, replyId, fence, chatId)),
    requireAction: (session, replyId, fence, action) =>
      pipe.durable((transaction) =>
        actions.requireAction(session, replyId, fence, action, transaction),
      ),
    takeToolOutputs: (session, replyId, outputs) =>
      pipe.durable(() => actions.takeToolOutputs(session, replyId, outputs)),
    finish: (session, request) =>
      pipe.durable((transaction) => finish(session, request, transaction)),
    orphans: () => pipe.durable((transaction) => runs.orphans(transaction)),
    async waiting() {
      const found = waiting.all().map((row) => ({
        session: toSession(row),
        conversationId: conversationIdOf(row),
        assistantId: string(row['assistant']) as AssistantId,
      }))
      await pipe.settled()
      return found
    },
    async history(session, replyId, limit) {
      const found = history
        .all({ session: session.id, reply: replyId, limit })
        .map(toMessage)
        .reverse()
      await pipe.settled()
      return found
    },
  }
}
