import type { NewId } from '../../lib/id.ts'
import { integer, type StoredRow, rowOf, rowsOf } from '../engine/columns.ts'
import { toOwedWork } from '../engine/owed-work.ts'
import { assistantIdOf, toUpstreamAccount } from '../engine/records.ts'
import type { EngineCalls, ResultOf } from '../main-half/calls.ts'
import type { OwedCall, OwedWork } from '../outbox.ts'
import { selectBindings, toBindings } from './bindings.ts'
import type { AsyncCalls } from './calls.ts'
import { owe, selectOwed } from './outbox.ts'
import type { SessionWrite } from './session-write.ts'
import type { Sessions } from './sessions.ts'
import { row, rows, sql, raw } from './sql.ts'

export type Deletion = Pick<
  EngineCalls,
  'clearConversation' | 'deleteConversation' | 'eraseSession'
>

/**
 * Deletes conversations and sessions at once, however much they hold: their other rows are left to the sweeper. Bindings
 * stay, as tombstones, and what is owed to the platform for it is written with it.
 *
 * @param onDeleted called when rows were left
 */
export function createDeletion(
  sessions: Sessions,
  newId: NewId,
  onDeleted: () => void,
): AsyncCalls<Deletion> {
  const find = (id: string) =>
    row(sql`
      SELECT c.id, c.assistant, c.upstream, ${rows(selectBindings(false))} AS bindings,
        EXISTS (SELECT FROM replies r WHERE r.session = c.session AND r.conversation = c.id AND r.ended_at IS NULL)::int
          AS open,
        coalesce((SELECT max(r.started_seq) FROM replies r
          WHERE r.session = c.session AND r.conversation = c.id AND r.started_seq IS NOT NULL), 0) AS last_started
      FROM conversations c WHERE c.session = s.id AND c.key = ${id}`)

  /** The deletion of every upstream conversation that they ever had, and that was not owed before. */
  const deletionsOf = (conversations: readonly StoredRow[]) =>
    conversations.flatMap((one) =>
      toBindings(one['bindings']).map((upstream): OwedCall => ({
        type: 'delete-conversation',
        assistantId: assistantIdOf(one),
        upstream,
      })),
    )

  function oweDeletions(
    write: SessionWrite,
    conversation: StoredRow,
    at: number,
  ): readonly OwedWork[] {
    const owed = owe(write, deletionsOf([conversation]), newId, at)
    const where = sql`conversation = ${integer(conversation['id'])}`
    if (owed.length > 0) write.update('bindings', { deletion_owed: 1 }, where)
    return owed
  }

  return {
    clearConversation({ sessionId, id, at }, context) {
      return sessions.change(
        sessionId,
        { conversation: find(id) },
        (found, write) => {
          const conversation = rowOf(found['conversation'])
          if (conversation === null) return { type: 'not-found' }
          if (conversation['open'] !== 0) return { type: 'busy' }
          const owed = oweDeletions(write, conversation, at)
          const columns = {
            origin: null,
            account: null,
            strategy: null,
            upstream: null,
            generation: raw('generation + CASE WHEN upstream IS NULL THEN 0 ELSE 1 END'),
            reset_pending: 0,
            cleared_seq: integer(conversation['last_started']),
          }
          write.update('conversations', columns, sql`id = ${integer(conversation['id'])}`)
          return { type: 'cleared', owed }
        },
        context,
      )
    },

    async deleteConversation({ sessionId, id, at }, context) {
      const outcome = await sessions.change<ResultOf<'deleteConversation'>>(
        sessionId,
        { conversation: find(id) },
        (found, write) => {
          const conversation = rowOf(found['conversation'])
          if (conversation === null) return { type: 'not-found' }
          if (conversation['open'] !== 0) return { type: 'busy' }
          const owed = oweDeletions(write, conversation, at)
          const number = integer(conversation['id'])
          leave(write, [number], at)
          return { type: 'deleted', owed }
        },
        context,
      )
      if (outcome.type === 'deleted') onDeleted()
      return outcome
    },

    async eraseSession({ sessionId, generation, name, at }, context) {
      const outcome = await sessions.change<ResultOf<'eraseSession'>>(
        sessionId,
        {
          open: sql`EXISTS (SELECT FROM replies r WHERE r.session = s.id AND r.ended_at IS NULL)::int`,
          conversations: rows(sql`
            SELECT c.id, c.assistant, ${rows(selectBindings(false))} AS bindings FROM conversations c
            WHERE c.session = s.id ORDER BY c.id`),
          messages: sql`(
            SELECT count(*) FROM conversations c JOIN messages m ON m.session = c.session AND m.conversation = c.id
            WHERE c.session = s.id)`,
          attachments: sql`(SELECT count(*) FROM attachments f WHERE f.session = s.id)`,
          // The assistant of a conversation that is gone is not known any more.
          accounts: rows(sql`
            SELECT DISTINCT b.origin, b.account, b.strategy, c.assistant
            FROM bindings b LEFT JOIN conversations c ON c.session = b.session AND c.id = b.conversation
            WHERE b.session = s.id ORDER BY c.assistant NULLS FIRST, b.origin, b.account, b.strategy`),
          owed: rows(selectOwed),
        },
        (found, write) => {
          if (write.generation + 1 !== generation) {
            return { type: 'other-generation', generation: write.generation + 1 }
          }
          if (found['open'] !== 0) return { type: 'busy' }
          const owed = rowsOf(found['owed']).map(toOwedWork)
          const accounts = rowsOf(found['accounts'])
          const conversations = rowsOf(found['conversations'])
          const clears = accounts.map((account): OwedCall => ({
            type: 'clear-variables',
            assistantId: account['assistant'] === null ? null : assistantIdOf(account),
            account: toUpstreamAccount(account),
          }))
          owed.push(...owe(write, [...clears, ...deletionsOf(conversations)], newId, at))
          write.update('bindings', { deletion_owed: 1 }, sql`deletion_owed = 0`)
          leave(
            write,
            conversations.map((one) => integer(one['id'])),
            at,
          )
          write.remove('attachments', sql`true`)
          write.set({ name, generation })
          return {
            type: 'erased',
            erased: {
              conversations: conversations.length,
              messages: integer(found['messages']),
              attachments: integer(found['attachments']),
              hasSpoken: accounts.length > 0,
              owed,
            },
          }
        },
        context,
      )
      if (outcome.type === 'erased') onDeleted()
      return outcome
    },
  }
}

/** Deletes conversations of the session alone: what has no conversation is read by nobody. */
function leave(write: SessionWrite, conversations: readonly number[], at: number): void {
  const ids = [...conversations]
  write.set({ deleted_at: sql`coalesce(deleted_at, ${at})` })
  write.remove('conversations', sql`id = ANY(${ids}::int[])`)
  write.add(sql`
    INSERT INTO deletions (session, conversation) SELECT owner, unnest(${ids}::int[]) FROM guard`)
}
