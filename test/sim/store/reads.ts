import type { ConversationId, MessageId, Session } from '../../../src/domain.ts'
import type { Page, PageRequest, SessionStore } from '../../../src/store/session-store.ts'
import type { Commits } from './commits.ts'
import { toConversation, toMessage, toReply } from './rows.ts'
import { type ConversationRow, isOpen, type MessageRow, type State } from './state.ts'

/** What one session may read. Nothing is told before it is durable. */
export function createReads(
  commits: Commits,
  session: Session,
  /** Writes what readers of the log were shown: a crash takes back nothing that a query has told. */
  flush: () => void,
): SessionStore {
  const isMine = (row: { readonly sessionId: string } | undefined) => row?.sessionId === session.id

  function pick<Id, Row extends { readonly sessionId: string }, T>(
    ids: readonly Id[],
    rows: (state: State) => ReadonlyMap<Id, Row>,
    tell: (row: Row, state: State) => T,
  ): Promise<readonly (T | undefined)[]> {
    flush()
    return commits.read((state) =>
      ids.map((id) => {
        const row = rows(state).get(id)
        return row !== undefined && isMine(row) ? tell(row, state) : undefined
      }),
    )
  }

  return {
    session,
    conversations: (ids) => pick(ids, ({ conversations }) => conversations, toConversation),
    messages: (ids) =>
      pick(
        ids,
        ({ messages }) => messages,
        (row, state) => toMessage(state, row),
      ),
    replies: (ids) =>
      pick(
        ids,
        ({ replies }) => replies,
        (row, state) => toReply(state, row),
      ),
    replyState: (id) =>
      commits.read(({ replies }) => {
        const row = replies.get(id)
        if (row === undefined || !isMine(row)) return undefined
        const endedSeq = isOpen(row) ? undefined : row.lastEvent?.seq
        return { conversationId: row.conversationId, endedSeq }
      }),
    attachments: (ids) =>
      pick(
        ids,
        ({ attachments }) => attachments,
        ({ id, assistantId, name, mediaType, bytes, createdAt }) => ({
          id,
          assistantId,
          name,
          mediaType,
          bytes,
          createdAt,
        }),
      ),
    openReplies(conversationId) {
      flush()
      return commits.read((state) =>
        [...state.replies.values()]
          .filter((row) => isMine(row) && isOpen(row))
          .filter((row) => conversationId === undefined || row.conversationId === conversationId)
          .map((row) => {
            const { id, conversationId: of, assistantId, status } = toReply(state, row)
            return { id, conversationId: of, assistantId, status }
          }),
      )
    },
    tookToolOutputs: (replyId, digest) =>
      commits.read(({ replies }) => {
        const row = replies.get(replyId)
        return isMine(row) && row?.toolOutputs.includes(digest) === true
      }),
    answerOrigin: (id) =>
      commits.read((state) => {
        const message = state.messages.get(id)
        if (message === undefined || !isMine(message) || message.role !== 'ASSISTANT') {
          return undefined
        }
        const reply = state.replies.get(message.replyId)
        const assistantId = state.conversations.get(message.conversationId)?.assistantId
        if (reply?.origin === undefined || reply.upstreamMessageId === undefined) return undefined
        if (assistantId === undefined) return undefined
        const { origin: upstream, upstreamMessageId } = reply
        return { assistantId, upstream, upstreamMessageId }
      }),
    upstreamConversations: (conversationId) =>
      commits.read(({ bindings }) =>
        [...bindings.values()]
          .filter((row) => isMine(row) && row.conversationId === conversationId)
          .map(({ binding }) => binding),
      ),
    hadChat: (conversationId, chatId) =>
      commits.read(({ replies }) =>
        [...replies.values()].some(
          (row) => isMine(row) && row.conversationId === conversationId && row.chatId === chatId,
        ),
      ),
    conversationPage: (page) =>
      commits.read(({ conversations }) => {
        const rows = [...conversations.values()]
          .filter(isMine)
          .toSorted((a: ConversationRow, b: ConversationRow) => b.used - a.used)
        const found = pageOf(rows, page)
        return found && { ...found, rows: found.rows.map(toConversation) }
      }),
    messagePage: (conversationId: ConversationId, page: PageRequest<MessageId>) =>
      commits.read((state) => {
        const conversation = state.conversations.get(conversationId)
        if (conversation === undefined || !isMine(conversation)) return undefined
        const rows = [...state.messages.values()]
          .filter((row) => row.conversationId === conversationId)
          .toSorted((a: MessageRow, b: MessageRow) => a.order - b.order)
        const found = pageOf(rows, page)
        const toRow = (row: MessageRow) => toMessage(state, row)
        return found && { ...found, rows: found.rows.map(toRow) }
      }),
  }
}

function pageOf<Id, Row extends { readonly id: Id }>(
  all: readonly Row[],
  page: PageRequest<Id>,
): Page<Row> | undefined {
  const at = (id: Id) => all.findIndex((row) => row.id === id)
  const after = page.after === undefined ? -1 : at(page.after)
  const before = page.before === undefined ? all.length : at(page.before)
  if ((page.after !== undefined && after < 0) || before < 0) return undefined
  const inside = all.slice(after + 1, Math.max(after + 1, before))
  const isForward = page.direction === 'forward'
  const rows = isForward ? inside.slice(0, page.limit) : inside.slice(-page.limit)
  const hasMore = rows.length < inside.length
  return {
    rows,
    hasNextPage: isForward ? hasMore || page.before !== undefined : page.before !== undefined,
    hasPreviousPage: isForward ? page.after !== undefined : hasMore || page.after !== undefined,
  }
}
