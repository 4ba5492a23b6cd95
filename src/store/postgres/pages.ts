import type { SessionId } from '../../domain.ts'
import { integer, integerOrNull, rowsOf } from '../engine/columns.ts'
import { cut, findBounds, toPage } from '../engine/pages.ts'
import { toConversation } from '../engine/records.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { PageRequest } from '../session-store.ts'
import type { AsyncCalls } from './calls.ts'
import { countReadable, messageLength } from './reads.ts'
import { messageOf, selectConversation, selectMessage } from './rows.ts'
import type { Sessions } from './sessions.ts'
import { rows, type Sql, sql, raw } from './sql.ts'

const maxRank = 2 ** 31 - 1

/** The pages of a session's connections. */
export function createPages(
  sessions: Sessions,
): AsyncCalls<Pick<EngineCalls, 'conversationPage' | 'messagePage'>> {
  /** The ranks of the rows that bound a page, and whether the connection itself is there. */
  async function boundsOf<Id extends string>(
    sessionId: SessionId,
    page: PageRequest<Id>,
    rank: (id: Id) => Sql,
    connection: Sql,
  ) {
    const of = (id: Id | undefined) => (id === undefined ? sql`NULL::int` : rank(id))
    const found = await sessions.read(sessionId, {
      connection,
      after: of(page.after),
      before: of(page.before),
    })
    const number = integerOrNull(found?.['connection'] ?? null)
    const bounds = findBounds(page, (id) => {
      const name = id === page.after ? 'after' : 'before'
      return integerOrNull(found?.[name] ?? null) ?? undefined
    })
    return { number, bounds }
  }

  return {
    async conversationPage({ sessionId, page }) {
      const rank = (id: string) =>
        sql`(SELECT c.used FROM conversations c WHERE c.session = s.id AND c.key = ${id})`
      const { bounds } = await boundsOf(sessionId, page, rank, sql`1`)
      if (bounds === undefined) return undefined
      // Most recently used first: what comes after a row was used before it.
      const { after: high = maxRank, before: low = 0 } = bounds
      const order = raw(page.direction === 'forward' ? 'DESC' : 'ASC')
      const found = await sessions.read(sessionId, {
        rows: rows(sql`
          ${selectConversation} WHERE c.session = s.id AND c.used > ${low} AND c.used < ${high}
          ORDER BY c.used ${order} LIMIT ${page.limit + 1}`),
      })
      const { isCut, inPage } = cut(page, rowsOf(found?.['rows']))
      return toPage(page, inPage.map(toConversation), isCut)
    },

    async messagePage({ sessionId, conversationId, page }) {
      const conversation = sql`
        (SELECT c.id FROM conversations c WHERE c.session = s.id AND c.key = ${conversationId})`
      const rank = (id: string) => sql`(
        SELECT m.id FROM messages m WHERE m.session = s.id AND m.key = ${id} AND m.conversation = ${conversation})`
      const { number, bounds } = await boundsOf(sessionId, page, rank, conversation)
      if (number === null || bounds === undefined) return undefined
      const { after: low = 0, before: high = maxRank } = bounds
      const order = raw(page.direction === 'forward' ? 'ASC' : 'DESC')
      const found = await sessions.read(sessionId, {
        rows: rows(sql`
          SELECT m.id, ${messageLength} AS length FROM messages m
          JOIN replies r ON r.session = m.session AND r.id = m.reply
          WHERE m.session = s.id AND m.conversation = ${number} AND m.id > ${low} AND m.id < ${high}
          ORDER BY m.id ${order} LIMIT ${page.limit + 1}`),
      })
      const { isCut, inPage } = cut(page, rowsOf(found?.['rows']))
      const some = inPage.slice(0, countReadable(inPage.map((one) => integer(one['length']))))
      const numbers = some.map((one) => integer(one['id']))
      const read = await sessions.read(sessionId, {
        messages: rows(sql`
          ${selectMessage} WHERE m.session = s.id AND m.conversation = ${number} AND m.id = ANY(${numbers}::int[])
          ORDER BY m.id ${order}`),
      })
      const messages = rowsOf(read?.['messages']).map(messageOf)
      return toPage(page, messages, isCut || some.length < inPage.length)
    },
  }
}
