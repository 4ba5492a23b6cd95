import type {
  AssistantId,
  Attachment,
  Conversation,
  ConversationId,
  FileUpload,
  Message,
  MessageId,
  Rating,
} from '../domain.ts'

/** What became of what the upstream keeps. */
export interface UpstreamCleanup {
  /** Upstream conversations that are gone. */
  readonly deleted: number
  /** What remains, each a sentence for the caller that names nobody; empty: nothing that we know of. */
  readonly remains: readonly string[]
}

export interface Erasure extends UpstreamCleanup {
  readonly conversations: number
  readonly messages: number
  readonly attachments: number
}

/** A message that only the upstream still has: our own record of it is gone. */
export interface UpstreamMessage {
  /** Its place in the history: `u.<upstream conversation>.<upstream message>`. */
  readonly place: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly createdAt: number | null
}

/** What one session may do with its conversations beside talking. No method takes a session. */
export interface SessionConversations {
  /** Begins an empty conversation. @throws {@link NotFoundError} {@link UnavailableError} {@link DrainingError} */
  start(assistantId: AssistantId | undefined, title: string | undefined): Promise<Conversation>
  /** `null`: the title that the first message makes. @throws {@link NotFoundError} {@link InvalidInputError} */
  rename(id: ConversationId, title: string | null): Promise<Conversation>
  /** Cancels what is open, then forgets the context: the next message begins anew upstream. @throws {@link NotFoundError} */
  clear(id: ConversationId): Promise<Conversation>
  /** Cancels what is open, then deletes our record and the upstream's. @throws {@link NotFoundError} */
  delete(id: ConversationId): Promise<UpstreamCleanup>
  /** Cancels what is open, then deletes everything of the session, and renames it for the upstream. */
  erase(): Promise<Erasure>
  /** @throws {@link NotFoundError} {@link NotSupportedError} {@link InvalidInputError} {@link UnavailableError} */
  rate(
    id: MessageId,
    feedback: {
      readonly rating: Rating | null
      readonly reasons: readonly string[]
      readonly comment: string | undefined
    },
  ): Promise<Message>
  /**
   * Streams a file through to the assistant's platform and binds it to the session.
   * @throws {@link NotFoundError} {@link NotSupportedError} {@link InvalidInputError} {@link RateLimitedError}
   * {@link AssistantUnavailableError} {@link TooLargeError}
   */
  uploadFile(assistantId: AssistantId | undefined, file: FileUpload): Promise<Attachment>
  /** Messages that only the upstream still has, before `before` (a place), newest first. @throws {@link NotFoundError} */
  older(
    id: ConversationId,
    request: { readonly before: string | undefined; readonly limit: number },
  ): Promise<{ readonly rows: readonly UpstreamMessage[]; readonly hasMore: boolean }>
}
