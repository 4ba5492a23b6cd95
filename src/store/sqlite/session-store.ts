import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type {
  AssistantId,
  AttachmentId,
  ConversationId,
  MessageId,
  ReplyId,
  Session,
} from '../../domain.ts'
import { createTurns } from '../../lib/turns.ts'
import type { AnswerOrigin, MessagePage, Page, PageRequest, SessionStore } from '../ledger.ts'
import { integer, jsonOrNull, string, type Row } from './columns.ts'
import type { CommitPipe } from './commit.ts'
import { selectBinding } from './deletion.ts'
import {
  conversationIdOf,
  selectAttachment,
  selectConversation,
  selectMessage,
  selectMessageRow,
  selectReply,
  statusOf,
  toAttachment,
  toBinding,
  toConversation,
  toMessage,
  toReply,
} from './rows.ts'
import type { RunningReplies } from './running.ts'

/**
 * Code units of texts after which a read takes no further row: SQLite reads, and converts, all of a row on the event loop,
 * and a row may have megabytes.
 */
const maxReadLength = 131_072

/** Code units that are read in one turn of the event loop, and one row more. */
const lengthPerTurn = 131_072

/** The reads of one session; every statement names the session that the returned object was made for. */
export function createSessionStores(
  db: DatabaseSync,
  pipe: CommitPipe,
  running: RunningReplies,
): (session: Session) => SessionStore {
  const turns = createTurns(lengthPerTurn)
  const ofSession = (alias: string) => `${alias}.session = (SELECT id FROM sessions WHERE key = ?)`
  const byKeys = (select: string, alias: string, also = '') =>
    db.prepare(
      // By their keys: a session may have many more than were asked for.
      `${select} WHERE +${ofSession(alias)} AND ${alias}.key IN (SELECT value FROM json_each(?)) ${also}`,
    )
  const conversationsByKeys = byKeys(selectConversation, 'c')
  const byKey = (select: string, alias: string) =>
    db.prepare(`${select} WHERE +${ofSession(alias)} AND ${alias}.key = ?`)
  const messageByKey = byKey(selectMessage, 'm')
  const replyByKey = byKey(selectReply, 'r')
  const messageByRow = db.prepare(`${selectMessage} WHERE m.id = ?`)
  const findConversation = db.prepare(
    `SELECT c.id, c.trimmed, c.used FROM conversations c WHERE ${ofSession('c')} AND c.key = ?`,
  )
  const replyState = db.prepare(`
    SELECT c.key AS conversation, r.status FROM replies r JOIN conversations c ON c.id = r.conversation
    WHERE +${ofSession('r')} AND r.key = ?`)
  const attachmentsByKeys = byKeys(selectAttachment, 'f', 'AND f.forgotten = 0')
  const openReplies = db.prepare(`
    ${selectReply} WHERE ${ofSession('r')} AND r.ended_at IS NULL AND (?2 IS NULL OR c.key = ?2) ORDER BY r.rank`)
  const findSource = db.prepare(`
    SELECT m.source, c.assistant FROM messages m JOIN conversations c ON c.id = m.conversation
    WHERE ${ofSession('m')} AND m.key = ? AND m.source IS NOT NULL`)
  const findToolOutputs = db.prepare(`
    SELECT 1 FROM replies r, json_each(r.tool_outputs) o WHERE ${ofSession('r')} AND r.key = ? AND o.value = ?`)
  const bindingsOf = db.prepare(selectBinding)
  const findChat = db.prepare(
    'SELECT 1 FROM replies WHERE conversation = ? AND run IS NOT NULL AND chat = ? LIMIT 1',
  )
  const findMessage = db.prepare(`SELECT id FROM messages WHERE conversation = ? AND key = ?`)
  const ranges = (select: string, rank: string, scope: string) => {
    const inOrder = (order: string) =>
      db.prepare(
        `${select} WHERE ${scope} AND ${rank} > ? AND ${rank} < ? ORDER BY ${rank} ${order} LIMIT ?`,
      )
    return { rising: inOrder('ASC'), falling: inOrder('DESC') }
  }
  const conversationRange = ranges(selectConversation, 'c.used', ofSession('c'))
  const messageRange = ranges(selectMessageRow, 'm.id', 'm.conversation = ?')

  /** What was read may be committed and not yet on disk: then it is told when it is. */
  async function told<T>(value: T): Promise<T> {
    await pipe.settled()
    return value
  }

  function pick<T>(
    statement: StatementSync,
    session: Session,
    ids: readonly string[],
    key: string,
    parse: (row: Row) => T,
  ): Promise<readonly (T | undefined)[]> {
    const found = new Map<string, T>()
    for (const row of statement.all(session.id, JSON.stringify(ids))) {
      found.set(string(row[key]), parse(row))
    }
    return told(ids.map((id) => found.get(id)))
  }

  /** Reads long texts in turns: of those who come at once, each waits until this turn has room for it. */
  async function inTurn<T>(session: Session, read: () => T, lengthOf: (read: T) => number) {
    return await told(await turns.of(session.id).run(read, lengthOf))
  }

  /** As `pick`, row by row, until there is text enough for one read. */
  function pickSome<T extends WithText>(
    statement: StatementSync,
    session: Session,
    ids: readonly string[],
    parse: (row: Row) => T,
  ): Promise<readonly (T | undefined)[]> {
    const find = (id: string) => {
      const row = statement.get(session.id, id)
      return row && parse(row)
    }
    return inTurn(session, () => readSome(ids, find), textOf)
  }

  function conversationRow(session: Session, id: ConversationId): number | undefined {
    const row = findConversation.get(session.id, id)
    return row === undefined ? undefined : integer(row['id'])
  }

  function readMessages(
    session: Session,
    conversationId: ConversationId,
    page: PageRequest<MessageId>,
  ): MessagePage | undefined {
    const found = findConversation.get(session.id, conversationId)
    if (found === undefined) return undefined
    const conversation = integer(found['id'])
    const bounds = findBounds(page, (id) => {
      const row = findMessage.get(conversation, id)
      return row === undefined ? undefined : integer(row['id'])
    })
    if (bounds === undefined) return undefined
    const { after: low, before: high } = bounds
    const { rising, falling } = messageRange
    const statement = page.direction === 'forward' ? rising : falling
    const rows = statement.all(conversation, low ?? 0, high ?? maxRow, page.limit + 1)
    const { isCut, inPage } = cut(page, rows)
    const read = readSome(inPage, (row) => toMessage(rowOf(messageByRow, integer(row['row']))))
    const messages = toPage(page, read, isCut || read.length < inPage.length)
    return { ...messages, trimmed: found['trimmed'] === 1 }
  }

  function toOrigin(row: Row | undefined): AnswerOrigin | undefined {
    if (row === undefined) return undefined
    const source = jsonOrNull<Readonly<Record<string, string>>>(row['source'])
    const upstream = source === null ? undefined : toBinding(source)
    if (upstream === undefined) return undefined
    return {
      assistantId: string(row['assistant']) as AssistantId,
      upstream,
      upstreamMessageId: string(source?.['message']),
    }
  }

  /** Made for each request, and kept as long as a subscription runs: it holds its session and nothing else. */
  class Reads implements SessionStore {
    readonly session: Session
    constructor(session: Session) {
      this.session = session
    }

    conversations(ids: readonly ConversationId[]) {
      return pick(conversationsByKeys, this.session, ids, 'conversation', toConversation)
    }

    messages(ids: readonly MessageId[]) {
      return pickSome(messageByKey, this.session, ids, toMessage)
    }

    replies(ids: readonly ReplyId[]) {
      return pickSome(replyByKey, this.session, ids, (row) => toReply(row, running))
    }

    replyState(id: ReplyId) {
      const row = replyState.get(this.session.id, id)
      return told(row && { conversationId: conversationIdOf(row), status: statusOf(row) })
    }

    attachments(ids: readonly AttachmentId[]) {
      return pick(attachmentsByKeys, this.session, ids, 'attachment', (row) => {
        const { scope: _, upstreamId: __, ...attachment } = toAttachment(row)
        return attachment
      })
    }

    openReplies(conversationId: ConversationId | undefined) {
      const rows = openReplies.all(this.session.id, conversationId ?? null)
      return told(rows.map((row) => toReply(row, running)))
    }

    tookToolOutputs(replyId: ReplyId, digest: string) {
      return told(findToolOutputs.get(this.session.id, replyId, digest) !== undefined)
    }

    answerOrigin(id: MessageId) {
      return told(toOrigin(findSource.get(this.session.id, id)))
    }

    upstreamConversations(conversationId: ConversationId) {
      const conversation = conversationRow(this.session, conversationId)
      const rows = conversation === undefined ? [] : bindingsOf.all(conversation)
      return told(rows.flatMap((row) => toBinding(row) ?? []))
    }

    hadChat(conversationId: ConversationId, chatId: string) {
      const conversation = conversationRow(this.session, conversationId)
      const row = conversation === undefined ? undefined : findChat.get(conversation, chatId)
      return told(row !== undefined)
    }

    conversationPage(page: PageRequest<ConversationId>) {
      const { session } = this
      const bounds = findBounds(page, (id) => {
        const row = findConversation.get(session.id, id)
        return row === undefined ? undefined : integer(row['used'])
      })
      if (bounds === undefined) return told(undefined)
      // Most recently used first: what comes after a row was used before it.
      const { after: high, before: low } = bounds
      const { rising, falling } = conversationRange
      const statement = page.direction === 'forward' ? falling : rising
      const rows = statement.all(session.id, low ?? 0, high ?? maxRow, page.limit + 1)
      const { isCut, inPage } = cut(page, rows)
      return told(toPage(page, inPage.map(toConversation), isCut))
    }

    messagePage(conversationId: ConversationId, page: PageRequest<MessageId>) {
      const { session } = this
      const read = () => readMessages(session, conversationId, page)
      return inTurn(session, read, (found) => textOf(found?.rows ?? []))
    }
  }

  return (session) => new Reads(session)
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

function rowOf(statement: StatementSync, key: number): Row {
  const row = statement.get(key)
  if (row === undefined) throw new TypeError('a row that was just found is not there')
  return row
}

interface WithText {
  readonly text: string
  readonly reasoning?: string
}

/** What the first of `ids` find, until there is text enough for one read; at least of one. */
function readSome<Id, T extends WithText | undefined>(
  ids: readonly Id[],
  find: (id: Id) => T,
): readonly T[] {
  const rows: T[] = []
  let length = 0
  for (const id of ids) {
    const row = find(id)
    rows.push(row)
    length += textOf([row])
    if (length >= maxReadLength) break
  }
  return rows
}

/** Code units. */
function textOf(rows: readonly (WithText | undefined)[]): number {
  let length = 0
  for (const row of rows) length += (row?.text.length ?? 0) + (row?.reasoning?.length ?? 0)
  return length
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
