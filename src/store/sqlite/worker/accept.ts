import type { DatabaseSync } from 'node:sqlite'
import type { MessageId, Reply, ReplyId } from '../../../domain.ts'
import type { NewId } from '../../../lib/id.ts'
import type { AcceptRequest } from '../../ledger.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { SessionRecords } from './records.ts'
import type { Claims } from './claims.ts'
import type { SessionRow, SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { firstWords, fromExtras, mayBegin } from '../../engine/accepting.ts'
import { integer, string } from '../../engine/columns.ts'
import { replyIdOf } from '../../engine/records.ts'
import { type Row, findOwn } from './columns.ts'
import { replyOf, selectReply } from './rows.ts'

export interface AcceptParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
  readonly records: SessionRecords
  readonly claims: Claims
  readonly finish: EngineCalls['finish']
  readonly newId: NewId
}

export function createAccept(parts: AcceptParts): EngineCalls['accept'] {
  const { db, sessions, texts, records, claims, finish, newId } = parts
  // A key of a deleted conversation is as free as if it were gone already.
  const findKey = db.prepare(`
    SELECT i.digest, i.reply FROM idempotency i
    JOIN replies r ON r.id = i.reply AND r.session = i.session
    JOIN conversations c ON c.id = r.conversation AND c.session = r.session
    WHERE i.session = ? AND i.key = ?`)
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const columns =
    'c.id, c.key, c.assistant, c.first_words, c.origin, c.account, c.strategy, c.upstream, c.reset_pending'
  const findConversation = findOwn(db, 'c', `SELECT ${columns} FROM conversations c`)
  const findLatest = db.prepare(`
    SELECT ${columns} FROM conversations c
    WHERE c.session = :session AND c.id = (
      SELECT id FROM conversations WHERE session = :session AND assistant = :assistant ORDER BY used DESC LIMIT 1)`)
  const openIn = db.prepare(`
    SELECT key AS reply, status, rank FROM replies
    WHERE session = ? AND conversation = ? AND ended_at IS NULL ORDER BY rank`)
  const countOpen = db.prepare(
    'SELECT count(*) AS open FROM replies WHERE session = ? AND ended_at IS NULL',
  )
  const attachmentsOf = db.prepare(`
    SELECT f.origin, f.account FROM attachments f
    WHERE f.key IN (SELECT value FROM json_each(?)) AND +f.session = ? AND f.assistant = ? AND f.forgotten = 0`)
  const useAttachments = db.prepare(
    'UPDATE attachments SET used_at = ? WHERE key IN (SELECT value FROM json_each(?))',
  )
  const setFirstWords = db.prepare(
    'UPDATE conversations SET first_words = ?, first_message = ? WHERE id = ?',
  )
  const insertMessage = db.prepare(`
    INSERT INTO messages (key, session, conversation, role, attachments, images_length, created_at)
    VALUES (?, ?, ?, 'USER', ?, ?, ?)`)
  const insertReply = db.prepare(`
    INSERT INTO replies (id, key, session, conversation, status, rank, created_at)
    VALUES (?, ?, ?, ?, 'QUEUED', ?, ?)`)
  const insertKey = db.prepare(
    'INSERT OR REPLACE INTO idempotency (session, key, digest, reply) VALUES (?, ?, ?, ?)',
  )
  const setInterrupted = db.prepare(
    'UPDATE replies SET interrupted = 1 WHERE id = (SELECT id FROM replies WHERE key = ?) AND session = ?',
  )

  function replyAt(row: number): Reply {
    const found = findReply.get(row)
    if (found === undefined) throw new TypeError('a reply that was just stored is not there')
    return replyOf(found, texts)
  }

  function conversationFor({ session }: SessionRow, request: AcceptRequest): Row | undefined {
    const { conversationId } = request
    if (conversationId === undefined) {
      const assistant = request.assistantId ?? request.defaultAssistantId
      return findLatest.get({ session, assistant })
    }
    return findConversation(conversationId, session)
  }

  /** Cancels replies that wait, each with its event. */
  function overtake(owner: SessionRow, waiting: readonly ReplyId[], at: number): readonly Reply[] {
    return waiting.flatMap((replyId) => {
      const outcome = finish({
        sessionId: owner.sessionId,
        replyId,
        event: { type: 'cancelled', upstreamCancelled: false },
        text: undefined,
        answerId: newId() as MessageId,
        resetUpstream: false,
        upstreamMessageId: undefined,
        explanation: undefined,
        owesCancel: undefined,
        at,
      })
      if (outcome.type !== 'finished' || outcome.texts === undefined) return []
      const { answer: text, reasoning } = outcome.texts
      return [{ ...outcome.reply, text, reasoning }]
    })
  }

  return function accept({ sessionId, request }) {
    const owner = sessions.get(sessionId)
    const { session } = owner
    const { idempotency, at } = request
    const used = idempotency && findKey.get(session, idempotency.key)
    if (used !== undefined) {
      return string(used['digest']) === idempotency?.digest
        ? { type: 'repeated', reply: replyAt(integer(used['reply'])) }
        : { type: 'key-reused' }
    }

    const wanted = request.assistantId ?? request.defaultAssistantId
    const found = conversationFor(owner, request)
    if (found === undefined && request.conversationId !== undefined) {
      return { type: 'conversation-not-found' }
    }
    if (found !== undefined && found['assistant'] !== (request.assistantId ?? found['assistant'])) {
      return { type: 'other-assistant' }
    }

    const { attachmentIds } = request
    const names = attachmentIds.length === 0 ? null : JSON.stringify(attachmentIds)
    const assistant = found === undefined ? wanted : string(found['assistant'])
    const attachments = names === null ? [] : attachmentsOf.all(names, session, assistant)
    if (attachments.length !== new Set(attachmentIds).size) return { type: 'attachment-not-found' }

    const others = found === undefined ? [] : openIn.all(session, integer(found['id']))
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
    const open = integer(countOpen.get(session)?.['open']) - waiting.length
    if (open >= request.maxOpen) return { type: 'too-many-open' }
    const interrupts = interrupted === undefined ? undefined : replyIdOf(interrupted)
    if (interrupts !== undefined) setInterrupted.run(interrupts, session)
    const overtaken = overtake(owner, waiting, at)

    const conversation =
      found === undefined
        ? records.begin(session, {
            id: request.newConversationId,
            assistantId: wanted,
            title: undefined,
            idempotency: undefined,
            at,
          })
        : integer(found['id'])
    if (found !== undefined) records.use(session, conversation, at)
    const { messageId, text, imageUrls } = request
    const images = imageUrls.length === 0 ? '' : JSON.stringify(imageUrls)
    const row = Number(
      insertMessage.run(messageId, session, conversation, names, images.length, at).lastInsertRowid,
    )
    texts.write(row, 'message', 0, text)
    const extras = images + fromExtras(request.extras)
    if (extras !== '') texts.write(row, 'extras', 0, extras)
    if ((found?.['first_words'] ?? null) === null) {
      setFirstWords.run(firstWords(text), row, conversation)
    }
    if (names !== null) useAttachments.run(at, names)
    const ranks = others.map((other) => integer(other['rank']))
    const rank = isInterrupt ? Math.min(0, ...ranks) - 1 : Math.max(0, ...ranks) + 1
    insertReply.run(row, request.replyId, session, conversation, rank, at)
    if (idempotency !== undefined) insertKey.run(session, idempotency.key, idempotency.digest, row)

    const isIdle = found !== undefined && others.length === 0
    const run =
      isIdle && mayBegin(found, attachments, request.begin)
        ? claims.begin(owner, row, at)
        : undefined
    const reply = run === undefined ? replyAt(row) : { ...run.claim.reply, text: '', reasoning: '' }
    return { type: 'accepted', reply, interrupts, overtaken, run }
  }
}
