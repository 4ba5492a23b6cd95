import { notFound } from './chat-error.ts'
import type { ChatReply, SendOptions } from './reply.ts'
import type { Requests } from './requests.ts'
import type { Conversation, Message, Page, PageArguments } from './schema.ts'

export interface ChatConversation {
  readonly id: string
  /** Null if the session has no such conversation. */
  get(): Promise<Conversation | null>
  /** Default: the last 20, oldest first. */
  messages(page?: PageArguments): Promise<Page<Message>>
  send(
    text: string,
    options?: Omit<SendOptions, 'conversationId' | 'assistantId'>,
  ): Promise<ChatReply>
  /** The replies that are not at their end, in the order in which they run. */
  openReplies(): Promise<readonly ChatReply[]>
  /** Without a title: the beginning of the first message. */
  rename(title?: string): Promise<void>
  /** The assistant forgets the context; the messages stay. */
  clear(): Promise<void>
  delete(): Promise<void>
}

export interface Conversations {
  /** Makes no request. */
  conversation(id: string): ChatConversation
  /** Default: the 20 that were used last. */
  conversations(page?: PageArguments): Promise<Page<Conversation>>
  startConversation(options?: {
    readonly assistantId?: string
    readonly title?: string
    readonly idempotencyKey?: string
  }): Promise<ChatConversation>
}

export interface ConversationsOptions extends Pick<Requests, 'mutate'> {
  readonly query: <Data>(
    document: string,
    variables?: Readonly<Record<string, unknown>>,
  ) => Promise<Data>
  readonly newKey: () => string
  readonly send: (text: string, options?: SendOptions) => Promise<ChatReply>
  readonly follow: (replyId: string) => Promise<ChatReply>
}

export const attachmentFields = 'id name mediaType byteSize'
const conversationFields = 'id title assistant{id name}createdAt lastUsedAt'
const messageFields = `id role text createdAt rating attachments{${attachmentFields}}imageUrls reply{id status}`
const pageVariables = '$first:Int,$after:String,$last:Int,$before:String'
const pageOf = (field: string, nodes: string) =>
  `${field}(first:$first,after:$after,last:$last,before:$before){nodes{${nodes}}pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}`

export function createConversations(options: ConversationsOptions): Conversations {
  const { query, mutate, newKey, send, follow } = options

  const conversation = (id: string): ChatConversation => {
    const input = { conversationId: id }
    const read = async <Field>(field: string, variables = '', values: object = {}) => {
      const { conversation } = await query<{ readonly conversation: Field | null }>(
        `query($id:ID!${variables}){conversation(id:$id){${field}}}`,
        { id, ...values },
      )
      return conversation
    }
    return {
      id,
      get: async () => await read<Conversation>(conversationFields),
      async messages(page = { last: 20 }) {
        const field = pageOf('messages', messageFields)
        const found = await read<{ messages: Page<Message> }>(field, `,${pageVariables}`, page)
        if (!found) throw notFound()
        return found.messages
      },
      send: async (text, options) => await send(text, { ...options, conversationId: id }),
      async openReplies() {
        const found = await read<{ openReplies: { id: string }[] }>('openReplies{id}')
        if (!found) throw notFound()
        return await Promise.all(found.openReplies.map((open) => follow(open.id)))
      },
      async rename(title) {
        await mutate('renameConversation', '__typename', { ...input, title })
      },
      async clear() {
        await mutate('clearConversation', '__typename', input)
      },
      async delete() {
        await mutate('deleteConversation', '__typename', input)
      },
    }
  }

  return {
    conversation,
    async conversations(page = {}) {
      const field = pageOf('conversations', conversationFields)
      const document = `query(${pageVariables}){${field}}`
      return (await query<{ conversations: Page<Conversation> }>(document, { ...page }))
        .conversations
    },
    async startConversation({ idempotencyKey = newKey(), ...options } = {}) {
      const started = await mutate<{ conversation: { id: string } }>(
        'startConversation',
        'conversation{id}',
        { ...options, idempotencyKey },
      )
      return conversation(started.conversation.id)
    },
  }
}
