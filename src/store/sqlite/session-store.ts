import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type {
  AssistantId,
  AttachmentId,
  ConversationId,
  MessageId,
  ReplyId,
  Session,
} from '../../domain.ts'
import type { AnswerOrigin, Page, PageRequest, SessionStore } from '../ledger.ts'
import { integer, jsonOrNull, string, type Row } from './columns.ts'
import type { CommitPipe } from './commit.ts'
import { selectBinding } from './deletion.ts'
import {
  selectAttachment,
  selectConversation,
  selectMessage,
  selectReply,
  toAttachment,
  toBinding,
  toConversation,
  toMessage,
  toReply,
} from './rows.ts'
import type { RunningReplies } from './running.ts'

/** The reads of one session; every statement names the session that the returned object was made for. */
export function createSessionStores(
  db: DatabaseSync,
  pipe: CommitPipe,
  running: RunningReplies,
): (session: Session) => SessionStore {
  const ofSession = (alias: string) => `${alias}.session = (SELECT id FROM sessions WHERE key = ?)`
  const byKeys = (select: string, alias: string, also = '') =>
    db.prepare(
      // By their keys: a session may have many more than were asked for.
      `${select} WHERE +${ofSession(alias)} AND ${alias}.key IN (SELECT value FROM json_each(?)) ${also}`,
    )
  const conversationsByKeys = byKeys(selectConversation, 'c')
  const messagesByKeys = byKeys(selectMessage, 'm')
  const repliesByKeys = byKeys(selectReply, 'r')
  const findConversation = db.prepare(
    `SELECT c.id, c.trimmed, c.used FROM conversations c WHERE ${ofSession('c')} AND c.key = ?`,
  )
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
  const messageRange = ranges(selectMessage, 'm.id', 'm.conversation = ?')

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

  function conversationRow(session: Session, id: ConversationId): number | undefined {
    const row = findConversation.get(session.id, id)
    return row === undefined ? undefined : integer(row['id'])
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
      return pick(messagesByKeys, this.session, ids, 'message', toMessage)
    }

    replies(ids: readonly ReplyId[]) {
      return pick(repliesByKeys, this.session, ids, 'reply', (row) => toReply(row, running))
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
      return told(toPage(page, rows, toConversation))
    }

    messagePage(conversationId: ConversationId, page: PageRequest<MessageId>) {
      const found = findConversation.get(this.session.id, conversationId)
      if (found === undefined) return told(undefined)
      const conversation = integer(found['id'])
      const bounds = findBounds(page, (id) => {
        const row = findMessage.get(conversation, id)
        return row === undefined ? undefined : integer(row['id'])
      })
      if (bounds === undefined) return told(undefined)
      const { after: low, before: high } = bounds
      const { rising, falling } = messageRange
      const statement = page.direction === 'forward' ? rising : falling
      const rows = statement.all(conversation, low ?? 0, high ?? maxRow, page.limit + 1)
      return told({ ...toPage(page, rows, toMessage), trimmed: found['trimmed'] === 1 })
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

/** `rows` run in the page's direction, and are one more than asked for when there are more. */
function toPage<Id, T>(
  page: PageRequest<Id>,
  rows: readonly Row[],
  parse: (row: Row) => T,
): Page<T> {
  const hasMore = rows.length > page.limit
  const parsed = rows.slice(0, page.limit).map(parse)
  const isForward = page.direction === 'forward'
  // The row that bounds the page lies beyond it.
  return {
    rows: isForward ? parsed : parsed.reverse(),
    hasNextPage: isForward ? hasMore || page.before !== undefined : page.before !== undefined,
    hasPreviousPage: isForward ? page.after !== undefined : hasMore || page.after !== undefined,
  }
}
