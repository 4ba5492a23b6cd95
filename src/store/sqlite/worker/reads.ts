import type { DatabaseSync } from 'node:sqlite'
import type { ConversationId, ReplyExplanation, SessionId } from '../../../domain.ts'
import type { ReadCalls } from '../../main-half/calls.ts'
import type { Bindings } from './bindings.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer, integerOrNull, jsonOrNull, string } from '../../engine/columns.ts'
import { readSome } from '../../engine/pages.ts'
import {
  assistantIdOf,
  conversationIdOf,
  toAttachment,
  toConversation,
  toOpenReply,
  toOrigin,
  toSession,
} from '../../engine/records.ts'
import { type FindOwn, type Row, findOwn } from './columns.ts'
import {
  messageOf,
  replyOf,
  selectAttachment,
  selectConversation,
  selectMessage,
  selectReply,
} from './rows.ts'

export interface ReadsParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly bindings: Bindings
}

/** The reads of one session: every row is found by its key and belongs, by its own columns, to the session that asks. */
export function createReads({ db, sessions, texts, bindings }: ReadsParts): ReadCalls {
  const byRow = (select: string, alias: string) =>
    db.prepare(`${select} WHERE ${alias}.id = ? AND ${alias}.session = ?`)
  const conversationByKey = findOwn(db, 'c', selectConversation, 'conversation')
  const conversationRow = findOwn(db, 'c', 'SELECT c.id, c.key FROM conversations c')
  const messageByKey = findOwn(db, 'm', selectMessage, 'message')
  const messageByRow = byRow(selectMessage, 'm')
  const replyByKey = findOwn(db, 'r', selectReply, 'reply')
  const attachmentByKey = findOwn(db, 'f', selectAttachment, 'attachment', 'AND f.forgotten = 0')
  const replyState = findOwn(
    db,
    'r',
    `SELECT r.id, r.key, c.key AS conversation, r.ended_seq, r.tool_outputs
     FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session`,
  )
  const openReplies = db.prepare(`
    SELECT id FROM replies
    WHERE session = :session AND (:conversation IS NULL OR conversation = :conversation) AND ended_at IS NULL
    ORDER BY rank`)
  const openReply = byRow(
    `SELECT r.key AS reply, c.key AS conversation, c.assistant, r.status
     FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session`,
    'r',
  )
  const findSource = findOwn(
    db,
    'm',
    `SELECT m.key, m.source, c.assistant FROM messages m
     JOIN conversations c ON c.id = m.conversation AND c.session = m.session`,
  )
  const findChat = db.prepare(
    'SELECT 1 FROM replies WHERE conversation = ? AND started_seq IS NOT NULL AND chat = ? LIMIT 1',
  )
  const explanation = db.prepare('SELECT key, explanation FROM replies WHERE key = ?')
  const waiting = db.prepare(`
    SELECT DISTINCT s.key AS session_key, s.name AS session_name, c.key AS conversation, c.assistant
    FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = r.session
    WHERE r.ended_at IS NULL AND r.status = 'QUEUED'`)
  // What the upstream was told before, in the order in which it was told.
  const history = db.prepare(`
    SELECT p.id, p.answer FROM replies o JOIN conversations c ON c.id = o.conversation AND c.session = o.session
    JOIN replies p ON p.conversation = o.conversation
    WHERE o.id = :reply AND p.started_seq > c.cleared_seq AND p.id <> o.id
      AND p.started_seq < coalesce(o.started_seq, ${Number.MAX_SAFE_INTEGER})
    ORDER BY p.started_seq DESC LIMIT :limit`)
  /** What is found of each key. */
  function pick<T>(
    find: FindOwn,
    { sessionId }: { readonly sessionId: SessionId },
    parse: (row: Row) => T,
  ): (id: string) => T | undefined {
    const session = sessions.find(sessionId)?.session
    return (id) => {
      const row = session === undefined ? undefined : find(id, session)
      return row && parse(row)
    }
  }

  return {
    conversations: (args) => args.ids.map(pick(conversationByKey, args, toConversation)),
    messages: (args) =>
      readSome(
        args.ids,
        pick(messageByKey, args, (row) => messageOf(row, texts)),
      ),
    replies: (args) =>
      readSome(
        args.ids,
        pick(replyByKey, args, (row) => replyOf(row, texts)),
      ),
    attachments: (args) =>
      args.ids.map(
        pick(attachmentByKey, args, (row) => {
          const { scope: _, upstreamId: __, ...attachment } = toAttachment(row)
          return attachment
        }),
      ),

    replyState({ sessionId, id }) {
      const found = sessions.row(replyState, sessionId, id)
      if (found === undefined) return undefined
      const endedSeq = integerOrNull(found.row['ended_seq'] ?? null) ?? undefined
      return { conversationId: conversationIdOf(found.row), endedSeq }
    },

    openReplies({ sessionId, conversationId }) {
      const found =
        conversationId === undefined
          ? undefined
          : sessions.row(conversationRow, sessionId, conversationId)
      if (conversationId !== undefined && found === undefined) return []
      const session = sessions.find(sessionId)?.session
      if (session === undefined) return []
      const conversation = found === undefined ? null : integer(found.row['id'])
      return openReplies.all({ session, conversation }).flatMap(({ id }) => {
        const row = openReply.get(integer(id), session)
        return row === undefined ? [] : [toOpenReply(row)]
      })
    },

    tookToolOutputs({ sessionId, replyId, digest }) {
      const found = sessions.row(replyState, sessionId, replyId)
      return jsonOrNull<string[]>(found?.row['tool_outputs'])?.includes(digest) ?? false
    },

    hadChat({ sessionId, conversationId, chatId }) {
      const found = sessions.row(conversationRow, sessionId, conversationId)
      if (found === undefined) return false
      return findChat.get(integer(found.row['id']), chatId) !== undefined
    },

    answerOrigin({ sessionId, id }) {
      const found = sessions.row(findSource, sessionId, id)
      return found && toOrigin(found.row)
    },

    upstreamConversations({ sessionId, conversationId }) {
      const found = sessions.row(conversationRow, sessionId, conversationId)
      return found === undefined ? [] : bindings.ofConversation(integer(found.row['id']))
    },

    explanation({ id }) {
      const row = explanation.get(id)
      // A damaged index leads to no other reply.
      if (row?.['key'] !== id) return undefined
      return jsonOrNull<ReplyExplanation>(row['explanation'] ?? null) ?? undefined
    },

    waiting: () =>
      waiting.all().map((row) => ({
        session: toSession(row),
        conversationId: string(row['conversation']) as ConversationId,
        assistantId: assistantIdOf(row),
      })),

    history({ sessionId, replyId, limit }) {
      const found = sessions.row(replyState, sessionId, replyId)
      if (found === undefined) return []
      const { session } = found
      const rows = history.all({ reply: integer(found.row['id']), limit })
      const messages = rows
        .flatMap(({ id, answer }) => [answer, id])
        .map((row) => (row === null ? undefined : messageByRow.get(integer(row), session)))
        .filter((row) => row !== undefined)
      return readSome(messages.slice(0, limit), (row) => messageOf(row, texts)).toReversed()
    },
  }
}
