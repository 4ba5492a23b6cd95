import type { FileUpload, Rating, Session } from '../domain.ts'

export interface OlderMessage {
  /** As the row itself says: not always the one that was asked for. */
  readonly conversationId: string
  readonly upstreamMessageId: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  /** ms since the epoch; null: the upstream does not say. */
  readonly createdAt: number | null
}

/** The outcome for a conversation: it is gone, or was never there; it is out of sight, and its messages stay; it is there. */
export type Removal = 'gone' | 'hidden' | 'kept'

/** The outcome for variables; `no-call`: the platform has no call that could empty them. */
export type Emptying = 'emptied' | 'kept' | 'no-call'

/**
 * What an assistant's platform keeps of a session beside its runs. Every call is made as the session.
 * Failures are {@link RunFailedError}.
 */
export interface AssistantRecords {
  /** Whether messages may carry files. */
  readonly takesFiles: boolean
  /**
   * Streams a file through, once; resolves with the upstream's id and the bytes that were sent.
   * @throws {@link TooLargeError}, and whatever the content fails with, as it is.
   */
  uploadFile(
    session: Session,
    file: FileUpload,
    signal: AbortSignal,
  ): Promise<{ readonly upstreamId: string; readonly bytes: number }>
  /** Never throws. */
  deleteConversation(
    session: Session,
    conversationId: string,
    signal: AbortSignal,
  ): Promise<Removal>
  /** `null` takes a rating back. */
  rate(
    session: Session,
    answer: { readonly conversationId: string; readonly messageId: string },
    feedback: {
      readonly rating: Rating | null
      readonly reasons: readonly string[]
      readonly comment: string | undefined
    },
    signal: AbortSignal,
  ): Promise<void>
  /** Questions and answers before `before` (a message's id), newest first; at most 50. */
  listOlder(
    session: Session,
    request: {
      readonly conversationId: string
      readonly before: string | undefined
      readonly limit: number
    },
    signal: AbortSignal,
  ): Promise<readonly OlderMessage[]>
  /** What the session's variables hold, names and values; undefined: the upstream does not say. Never throws. */
  listVariables(session: Session, signal: AbortSignal): Promise<readonly string[] | undefined>
  /** Empties the session's variables. Never throws. */
  clearVariables(session: Session, signal: AbortSignal): Promise<Emptying>
}
