import type {
  AssistantId,
  BusyPolicy,
  Conversation,
  ConversationId,
  Cursor,
  Reply,
  ReplyEvent,
  ReplyId,
} from '../domain.ts'

export interface SendMessageRequest {
  readonly text: string
  /** Undefined: the conversation's, else the first configured. */
  readonly assistantId: AssistantId | undefined
  readonly conversationId: ConversationId | undefined
  readonly onBusy: BusyPolicy
  /** `input`: the raw input as the caller sent it, in a canonical form; a key is good for one input. */
  readonly idempotency: { readonly key: string; readonly input: string } | undefined
}

export interface SubscribeRequest {
  readonly replyId: ReplyId | undefined
  readonly conversationId: ConversationId | undefined
  /** As the client sent it, unchecked. */
  readonly after: string | undefined
  /** The `Last-Event-ID` header; wins over `after`. */
  readonly lastEventId: string | undefined
}

/** A validated subscription: everything that can be refused was refused before. */
export interface ReplySubscription {
  /** The client has had the reply's terminal event already, by `Last-Event-ID`: answer 204. */
  readonly past: boolean
  /** Where it starts: what to resume from until the first event was delivered. */
  readonly start: Cursor
  cursor(event: ReplyEvent): Cursor
  /**
   * Events in order, in batches, merged for a reader that lags. Ends after the terminal event when subscribed to one
   * reply. Abort the signal to end it; its reason is thrown.
   * @throws {@link CursorExpiredError} when the log was trimmed under the reader.
   */
  events(signal: AbortSignal): AsyncGenerator<readonly ReplyEvent[], void, undefined>
}

/** What one session may do with its replies. No method takes a session. */
export interface SessionReplies {
  /**
   * Accepts a message. Its reply runs on whether anybody listens or not.
   * @throws {@link InvalidInputError} {@link NotFoundError} {@link ConversationBusyError} {@link QueueFullError}
   * {@link IdempotencyMismatchError} {@link DrainingError} {@link UnavailableError}
   */
  sendMessage(request: SendMessageRequest): Promise<Reply>
  /** Stops a reply; a finished one is answered unchanged. @throws {@link NotFoundError} */
  cancelReply(id: ReplyId): Promise<Reply>
  /** Begins an empty conversation. @throws {@link NotFoundError} {@link UnavailableError} */
  startConversation(assistantId: AssistantId | undefined): Promise<Conversation>
  /** The end of the session's log: query a snapshot, then subscribe after it with no gap. */
  cursor(): Promise<Cursor>
  /** @throws {@link BadUserInputError} {@link NotFoundError} {@link CursorExpiredError} */
  subscribe(request: SubscribeRequest): Promise<ReplySubscription>
}
