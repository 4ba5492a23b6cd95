import type { DatabaseSync } from 'node:sqlite'
import type { EngineCalls } from '../../main-half/calls.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'
import { integer } from '../../engine/columns.ts'
import { cut, findBounds, readSome, toPage } from '../../engine/pages.ts'
import { toConversation } from '../../engine/records.ts'
import { findOwn } from './columns.ts'
import { messageOf, selectConversation, selectMessage } from './rows.ts'

export interface PagesParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
}

/** The pages of a session's connections. */
export function createPages({
  db,
  sessions,
  texts,
}: PagesParts): Pick<EngineCalls, 'conversationPage' | 'messagePage'> {
  const conversationByRow = db.prepare(`${selectConversation} WHERE c.id = ? AND c.session = ?`)
  const conversationRow = findOwn(db, 'c', 'SELECT c.id, c.key, c.used FROM conversations c')
  const messageByRow = db.prepare(`${selectMessage} WHERE m.id = ? AND m.session = ?`)
  const messageRow = findOwn(db, 'm', 'SELECT m.id, m.key, m.conversation FROM messages m')
  const ranges = (select: string, rank: string, scope: string) => {
    const inOrder = (order: string) =>
      db.prepare(
        `${select} WHERE ${scope} = ? AND ${rank} > ? AND ${rank} < ? ORDER BY ${rank} ${order} LIMIT ?`,
      )
    return { rising: inOrder('ASC'), falling: inOrder('DESC') }
  }
  const conversationRange = ranges('SELECT id, used FROM conversations', 'used', 'session')
  const messageRange = ranges('SELECT id FROM messages', 'id', 'conversation')

  return {
    conversationPage({ sessionId, page }) {
      const session = sessions.find(sessionId)?.session ?? 0
      const bounds = findBounds(page, (id) => {
        const found = sessions.row(conversationRow, sessionId, id)
        return found && integer(found.row['used'])
      })
      if (bounds === undefined) return undefined
      // Most recently used first: what comes after a row was used before it.
      let { after: high = maxRow, before: low = 0 } = bounds
      const { rising, falling } = conversationRange
      const isForward = page.direction === 'forward'
      for (;;) {
        const rows = (isForward ? falling : rising).all(session, low, high, page.limit + 1)
        const { isCut, inPage } = cut(page, rows)
        const conversations = inPage.flatMap(({ id }) => {
          const row = conversationByRow.get(integer(id), session)
          return row === undefined ? [] : [toConversation(row)]
        })
        if (conversations.length > 0 || !isCut) return toPage(page, conversations, isCut)
        // All of them are damaged: whoever walks over the pages must come past them.
        const last = integer(inPage.at(-1)?.['used'])
        if (isForward) high = last
        else low = last
      }
    },

    messagePage({ sessionId, conversationId, page }) {
      const found = sessions.row(conversationRow, sessionId, conversationId)
      if (found === undefined) return undefined
      const { session } = found
      const conversation = integer(found.row['id'])
      const bounds = findBounds(page, (id) => {
        const bound = sessions.row(messageRow, sessionId, id)?.row
        return bound?.['conversation'] === conversation ? integer(bound['id']) : undefined
      })
      if (bounds === undefined) return undefined
      let { after: low = 0, before: high = maxRow } = bounds
      const { rising, falling } = messageRange
      const isForward = page.direction === 'forward'
      for (;;) {
        const rows = (isForward ? rising : falling).all(conversation, low, high, page.limit + 1)
        const { isCut, inPage } = cut(page, rows)
        const read = readSome(inPage, ({ id }) => {
          const row = messageByRow.get(integer(id), session)
          return row?.['conversation'] === conversationId ? messageOf(row, texts) : undefined
        })
        const isShort = read.length < inPage.length
        const messages = read.filter((message) => message !== undefined)
        if (messages.length > 0 || !isCut) return toPage(page, messages, isCut || isShort)
        // As above.
        const last = integer(inPage.at(-1)?.['id'])
        if (isForward) low = last
        else high = last
      }
    },
  }
}

const maxRow = Number.MAX_SAFE_INTEGER
