import { type ChatError, toChatError } from './chat-error.ts'
import { type ChatClient, type ChatConversation, newKey } from './chat-client.ts'
import * as documents from './documents.ts'
import type { Gateway, Variables } from './gateway.ts'
import type {
  Assistant,
  Attachment,
  Conversation,
  Page,
  PageArguments,
  Rating,
  Viewer,
} from './schema.ts'
import type { DataResult, UploadProgress } from './transport.ts'

// Each of these is in the bundle of a program only if the program calls it.

/** Uploads a `File` or `Blob`, or the path of a file in a mini-program. The message names it in `attachmentIds`. */
export async function uploadFile(
  chat: Pick<Gateway, 'mutate'>,
  file: unknown,
  options: {
    readonly assistantId?: string
    readonly onProgress?: (progress: UploadProgress) => void
  } = {},
): Promise<Attachment> {
  const { onProgress, ...input } = options
  const { attachment } = await chat.mutate<{ readonly attachment: Attachment }>(
    'uploadFile',
    { ...input, file: null },
    documents.attachment,
    { file, onProgress },
  )
  return attachment
}

/** Default: the 20 that were used last. */
export async function listConversations(
  chat: Pick<Gateway, 'query'>,
  page: PageArguments = {},
): Promise<Page<Conversation>> {
  const { conversations } = await chat.query<{ readonly conversations: Page<Conversation> }>(
    documents.conversations,
    { ...page },
  )
  return conversations
}

/** Returns null if the session has no such conversation. */
export async function findConversation(
  chat: Pick<Gateway, 'query'>,
  id: string,
): Promise<Conversation | null> {
  const { conversation } = await chat.query<{ readonly conversation: Conversation | null }>(
    documents.conversation,
    { id },
  )
  return conversation
}

export async function startConversation(
  chat: Pick<ChatClient, 'mutate' | 'conversation'>,
  options: {
    readonly assistantId?: string
    readonly title?: string
    readonly idempotencyKey?: string
  } = {},
): Promise<ChatConversation> {
  const { conversation } = await chat.mutate<{ readonly conversation: { readonly id: string } }>(
    'startConversation',
    { idempotencyKey: newKey(), ...options },
    'conversation{id}',
  )
  return chat.conversation(conversation.id)
}

/** Without a title: the beginning of the first message. */
export async function renameConversation(
  chat: Pick<Gateway, 'mutate'>,
  conversationId: string,
  title?: string,
): Promise<void> {
  await chat.mutate('renameConversation', { conversationId, title })
}

/** The assistant forgets the context; the messages stay. */
export async function clearConversation(
  chat: Pick<Gateway, 'mutate'>,
  conversationId: string,
): Promise<void> {
  await chat.mutate('clearConversation', { conversationId })
}

export async function deleteConversation(
  chat: Pick<Gateway, 'mutate'>,
  conversationId: string,
): Promise<void> {
  await chat.mutate('deleteConversation', { conversationId })
}

/** `messageId`: of the answer. */
export async function rateAnswer(
  chat: Pick<Gateway, 'mutate'>,
  messageId: string,
  rating: Rating,
  options: { readonly reasons?: readonly string[]; readonly comment?: string } = {},
): Promise<void> {
  await chat.mutate('rateAnswer', { messageId, rating, ...options })
}

export async function removeRating(
  chat: Pick<Gateway, 'mutate'>,
  messageId: string,
): Promise<void> {
  await chat.mutate('removeRating', { messageId })
}

export async function listAssistants(chat: Pick<Gateway, 'query'>): Promise<readonly Assistant[]> {
  const { assistants } = await chat.query<{ readonly assistants: readonly Assistant[] }>(
    documents.assistants,
  )
  return assistants
}

export async function readViewer(chat: Pick<Gateway, 'query'>): Promise<Viewer> {
  const { viewer } = await chat.query<{ readonly viewer: Viewer }>(documents.viewer)
  return viewer
}

export interface SubscriptionSink<Data> {
  next(result: DataResult<Data>): void
  error(error: ChatError): void
  complete(): void
}

/**
 * Any other subscription, on a stream of its own that resumes by itself: after the last event if the document has the variable
 * `$after`, else from where it began. Returns a function that ends it.
 */
export function subscribe<Data>(
  chat: Pick<ChatClient, 'stream' | 'position' | 'wake'>,
  document: string,
  variables: Variables,
  sink: SubscriptionSink<Data>,
): () => void {
  let after = variables['after']
  let isWanted = true
  const stop = () => {
    isWanted = false
    chat.wake(false)
  }
  chat
    .stream<Data>({
      query: document,
      isWanted: () => isWanted,
      start: async () => [{ ...variables, after }, await chat.position()],
      next(result, cursor) {
        after = cursor ?? after
        sink.next(result)
      },
      complete() {
        isWanted = false
        sink.complete()
      },
      lost({ retryable, code, resumeAfter }) {
        after = resumeAfter ?? after
        return retryable || resumeAfter !== undefined || code === 'INTERNAL_SERVER_ERROR'
      },
    })
    .catch((error: unknown) => {
      if (isWanted) sink.error(toChatError(error))
    })
  return stop
}
