import type { DatabaseSync } from 'node:sqlite'
import type { Page, PageRequest } from '../../session-store.ts'
import type { EngineCalls } from '../../main-half/calls.ts'
import { selectConversation, selectMessage, toConversation, toMessage } from './rows.ts'
import { integer, type Row, findOwn } from './columns.ts'
import type { SessionRows } from './sessions.ts'
import type { Texts } from './texts.ts'

export interface PagesParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly texts: Texts
}

/** Code units of texts after which a call reads no further row: it holds up whatever is posted behind it. */
const maxReadLength = 131_072

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
  const conversationRange = ranges('SELECT id FROM conversations', 'used', 'session')
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
      const { after: high, before: low } = bounds
      const { rising, falling } = conversationRange
      const statement = page.direction === 'forward' ? falling : rising
      const rows = statement.all(session, low ?? 0, high ?? maxRow, page.limit + 1)
      const { isCut, inPage } = cut(page, rows)
      const conversations = inPage.flatMap(({ id }) => {
        const row = conversationByRow.get(integer(id), session)
        return row === undefined ? [] : [toConversation(row)]
      })
      return toPage(page, conversations, isCut)
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
      const { after: low, before: high } = bounds
      const { rising, falling } = messageRange
      const statement = page.direction === 'forward' ? rising : falling
      const rows = statement.all(conversation, low ?? 0, high ?? maxRow, page.limit + 1)
      const { isCut, inPage } = cut(page, rows)
      const read = readSome(inPage, ({ id }) => {
        const row = messageByRow.get(integer(id), session)
        return row?.['conversation'] === conversationId ? toMessage(row, texts) : undefined
      })
      const isShort = read.length < inPage.length
      const messages = read.filter((message) => message !== undefined)
      return toPage(page, messages, isCut || isShort)
    },
  }
}

const maxRow = Number.MAX_SAFE_INTEGER

function findBounds<Id>(
  page: PageRequest<Id>,
  find: (id: Id) => number | undefined,
): { readonly after: number | undefined; readonly before: number | undefined } | undefined {
  const after = page.after === undefined ? undefined : find(page.after)
  const before = page.before === undefined ? undefined : find(page.before)
  const isUnknown =
    (page.after !== undefined && after === undefined) ||
    (page.before !== undefined && before === undefined)
  return isUnknown ? undefined : { after, before }
}

/** `rows` are one more than asked for when there are more. */
function cut<Id>({ limit }: PageRequest<Id>, rows: readonly Row[]) {
  return { isCut: rows.length > limit, inPage: rows.slice(0, limit) }
}

/** `rows` run in the page's direction; `hasMore`: there are more beyond the last of them. */
function toPage<Id, T>(page: PageRequest<Id>, rows: readonly T[], hasMore: boolean): Page<T> {
  const isForward = page.direction === 'forward'
  // The row that bounds the page lies beyond it.
  return {
    rows: isForward ? rows : rows.toReversed(),
    hasNextPage: isForward ? hasMore || page.before !== undefined : page.before !== undefined,
    hasPreviousPage: isForward ? page.after !== undefined : hasMore || page.after !== undefined,
  }
}

interface WithText {
  readonly text: string
  readonly reasoning?: string
  readonly imageUrls?: readonly string[]
}

/** What is found of the first of `ids`, at least of one, until there is text enough for one call. */
export function readSome<Id, T extends WithText | undefined>(
  ids: readonly Id[],
  find: (id: Id) => T,
): readonly T[] {
  const rows: T[] = []
  let length = 0
  for (const id of ids) {
    const row = find(id)
    rows.push(row)
    const { text = '', reasoning = '', imageUrls = [] } = row ?? {}
    length += text.length + reasoning.length + imageUrls.join('').length
    if (length >= maxReadLength) break
  }
  return rows
}
