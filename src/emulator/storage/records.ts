import type { Clock } from '../../lib/clock.ts'
import { type Ids, unixSeconds } from '../ids.ts'
import type { ModelInput } from '../model/answers.ts'
import type { ChatQuestion } from '../model/cards.ts'
import type { ConversationNameKey, Principal, VariableKey } from './ownership.ts'

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
  /** False for verbose messages and for those of a cancelled chat. */
  isInContext: boolean
  feedback: PlatformFeedback | undefined
}

/** A user's rating of an answer. */
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

/** What is known of a chat before it begins. */
export interface NewChat {
  readonly kind: ChatKind
  readonly owner: Principal
  readonly botId: string | undefined
  readonly metaData: MetaData
  /** The meta data of each of the chat's own messages. */
  readonly messageMetaData: MetaData
  /** False: neither the chat nor its messages can be read back. */
  readonly isSaved: boolean
  /** The body of the request as it came, for tests. */
  readonly request: unknown
  readonly modelInput: ModelInput
  /** Where the chat stores variables of the user. */
  readonly variableKey: VariableKey
  /** Whether its questions are asked as cards. */
  readonly asksWithCards: boolean
  /** The ids of a Workflow's run; empty for a Bot. */
  readonly executeId: string
  readonly debugUrl: string
}

export interface Chat extends NewChat {
  readonly id: string
  readonly conversationId: string
  readonly sectionId: string
  readonly createdAt: number
  status: ChatStatus
  completedAt: number | undefined
  failedAt: number | undefined
  lastError: { readonly code: number; readonly msg: string }
  usage: PlatformUsage
  toolCalls: readonly PlatformToolCall[]
  /** The question of a `reply_message` among them. */
  question: ChatQuestion | undefined
}

/** What is known of a conversation before it is stored. */
export interface NewConversation {
  readonly owner: Principal
  readonly appId: string | undefined
  readonly botId: string | undefined
  readonly connectorId: string
  name: string
  metaData: MetaData
}

export interface PlatformConversation extends NewConversation {
  readonly id: string
  readonly createdAt: number
  updatedAt: number
  sectionId: string
  latestChat: Chat | undefined
  /** The question that the next message answers. */
  question: ChatQuestion | undefined
  /** Whether lists leave it out. */
  isHidden: boolean
  readonly messages: PlatformMessage[]
}

const maxConversations = 20_000
const maxChats = 20_000
const maxMessages = 2_000

/** Conversations, chats and messages. Their number is bounded: the oldest is forgotten first. */
export interface Records {
  readonly conversations: ReadonlyMap<string, PlatformConversation>
  readonly chats: ReadonlyMap<string, Chat>
  /** By app or Bot: a question that the next message of anybody answers (the leak `sharedQuestion`). */
  readonly sharedQuestions: Map<string, ChatQuestion>
  addConversation(about: NewConversation, key?: ConversationNameKey): PlatformConversation
  removeConversation(conversation: PlatformConversation): void
  findNamed(key: ConversationNameKey): PlatformConversation | undefined
  addChat(conversation: PlatformConversation, about: NewChat): Chat
  /** A message with an id that is not yet in its conversation. */
  draftMessage(
    conversation: PlatformConversation,
    about: Pick<PlatformMessage, 'role' | 'type' | 'content'> & Partial<PlatformMessage>,
  ): PlatformMessage
  addMessage(conversation: PlatformConversation, message: PlatformMessage): void
}

export function createRecords(clock: Clock, ids: Ids): Records {
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
    sharedQuestions: new Map(),
    addConversation(about, key) {
      const id = ids.next()
      const now = unixSeconds(clock)
      const conversation: PlatformConversation = {
        ...about,
        id,
        createdAt: now,
        updatedAt: now,
        sectionId: id,
        latestChat: undefined,
        question: undefined,
        isHidden: false,
        messages: [],
      }
      conversations.set(id, conversation)
      if (key !== undefined) named.set(nameKeyText(key), conversation)
      const [oldest] = conversations.values()
      if (conversations.size > maxConversations && oldest) removeConversation(oldest)
      return conversation
    },
    removeConversation,
    findNamed: (key) => named.get(nameKeyText(key)),
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
        question: undefined,
      }
      chats.set(chat.id, chat)
      conversation.latestChat = chat
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
        isInContext: true,
        feedback: undefined,
        ...about,
      }
    },
    addMessage({ messages }, message) {
      messages.push(message)
      if (messages.length > maxMessages) messages.shift()
    },
  }
}

export function isRunning(chat: Chat): boolean {
  return chat.status === 'created' || chat.status === 'in_progress'
}

function nameKeyText(key: ConversationNameKey): string {
  return JSON.stringify([key.targetId, key.connectorId, key.owner.key, key.name])
}
