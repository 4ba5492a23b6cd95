import type { DatabaseSync } from 'node:sqlite'
import type { ConversationId, SessionId } from '../../../domain.ts'
import type { AnswerOrigin, Page, PageRequest } from '../../ledger.ts'
import type { WorkerCalls } from '../calls.ts'
import type { Bindings } from './bindings.ts'
import { integer, jsonOrNull, string, type Row } from './columns.ts'
import { type FindOwn, findOwn } from './own-rows.ts'
import {
  assistantIdOf,
  conversationIdOf,
  selectAttachment,
  selectConversation,
  selectMessage,
  selectReply,
  statusOf,
  toAttachment,
  toBinding,
  toConversation,
  toMessage,
  toReply,
  toSession,
} from './rows.ts'
import type { Sessions } from './sessions.ts'
import type { Texts } from './texts.ts'

/** Code units of texts after which a call reads no further row: it holds up whatever is posted behind it. */
const maxReadLength = 131_072

export interface ReadsParts {
  readonly db: DatabaseSync
  readonly sessions: Sessions
  readonly texts: Texts
  readonly bindings: Bindings
}

type Reads = Pick<
  WorkerCalls,
  | 'conversations'
  | 'messages'
  | 'replies'
  | 'replyState'
  | 'attachments'
  | 'openReplies'
  | 'tookToolOutputs'
  | 'hadChat'
  | 'answerOrigin'
  | 'upstreamConversations'
  | 'conversationPage'
  | 'messagePage'
  | 'history'
  | 'waiting'
>

/** The reads of one session: every row is found by its key and belongs, by its own columns, to the session that asks. */
export function createReads({ db, sessions, texts, bindings }: ReadsParts): Reads {
  const byRow = (select: string, alias: string) =>
    db.prepare(`${select} WHERE ${alias}.id = ? AND ${alias}.session = ?`)
  const conversationByKey = findOwn(db, 'c', selectConversation, 'conversation')
  const conversationByRow = byRow(selectConversation, 'c')
  const conversationRow = findOwn(
    db,
    'c',
    'SELECT c.id, c.key, c.used, c.messages_trimmed FROM conversations c',
  )
  const messageByKey = findOwn(db, 'm', selectMessage, 'message')
  const messageByRow = byRow(selectMessage, 'm')
  const messageRow = findOwn(db, 'm', 'SELECT m.id, m.key, m.conversation FROM messages m')
  const replyByKey = findOwn(db, 'r', selectReply, 'reply')
  const replyByRow = byRow(selectReply, 'r')
  const attachmentByKey = findOwn(db, 'f', selectAttachment, 'attachment', 'AND f.forgotten = 0')
  const replyState = findOwn(
    db,
    'r',
    `SELECT r.id, r.key, c.key AS conversation, r.status, r.tool_outputs
     FROM replies r JOIN conversations c ON c.id = r.conversation AND c.session = r.session`,
  )
  const openReplies = db.prepare(`
    SELECT id FROM replies
    WHERE session = :session AND (:conversation IS NULL OR conversation = :conversation) AND ended_at IS NULL
    ORDER BY rank`)
  const findSource = findOwn(
    db,
    'm',
    `SELECT m.key, m.source, c.assistant FROM messages m
     JOIN conversations c ON c.id = m.conversation AND c.session = m.session`,
  )
  const findChat = db.prepare(
    'SELECT 1 FROM replies WHERE conversation = ? AND started_seq IS NOT NULL AND chat = ? LIMIT 1',
  )
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
  const ranges = (select: string, rank: string, scope: string) => {
    const inOrder = (order: string) =>
      db.prepare(
        `${select} WHERE ${scope} = ? AND ${rank} > ? AND ${rank} < ? ORDER BY ${rank} ${order} LIMIT ?`,
      )
    return { rising: inOrder('ASC'), falling: inOrder('DESC') }
  }
  const conversationRange = ranges('SELECT id FROM conversations', 'used', 'session')
  const messageRange = ranges('SELECT id FROM messages', 'id', 'conversation')

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

  function rowIn(
    find: FindOwn,
    sessionId: SessionId,
    id: string,
  ): { readonly session: number; readonly row: Row } | undefined {
    const session = sessions.find(sessionId)?.session
    const row = session === undefined ? undefined : find(id, session)
    return session === undefined || row === undefined ? undefined : { session, row }
  }

  return {
    conversations: (args) => args.ids.map(pick(conversationByKey, args, toConversation)),
    messages: (args) =>
      readSome(
        args.ids,
        pick(messageByKey, args, (row) => toMessage(row, texts)),
      ),
    replies: (args) =>
      readSome(
        args.ids,
        pick(replyByKey, args, (row) => toReply(row, texts)),
      ),
    attachments: (args) =>
      args.ids.map(
        pick(attachmentByKey, args, (row) => {
          const { scope: _, upstreamId: __, ...attachment } = toAttachment(row)
          return attachment
        }),
      ),

    replyState({ sessionId, id }) {
      const found = rowIn(replyState, sessionId, id)
      return found && { conversationId: conversationIdOf(found.row), status: statusOf(found.row) }
    },

    openReplies({ sessionId, conversationId }) {
      const found =
        conversationId === undefined ? undefined : rowIn(conversationRow, sessionId, conversationId)
      if (conversationId !== undefined && found === undefined) return []
      const session = sessions.find(sessionId)?.session
      if (session === undefined) return []
      const conversation = found === undefined ? null : integer(found.row['id'])
      return openReplies.all({ session, conversation }).flatMap(({ id }) => {
        const row = replyByRow.get(integer(id), session)
        return row === undefined ? [] : [toReply(row, texts)]
      })
    },

    tookToolOutputs({ sessionId, replyId, digest }) {
      const found = rowIn(replyState, sessionId, replyId)
      return jsonOrNull<string[]>(found?.row['tool_outputs'])?.includes(digest) ?? false
    },

    hadChat({ sessionId, conversationId, chatId }) {
      const found = rowIn(conversationRow, sessionId, conversationId)
      if (found === undefined) return false
      return findChat.get(integer(found.row['id']), chatId) !== undefined
    },

    answerOrigin({ sessionId, id }) {
      const found = rowIn(findSource, sessionId, id)
      return found && toOrigin(found.row)
    },

    upstreamConversations({ sessionId, conversationId }) {
      const found = rowIn(conversationRow, sessionId, conversationId)
      return found === undefined ? [] : bindings.ofConversation(integer(found.row['id']))
    },

    conversationPage({ sessionId, page }) {
      const session = sessions.find(sessionId)?.session ?? 0
      const bounds = findBounds(page, (id) => {
        const found = rowIn(conversationRow, sessionId, id)
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
      const found = rowIn(conversationRow, sessionId, conversationId)
      if (found === undefined) return undefined
      const { session } = found
      const conversation = integer(found.row['id'])
      const bounds = findBounds(page, (id) => {
        const bound = rowIn(messageRow, sessionId, id)?.row
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
      const isTrimmed = found.row['messages_trimmed'] === 1
      return { ...toPage(page, messages, isCut || isShort), trimmed: isTrimmed }
    },

    waiting: () =>
      waiting.all().map((row) => ({
        session: toSession(row),
        conversationId: string(row['conversation']) as ConversationId,
        assistantId: assistantIdOf(row),
      })),

    history({ sessionId, replyId, limit }) {
      const found = rowIn(replyState, sessionId, replyId)
      if (found === undefined) return []
      const { session } = found
      const rows = history.all({ reply: integer(found.row['id']), limit })
      const messages = rows.flatMap(({ id, answer }) =>
        [answer, id].flatMap((row) => {
          const message = row === null ? undefined : messageByRow.get(integer(row), session)
          return message === undefined ? [] : [message]
        }),
      )
      return messages
        .slice(0, limit)
        .map((row) => toMessage(row, texts))
        .reverse()
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

interface WithText {
  readonly text: string
  readonly reasoning?: string
}

/** What the first of `ids` find, until there is text enough for one call; at least of one. */
function readSome<Id, T extends WithText>(
  ids: readonly Id[],
  find: (id: Id) => T | undefined,
): readonly (T | undefined)[] {
  const rows: (T | undefined)[] = []
  let length = 0
  for (const id of ids) {
    const row = find(id)
    rows.push(row)
    length += (row?.text.length ?? 0) + (row?.reasoning?.length ?? 0)
    if (length >= maxReadLength) break
  }
  return rows
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

function toOrigin(row: Row): AnswerOrigin | undefined {
  const source = jsonOrNull<Readonly<Record<string, string>>>(row['source'])
  const upstream = source === null ? undefined : toBinding(source)
  if (upstream === undefined) return undefined
  return {
    assistantId: assistantIdOf(row),
    upstream,
    upstreamMessageId: string(source?.['message']),
  }
}
