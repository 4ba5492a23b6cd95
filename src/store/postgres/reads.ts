import type { ReplyExplanation, SessionId } from '../../domain.ts'
import {
  integer,
  integerOrNull,
  jsonOrNull,
  type StoredRow,
  rowOf,
  rowsOf,
} from '../engine/columns.ts'
import {
  conversationIdOf,
  toAttachment,
  toConversation,
  toOpenReply,
  toOrigin,
} from '../engine/records.ts'
import { maxReadLength } from '../engine/pages.ts'
import type { EngineCalls, ReadCalls } from '../main-half/calls.ts'
import { selectBindings, toBindings } from './bindings.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import {
  storedLength,
  messageOf,
  replyOf,
  selectAttachment,
  selectConversation,
  selectMessage,
  selectReply,
} from './rows.ts'
import type { Sessions } from './sessions.ts'
import { row, rows, type Sql, sql } from './sql.ts'

/** UTF-8 bytes of what a message `m` of the reply `r` says, without reading it. */
export const messageLength = sql`
  CASE m.role WHEN 'USER' THEN octet_length(m.text) + coalesce(octet_length(m.images), 0) ELSE ${storedLength('answer')} END`

/** The first of some lengths, as many as one call reads; at least one. */
export function countReadable(lengths: readonly number[]): number {
  let read = 0
  for (const [index, length] of lengths.entries()) {
    read += length
    if (read >= maxReadLength) return index + 1
  }
  return lengths.length
}

/** The reads of one session. */
export function createReads(
  db: Database,
  sessions: Sessions,
): AsyncCalls<Omit<ReadCalls, 'waiting'> & Pick<EngineCalls, 'isHeld'>> {
  /** What is found of each key, in the order of the keys. */
  async function pick<T>(
    sessionId: SessionId,
    keys: readonly string[],
    column: string,
    select: Sql,
    parse: (found: StoredRow) => T,
  ): Promise<readonly (T | undefined)[]> {
    const found = await sessions.read(sessionId, { found: rows(select) })
    const byKey = new Map(rowsOf(found?.['found'])?.map((one) => [one[column], one]))
    return keys.map((key) => {
      const one = byKey.get(key)
      return one && parse(one)
    })
  }

  /** As many of the first keys as have texts enough for one call. */
  async function readable<Id extends string>(
    sessionId: SessionId,
    keys: readonly Id[],
    lengths: (keys: readonly Id[]) => Sql,
  ): Promise<readonly Id[]> {
    if (keys.length < 2) return keys
    const found = await sessions.read(sessionId, { lengths: rows(lengths(keys)) })
    const byKey = new Map(
      rowsOf(found?.['lengths'])?.map((one) => [one['key'], integer(one['length'])]),
    )
    return keys.slice(0, countReadable(keys.map((key) => byKey.get(key) ?? 0)))
  }

  const is = (key: string) => sql`= ${key}`
  const any = (keys: readonly string[]) => sql`= ANY(${[...keys]}::text[])`

  return {
    conversations: ({ sessionId, ids }) =>
      pick(
        sessionId,
        ids,
        'conversation',
        sql`${selectConversation} WHERE c.session = s.id AND c.key ${any(ids)}`,
        toConversation,
      ),

    async messages({ sessionId, ids }) {
      const some = await readable(
        sessionId,
        ids,
        (keys) => sql`
          SELECT m.key, ${messageLength} AS length FROM messages m
          JOIN replies r ON r.session = m.session AND r.id = m.reply
          WHERE m.session = s.id AND m.key ${any(keys)}`,
      )
      const select = sql`${selectMessage} WHERE m.session = s.id AND m.key ${any(some)}`
      return pick(sessionId, some, 'message', select, messageOf)
    },

    async replies({ sessionId, ids }) {
      const some = await readable(
        sessionId,
        ids,
        (keys) => sql`
          SELECT r.key, ${storedLength('answer')} + ${storedLength('reasoning')} AS length FROM replies r
          WHERE r.session = s.id AND r.key ${any(keys)}`,
      )
      return pick(
        sessionId,
        some,
        'reply',
        sql`${selectReply} WHERE r.session = s.id AND r.key ${any(some)}`,
        replyOf,
      )
    },

    attachments: ({ sessionId, ids }) =>
      pick(
        sessionId,
        ids,
        'attachment',
        sql`${selectAttachment} WHERE f.session = s.id AND f.forgotten = 0 AND f.key ${any(ids)}`,
        (found) => {
          const { scope: _, upstreamId: __, ...attachment } = toAttachment(found)
          return attachment
        },
      ),

    async replyState({ sessionId, id }) {
      const found = await sessions.read(sessionId, { reply: findReply(is(id)) })
      const reply = rowOf(found?.['reply'])
      if (reply === null) return undefined
      const endedSeq = integerOrNull(reply['ended_seq'] ?? null) ?? undefined
      return { conversationId: conversationIdOf(reply), endedSeq }
    },

    async isHeld({ sessionId, replyId, fence }) {
      const found = await sessions.read(sessionId, {
        held: sql`EXISTS (
          SELECT FROM replies r WHERE r.session = s.id AND r.key = ${replyId} AND r.fence = ${fence})::int`,
      })
      return found?.['held'] === 1
    },

    async openReplies({ sessionId, conversationId }) {
      const found = await sessions.read(sessionId, {
        replies: rows(sql`
          SELECT r.key AS reply, c.key AS conversation, c.assistant, r.status
          FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
          WHERE r.session = s.id AND r.ended_at IS NULL
            ${conversationId === undefined ? sql`` : sql`AND c.key = ${conversationId}`}
          ORDER BY r.rank`),
      })
      return rowsOf(found?.['replies']).map(toOpenReply)
    },

    async tookToolOutputs({ sessionId, replyId, digest }) {
      const found = await sessions.read(sessionId, { reply: findReply(is(replyId)) })
      const reply = rowOf(found?.['reply'])
      return jsonOrNull<string[]>(reply?.['tool_outputs'])?.includes(digest) ?? false
    },

    async hadChat({ sessionId, conversationId, chatId }) {
      const found = await sessions.read(sessionId, {
        had: sql`EXISTS (
          SELECT FROM conversations c JOIN replies r ON r.session = c.session AND r.conversation = c.id
          WHERE c.session = s.id AND c.key = ${conversationId} AND r.started_seq IS NOT NULL AND r.chat = ${chatId})::int`,
      })
      return found?.['had'] === 1
    },

    async answerOrigin({ sessionId, id }) {
      const found = await sessions.read(sessionId, {
        message: row(sql`
          SELECT m.source, c.assistant FROM messages m
          JOIN conversations c ON c.session = m.session AND c.id = m.conversation
          WHERE m.session = s.id AND m.key = ${id}`),
      })
      const message = rowOf(found?.['message'])
      return message === null ? undefined : toOrigin(message)
    },

    async upstreamConversations({ sessionId, conversationId }) {
      const found = await sessions.read(sessionId, {
        conversation: row(sql`
          SELECT ${rows(selectBindings(true))} AS bindings FROM conversations c
          WHERE c.session = s.id AND c.key = ${conversationId}`),
      })
      const conversation = rowOf(found?.['conversation'])
      return toBindings(conversation?.['bindings'] ?? [])
    },

    async explanation({ id }) {
      const [found] = await db.query(sql`
        SELECT r.explanation FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
        WHERE r.key = ${id}`)
      return jsonOrNull<ReplyExplanation>(found?.['explanation']) ?? undefined
    },

    async history({ sessionId, replyId, limit }) {
      // What the upstream was told before, in the order in which it was told.
      const told = sql`
        SELECT p.id, p.answer, p.session, p.started_seq FROM replies o
        JOIN conversations c ON c.session = o.session AND c.id = o.conversation
        JOIN replies p ON p.session = o.session AND p.conversation = o.conversation
        WHERE o.session = s.id AND o.key = ${replyId} AND p.started_seq > c.cleared_seq AND p.id <> o.id
          AND p.started_seq < coalesce(o.started_seq, ${2 ** 31 - 1}::int)
        ORDER BY p.started_seq DESC LIMIT ${limit}`
      const found = await sessions.read(sessionId, {
        lengths: rows(sql`
          SELECT m.id, ${messageLength} AS length FROM (${told}) p
          JOIN messages m ON m.session = p.session AND m.id IN (p.id, p.answer)
          JOIN replies r ON r.session = m.session AND r.id = m.reply
          ORDER BY p.started_seq DESC, m.role LIMIT ${limit}`),
      })
      const lengths = rowsOf(found?.['lengths'])
      const some = lengths.slice(0, countReadable(lengths.map((one) => integer(one['length']))))
      const numbers = some.map((one) => integer(one['id']))
      const read = await sessions.read(sessionId, {
        messages: rows(
          sql`${selectMessage} WHERE m.session = s.id AND m.id = ANY(${numbers}::int[])`,
        ),
      })
      const messages = rowsOf(read?.['messages'])
      return numbers
        .flatMap((number) => messages.filter((one) => one['row'] === number))
        .map(messageOf)
        .toReversed()
    },
  }
}

function findReply(key: Sql): Sql {
  return row(sql`
    SELECT c.key AS conversation, r.ended_seq, r.tool_outputs
    FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    WHERE r.session = s.id AND r.key ${key}`)
}
