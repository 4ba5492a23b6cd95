import type { AssistantId, ConversationId } from '../../domain.ts'
import { integer, type StoredRow, rowOf } from '../engine/columns.ts'
import { toConversation } from '../engine/records.ts'
import type { IdempotencyDigest } from '../ledger.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { AsyncCalls } from './calls.ts'
import { messageOf, selectConversation, selectMessage } from './rows.ts'
import type { SessionWrite } from './session-write.ts'
import type { Sessions } from './sessions.ts'
import { type Columns, row, sql } from './sql.ts'

/** The session's most recently used conversation, for `beginConversation` and `useConversation`. */
export const findLast = row(
  sql`SELECT id, used FROM conversations WHERE session = s.id ORDER BY used DESC LIMIT 1`,
)

// Use is counted: the clock may jump.
const lastUsed = (found: StoredRow) => rowOf(found['last'])

/** Returns the number of a new conversation, the session's most recently used one. */
export function beginConversation(
  write: SessionWrite,
  found: StoredRow,
  conversation: {
    readonly id: ConversationId
    readonly assistantId: AssistantId
    readonly title: string | undefined
    readonly idempotency: IdempotencyDigest | undefined
    readonly at: number
    readonly words: Columns
  },
): number {
  const { id: key, assistantId, title, idempotency, at, words } = conversation
  const id = write.nextRow()
  write.insert('conversations', {
    id,
    key,
    assistant: assistantId,
    title: title ?? null,
    titled_at: at,
    start_key: idempotency?.key ?? null,
    start_digest: idempotency?.digest ?? null,
    used: integer(lastUsed(found)?.['used'] ?? 0) + 1,
    created_at: at,
    last_used_at: at,
    ...words,
  })
  return id
}

/** It becomes the session's most recently used one. */
export function useConversation(
  write: SessionWrite,
  found: StoredRow,
  conversation: number,
  at: number,
  also: Columns,
): void {
  const last = lastUsed(found)
  // Its place in the index stays the same where it is the last one already.
  const used = last?.['id'] === conversation ? {} : { used: integer(last?.['used'] ?? 0) + 1 }
  write.changeConversation(conversation, { last_used_at: at, ...used, ...also })
}

type ConversationCalls = Pick<
  EngineCalls,
  'startConversation' | 'renameConversation' | 'addAttachment' | 'rateAnswer'
>

/** What a session keeps beside its messages: its conversations, its files, and how it rates answers. */
export function createConversations(sessions: Sessions): AsyncCalls<ConversationCalls> {
  return {
    startConversation({ sessionId, max, ...conversation }, context) {
      const { idempotency } = conversation
      const find = {
        last: findLast,
        count: sql`(SELECT count(*) FROM (SELECT FROM conversations WHERE session = s.id LIMIT ${max}) c)`,
        used:
          idempotency === undefined
            ? sql`NULL::json`
            : row(sql`
                SELECT x.*, c.start_digest
                FROM (${selectConversation} WHERE c.session = s.id AND c.start_key = ${idempotency.key}) x
                JOIN conversations c ON c.session = s.id AND c.id = x.row`),
      }
      return sessions.change(
        sessionId,
        find,
        (found, write) => {
          const used = rowOf(found['used'])
          if (used !== null) {
            return used['start_digest'] === idempotency?.digest
              ? { type: 'started', conversation: toConversation(used) }
              : { type: 'key-reused' }
          }
          if (integer(found['count']) >= max) return { type: 'too-many' }
          beginConversation(write, found, { ...conversation, words: {} })
          const { id, assistantId, title = null, at } = conversation
          return {
            type: 'started',
            conversation: {
              id,
              assistantId,
              title,
              createdAt: at,
              lastUsedAt: at,
              used: integer(lastUsed(found)?.['used'] ?? 0) + 1,
            },
          }
        },
        context,
      )
    },

    renameConversation({ sessionId, id, title, at }, context) {
      return sessions.change(
        sessionId,
        {
          conversation: row(sql`
            SELECT x.*, c.first_words FROM (${selectConversation} WHERE c.session = s.id AND c.key = ${id}) x
            JOIN conversations c ON c.session = s.id AND c.id = x.row`),
        },
        (found, write) => {
          const stored = rowOf(found['conversation'])
          if (stored === null) return undefined
          const where = sql`id = ${integer(stored['row'])}`
          write.update('conversations', { title, titled_at: at }, where)
          return toConversation({ ...stored, title: title ?? stored['first_words'] })
        },
        context,
      )
    },

    addAttachment({ sessionId, attachment: { scope, upstreamId, ...attachment } }, context) {
      return sessions.change(
        sessionId,
        {},
        (_, write) => {
          const { id, assistantId, name, mediaType, bytes, createdAt } = attachment
          write.insert('attachments', {
            key: id,
            assistant: assistantId,
            ...scope,
            upstream: upstreamId,
            name,
            media_type: mediaType,
            bytes,
            created_at: createdAt,
          })
          return attachment
        },
        context,
      )
    },

    rateAnswer({ sessionId, id, rating }, context) {
      return sessions.change(
        sessionId,
        {
          answer: row(
            sql`${selectMessage} WHERE m.session = s.id AND m.key = ${id} AND m.role = 'ASSISTANT'`,
          ),
        },
        (found, write) => {
          const answer = rowOf(found['answer'])
          if (answer === null) return undefined
          write.update('messages', { rating }, sql`id = ${integer(answer['row'])}`)
          return { ...messageOf(answer), rating }
        },
        context,
      )
    },
  }
}
