import type { ConversationId, MessageId, Session } from '../../../src/domain.ts'
import type { Page, PageRequest, SessionStore } from '../../../src/store/ledger.ts'
import type { Pipe } from './pipe.ts'
import { toConversation, toMessage, toReply } from './rows.ts'
import { type ConversationRow, isOpen, type MessageRow } from './state.ts'

/** What one session may read. Nothing is told before it is durable. */
export function createReads(pipe: Pipe, session: Session): SessionStore {
  async function told<T>(value: T): Promise<T> {
    await pipe.settled()
    return value
  }
  const isMine = (row: { readonly sessionId: string } | undefined) => row?.sessionId === session.id

  function pick<Id, Row extends { readonly sessionId: string }, T>(
    ids: readonly Id[],
    rows: ReadonlyMap<Id, Row>,
    tell: (row: Row) => T,
  ): Promise<readonly (T | undefined)[]> {
    return told(
      ids.map((id) => {
        const row = rows.get(id)
        return row !== undefined && isMine(row) ? tell(row) : undefined
      }),
    )
  }

  return {
    session,
    conversations: (ids) => pick(ids, pipe.state.conversations, toConversation),
    messages: (ids) => pick(ids, pipe.state.messages, (row) => toMessage(pipe.state, row)),
    replies: (ids) => pick(ids, pipe.state.replies, (row) => toReply(pipe.state, row)),
    async replyState(id) {
      const [reply] = await this.replies([id])
      return reply
    },
    attachments: (ids) =>
      pick(
        ids,
        pipe.state.attachments,
        ({ id, assistantId, name, mediaType, bytes, createdAt }) => ({
          id,
          assistantId,
          name,
          mediaType,
          bytes,
          createdAt,
        }),
      ),
    openReplies: (conversationId) =>
      told(
        [...pipe.state.replies.values()]
          .filter((row) => isMine(row) && isOpen(row))
          .filter((row) => conversationId === undefined || row.conversationId === conversationId)
          .map((row) => toReply(pipe.state, row)),
      ),
    tookToolOutputs(replyId, digest) {
      const row = pipe.state.replies.get(replyId)
      return told(isMine(row) && row?.toolOutputs.includes(digest) === true)
    },
    answerOrigin(id) {
      const message = pipe.state.messages.get(id)
      const reply = message && pipe.state.replies.get(message.replyId)
      const conversation = message && pipe.state.conversations.get(message.conversationId)
      if (!isMine(message) || message?.role !== 'ASSISTANT') return told(undefined)
      if (reply?.origin === undefined || reply.upstreamMessageId === undefined) {
        return told(undefined)
      }
      if (conversation === undefined) return told(undefined)
      const { assistantId } = conversation
      const { origin: upstream, upstreamMessageId } = reply
      return told({ assistantId, upstream, upstreamMessageId })
    },
    upstreamConversations: (conversationId) =>
      told(
        [...pipe.state.bindings.values()]
          .filter((row) => isMine(row) && row.conversationId === conversationId)
          .map(({ binding }) => binding),
      ),
    hadChat: (conversationId, chatId) =>
      told(
        [...pipe.state.replies.values()].some(
          (row) => isMine(row) && row.conversationId === conversationId && row.chatId === chatId,
        ),
      ),
    conversationPage(page) {
      const rows = [...pipe.state.conversations.values()]
        .filter(isMine)
        .toSorted((a: ConversationRow, b: ConversationRow) => b.used - a.used)
      const found = pageOf(rows, page)
      return told(found && { ...found, rows: found.rows.map(toConversation) })
    },
    messagePage(conversationId: ConversationId, page: PageRequest<MessageId>) {
      const conversation = pipe.state.conversations.get(conversationId)
      if (conversation === undefined || !isMine(conversation)) return told(undefined)
      const { isTrimmed: trimmed } = conversation
      const rows = [...pipe.state.messages.values()]
        .filter((row) => row.conversationId === conversationId)
        .toSorted((a: MessageRow, b: MessageRow) => a.order - b.order)
      const found = pageOf(rows, page)
      const toRow = (row: MessageRow) => toMessage(pipe.state, row)
      return told(found && { ...found, rows: found.rows.map(toRow), trimmed })
    },
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
