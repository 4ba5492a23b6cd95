import type {
  AssistantId,
  Attachment,
  AttachmentId,
  Conversation,
  ConversationId,
  Message,
  MessageId,
  Reply,
  ReplyId,
  Session,
} from '../domain.ts'
import type { UpstreamBinding } from '../domain/upstream.ts'

/**
 * What one session may ask. No method takes a session, so no one else's record can be named.
 * An id of another session answers exactly as one that never was.
 */
export interface SessionStore {
  readonly session: Session
  /** In the order of `ids`; undefined where there is none. */
  conversations(ids: readonly ConversationId[]): Promise<readonly (Conversation | undefined)[]>
  /** As `conversations`, of the first of `ids`: where texts are long, only as many as are read at once, at least one. */
  messages(ids: readonly MessageId[]): Promise<readonly (Message | undefined)[]>
  /** As `messages`. */
  replies(ids: readonly ReplyId[]): Promise<readonly (Reply | undefined)[]>
  /** What a reply is of and how it stands: nothing of its texts is read. */
  replyState(id: ReplyId): Promise<ReplyState | undefined>
  attachments(ids: readonly AttachmentId[]): Promise<readonly (Attachment | undefined)[]>
  /** QUEUED, RUNNING and ACTION_REQUIRED replies, of one conversation or of all. Nothing of their texts is read. */
  openReplies(conversationId: ConversationId | undefined): Promise<readonly OpenReply[]>
  /** Whether tool outputs of this digest were taken for a reply of this session. */
  tookToolOutputs(replyId: ReplyId, digest: string): Promise<boolean>
  /** Whether a run of this conversation was this chat upstream. */
  hadChat(conversationId: ConversationId, chatId: string): Promise<boolean>
  /** Where an answer came from upstream; undefined: it is no answer of this session, or its origin is not known. */
  answerOrigin(id: MessageId): Promise<AnswerOrigin | undefined>
  /** Every upstream conversation that was ever this conversation's, oldest first. */
  upstreamConversations(conversationId: ConversationId): Promise<readonly UpstreamBinding[]>
  /** Most recently used first. Undefined: a bounding id is not in this session. */
  conversationPage(page: PageRequest<ConversationId>): Promise<Page<Conversation> | undefined>
  /**
   * Oldest first. Undefined: a bounding id is not in this conversation. Where texts are long, fewer rows than `limit`, at
   * least one, and the page says that there are more.
   */
  messagePage(
    conversationId: ConversationId,
    page: PageRequest<MessageId>,
  ): Promise<Page<Message> | undefined>
}

export interface AnswerOrigin {
  readonly assistantId: AssistantId
  readonly upstream: UpstreamBinding
  readonly upstreamMessageId: string
}

/** One page of a connection, in the order of the connection. Ids name the rows that bound it. */
export interface PageRequest<Id> {
  readonly direction: 'forward' | 'backward'
  /** Rows wanted, at least 1. */
  readonly limit: number
  readonly after: Id | undefined
  readonly before: Id | undefined
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly hasNextPage: boolean
  readonly hasPreviousPage: boolean
}

export interface ReplyState extends Pick<Reply, 'conversationId'> {
  /** The number of its last event; undefined: it has not ended. */
  readonly endedSeq: number | undefined
}

/** How a reply that has not ended stands. */
export type OpenReply = Pick<Reply, 'id' | 'conversationId' | 'assistantId' | 'status'>
