import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { CardQuestion } from './cards.ts'
import type { Facts } from './facts.ts'
import { type Ids, unixSeconds } from './ids.ts'

/** Whose data it is: the account and, under it, the session name. */
export interface Principal {
  readonly key: string
  readonly accountId: string
  readonly sessionName: string | undefined
  readonly creatorId: string
}

export type MetaData = Readonly<Record<string, string>>

/** The API that began a chat: `/v1/workflows/chat` or `/v3/chat`. */
export type ChatKind = 'workflow' | 'bot'

export interface PlatformMessage {
  readonly id: string
  readonly conversationId: string
  readonly chatId: string
  readonly sectionId: string
  readonly botId: string | undefined
  readonly role: 'user' | 'assistant'
  readonly type: string
  content: string
  contentType: string
  metaData: MetaData
  readonly reasoningContent: string | undefined
  readonly createdAt: number
  updatedAt: number
  /** Not so for verbose messages and for those of a cancelled chat. */
  inContext: boolean
  feedback: PlatformFeedback | undefined
}

/** What the user thinks of an answer. */
export interface PlatformFeedback {
  readonly type: 'like' | 'unlike'
  readonly reasons: readonly string[]
  readonly comment: string
}

export type ChatStatus =
  | 'created'
  | 'in_progress'
  | 'completed'
  | 'failed'
  | 'requires_action'
  | 'canceled'

export interface PlatformToolCall {
  readonly id: string
  readonly type: 'function' | 'reply_message'
  readonly function?: { readonly name: string; readonly arguments: string }
}

export interface PlatformUsage {
  readonly token_count: number
  readonly output_count: number
  readonly input_count: number
}

export interface Chat {
  readonly id: string
  readonly kind: ChatKind
  readonly conversationId: string
  readonly sectionId: string
  readonly owner: Principal
  readonly botId: string | undefined
  readonly metaData: MetaData
  /** The meta data of each of its own messages. */
  readonly carried: MetaData
  /** False: neither the chat nor its messages can be read back. */
  readonly saved: boolean
  readonly createdAt: number
  status: ChatStatus
  completedAt: number | undefined
  failedAt: number | undefined
  lastError: { readonly code: number; readonly msg: string }
  usage: PlatformUsage
  toolCalls: readonly PlatformToolCall[]
  /** What a `reply_message` among them asks. */
  asked: CardQuestion | undefined
  /** The request as it came, for tests. */
  readonly request: unknown
  readonly facts: Facts
  /** Whether its questions are asked as cards. */
  readonly cards: boolean
}

export interface PlatformConversation {
  readonly id: string
  readonly owner: Principal
  readonly appId: string | undefined
  readonly botId: string | undefined
  readonly connectorId: string
  readonly createdAt: number
  updatedAt: number
  name: string
  metaData: MetaData
  sectionId: string
  /** The latest chat. */
  chat: Chat | undefined
  /** What the next message answers. */
  question: CardQuestion | undefined
  /** Whether lists leave it out. */
  isHidden: boolean
  readonly messages: PlatformMessage[]
}

/** The key by which a named conversation is found. */
export interface ConversationNameKey {
  /** The app or Bot whose flow runs in it. */
  readonly targetId: string
  readonly connectorId: string
  readonly owner: Principal
  readonly name: string
}

const maxConversations = 20_000
const maxChats = 20_000
const maxMessages = 2_000

/** Everything the emulator remembers, bounded: the oldest is forgotten first. */
export interface World {
  readonly conversations: ReadonlyMap<string, PlatformConversation>
  readonly chats: ReadonlyMap<string, Chat>
  /** By app or Bot: a question that waits for whoever comes next. */
  readonly questions: Map<string, CardQuestion>
  addConversation(
    about: Pick<
      PlatformConversation,
      'owner' | 'appId' | 'botId' | 'connectorId' | 'name' | 'metaData'
    >,
    key?: ConversationNameKey,
  ): PlatformConversation
  removeConversation(conversation: PlatformConversation): void
  findNamed(key: ConversationNameKey): PlatformConversation | undefined
  addChat(
    conversation: PlatformConversation,
    about: Pick<
      Chat,
      'kind' | 'owner' | 'botId' | 'metaData' | 'carried' | 'saved' | 'request' | 'facts' | 'cards'
    >,
  ): Chat
  /** A message with an id, not yet in its conversation. */
  draftMessage(
    conversation: PlatformConversation,
    about: Pick<PlatformMessage, 'role' | 'type' | 'content'> & Partial<PlatformMessage>,
  ): PlatformMessage
  keepMessage(conversation: PlatformConversation, message: PlatformMessage): void
}

export function createWorld(clock: Clock, ids: Ids): World {
  const conversations = new Map<string, PlatformConversation>()
  const named = new Map<string, PlatformConversation>()
  const chats = new Map<string, Chat>()

  function removeConversation(conversation: PlatformConversation) {
    conversations.delete(conversation.id)
    for (const [key, value] of named) if (value === conversation) named.delete(key)
  }

  return {
    conversations,
    chats,
    questions: new Map(),
    addConversation(about, key) {
      const id = ids.next()
      const now = unixSeconds(clock)
      const conversation: PlatformConversation = {
        ...about,
        id,
        createdAt: now,
        updatedAt: now,
        sectionId: id,
        chat: undefined,
        question: undefined,
        isHidden: false,
        messages: [],
      }
      conversations.set(id, conversation)
      if (key !== undefined) named.set(nameKey(key), conversation)
      const [oldest] = conversations.values()
      if (conversations.size > maxConversations && oldest) removeConversation(oldest)
      return conversation
    },
    removeConversation,
    findNamed: (key) => named.get(nameKey(key)),
    addChat(conversation, about) {
      const chat: Chat = {
        ...about,
        id: ids.next(),
        conversationId: conversation.id,
        sectionId: conversation.sectionId,
        createdAt: unixSeconds(clock),
        status: 'created',
        completedAt: undefined,
        failedAt: undefined,
        lastError: { code: 0, msg: '' },
        usage: { token_count: 0, output_count: 0, input_count: 0 },
        toolCalls: [],
        asked: undefined,
      }
      chats.set(chat.id, chat)
      conversation.chat = chat
      conversation.updatedAt = chat.createdAt
      const [oldest] = chats.keys()
      if (chats.size > maxChats && oldest !== undefined) chats.delete(oldest)
      return chat
    },
    draftMessage(conversation, about) {
      const now = unixSeconds(clock)
      return {
        id: ids.next(),
        conversationId: conversation.id,
        chatId: '',
        sectionId: conversation.sectionId,
        botId: conversation.botId,
        contentType: 'text',
        metaData: {},
        reasoningContent: undefined,
        createdAt: now,
        updatedAt: now,
        inContext: true,
        feedback: undefined,
        ...about,
      }
    },
    keepMessage({ messages }, message) {
      messages.push(message)
      if (messages.length > maxMessages) messages.shift()
    },
  }
}

export function createPrincipal(accountId: string, sessionName: string | undefined): Principal {
  const key = `${accountId}\u0000${sessionName ?? ''}`
  const digest = createHash('sha256').update(key).digest().readBigUInt64BE()
  return { key, accountId, sessionName, creatorId: String(10n ** 18n + (digest % 10n ** 18n)) }
}

export function isRunning(chat: Chat): boolean {
  return chat.status === 'created' || chat.status === 'in_progress'
}

function nameKey(key: ConversationNameKey): string {
  return JSON.stringify([key.targetId, key.connectorId, key.owner.key, key.name])
}
