import {
  type AttachmentId,
  type ConversationId,
  isTerminal,
  type MessageId,
  type ReplyId,
  type Session,
} from '../../domain.ts'
import type { PageRequest, SessionStore } from '../session-store.ts'
import type { Leases } from './leases.ts'

/** The reads of one session. Made for each request, and kept as long as a subscription runs: it holds no more than this. */
export class SessionReads implements SessionStore {
  readonly session: Session
  readonly #leases: Leases

  constructor(session: Session, leases: Leases) {
    this.session = session
    this.#leases = leases
  }

  conversations(ids: readonly ConversationId[]) {
    return this.#client.call('conversations', { ...this.#of, ids })
  }

  /** Whoever sends a message asks for it in the same request, mostly while its reply runs: the store is not asked for it. */
  messages(ids: readonly MessageId[]) {
    const running = ids.map((id) => this.#leases.findMessage(this.session.id, id))
    if (!running.includes(undefined)) return Promise.resolve(running)
    return this.#client.call('messages', { ...this.#of, ids })
  }

  replies(ids: readonly ReplyId[]) {
    const texts = this.#leases.textsToTell(this.session.id, ids)
    return this.#client.call('replies', { ...this.#of, ids }, (replies) =>
      replies.map((reply) => {
        if (reply === undefined || isTerminal(reply.status)) return reply
        return { ...reply, ...texts.get(reply.id) }
      }),
    )
  }

  replyState(id: ReplyId) {
    const lease = this.#leases.find(id)
    if (lease?.session.id === this.session.id) {
      const { conversationId } = lease.reply
      return Promise.resolve({ conversationId, endedSeq: undefined })
    }
    return this.#client.call('replyState', { ...this.#of, id })
  }

  attachments(ids: readonly AttachmentId[]) {
    return this.#client.call('attachments', { ...this.#of, ids })
  }

  openReplies(conversationId: ConversationId | undefined) {
    return this.#client.call('openReplies', { ...this.#of, conversationId })
  }

  tookToolOutputs(replyId: ReplyId, digest: string) {
    return this.#client.call('tookToolOutputs', { ...this.#of, replyId, digest })
  }

  hadChat(conversationId: ConversationId, chatId: string) {
    return this.#client.call('hadChat', { ...this.#of, conversationId, chatId })
  }

  answerOrigin(id: MessageId) {
    return this.#client.call('answerOrigin', { ...this.#of, id })
  }

  upstreamConversations(conversationId: ConversationId) {
    return this.#client.call('upstreamConversations', { ...this.#of, conversationId })
  }

  conversationPage(page: PageRequest<ConversationId>) {
    return this.#client.call('conversationPage', { ...this.#of, page })
  }

  messagePage(conversationId: ConversationId, page: PageRequest<MessageId>) {
    return this.#client.call('messagePage', { ...this.#of, conversationId, page })
  }

  get #client() {
    return this.#leases.client
  }

  get #of() {
    return { sessionId: this.session.id }
  }
}
