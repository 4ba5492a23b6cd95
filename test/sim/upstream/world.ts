import type { Platform } from '../../../src/domain.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Faults } from '../faults.ts'
import type { Random } from '../../kit/random.ts'

/** What the upstream knows. Whatever it keeps, it keeps under a principal: the session name of a token. */
export interface UpstreamWorld {
  readonly platform: Platform
  readonly clock: Clock
  readonly random: Random
  readonly faults: Faults
  /** The upstream's own clock, in ms since the epoch. It may differ from ours. */
  now(): number
  newId(): string
  /** A stream is about to take back what it said. */
  onCorrecting: () => void
  /** A message came to a conversation in which an earlier reply of the same person still runs. */
  onMeeting: (replyId: string | undefined, running: Chat) => void
  /** A conversation is deleted by a call. */
  onDeleting: (conversation: Conversation) => void
  /** A message came for a conversation. */
  onSending: (replyId: string | undefined, conversationId: string) => void
  readonly tokens: Map<string, Token>
  readonly conversations: Map<string, Conversation>
  readonly chats: Map<string, Chat>
  /** What ends each run that is under way, when the platform is restarted. */
  readonly runs: Map<Chat, () => void>
  /** On the monotonic clock: nobody listens until then. */
  downUntil: number
  /** Whose variables hold something, by who keeps them: an app, or a Bot. */
  readonly variables: Set<string>
  /** Assertions that were exchanged: each may be once. */
  readonly usedAssertions: Set<string>
}

export interface Token {
  readonly principal: string
  /** On the upstream's clock. */
  readonly expiresAt: number
  isRevoked: boolean
}

export interface Conversation {
  readonly id: string
  readonly owner: string
  /** The app's name for it, where it has one. */
  readonly name: string | undefined
  /** In the order in which they were stored. */
  readonly messages: StoredMessage[]
  running: Chat | undefined
  isGone: boolean
  /** Somebody had it deleted. */
  isDeleted: boolean
  /** By a call of its own, before any message. */
  readonly isCreated: boolean
  /** It was given to others than its owner: the classic leak. */
  isShared: boolean
  busyUntil: number
}

export interface StoredMessage {
  readonly id: string
  readonly conversationId: string
  readonly chatId: string
  /** Whose run brought it. */
  readonly principal: string
  readonly role: 'user' | 'assistant'
  readonly type: 'question' | 'answer' | 'follow_up' | 'verbose'
  readonly content: string
  readonly metaData: Readonly<Record<string, string>>
  /** In seconds, on the upstream's clock. */
  readonly createdAt: number
}

export type ChatStatus = 'in_progress' | 'completed' | 'failed' | 'canceled' | 'requires_action'

export interface Chat {
  readonly id: string
  readonly conversation: Conversation
  readonly principal: string
  /** The `meta_data.reply_id` of the message that it answers. */
  readonly replyId: string | undefined
  readonly isBot: boolean
  /** The `meta_data` of its messages. */
  readonly carried: Readonly<Record<string, string>>
  status: ChatStatus
  /** Somebody had it cancelled, be it that its end has overwritten that. */
  wasCancelled: boolean
  /** The platform was restarted under it: its record stays as it was, for ever. */
  isLost: boolean
  errorCode: number
  /** What it finally said, joined as a reader should see it; undefined until it is completed. */
  finalText: string | undefined
  /** It said something else before: readers see text go back. */
  isAltered: boolean
  /** On the monotonic clock: its answers are in no list until then. */
  listedFrom: number
  toolCallIds: readonly string[]
  /** The answers that it has given so far. */
  readonly spoken: string[]
}

/** The one token of a Studio, which an operator made. */
export const personalToken = 'pat_sim'

const startAt = Date.UTC(2026, 0, 1)

export function createUpstreamWorld(options: {
  readonly platform: Platform
  readonly clock: Clock
  readonly random: Random
  readonly faults: Faults
}): UpstreamWorld {
  const { platform, clock, random, faults } = options
  let ids = 7_000_000_000_000_000
  // A clock difference is there from the beginning or not at all (F5).
  const skewMs = faults.strikes('F5', 0.4) ? random.pick([-600_000, 600_000]) : 0
  if (skewMs !== 0) faults.reach('F5')
  const tokens: UpstreamWorld['tokens'] = new Map()
  if (platform === 'studio') {
    tokens.set(personalToken, { principal: 'everybody', expiresAt: Infinity, isRevoked: false })
  }
  return {
    platform,
    clock,
    random,
    faults,
    now: () => startAt + clock.monotonic() + skewMs,
    newId() {
      ids += 1
      return `${ids}01`
    },
    onCorrecting: () => undefined,
    onMeeting: () => undefined,
    onDeleting: () => undefined,
    onSending: () => undefined,
    tokens,
    conversations: new Map(),
    chats: new Map(),
    runs: new Map(),
    downUntil: 0,
    variables: new Set(),
    usedAssertions: new Set(),
  }
}

export function createUpstreamConversation(
  world: UpstreamWorld,
  owner: string,
  name: string | undefined,
  isCreated: boolean,
): Conversation {
  const conversation: Conversation = {
    id: world.newId(),
    owner,
    name,
    messages: [],
    running: undefined,
    isGone: false,
    isDeleted: false,
    isCreated,
    isShared: false,
    busyUntil: 0,
  }
  world.conversations.set(conversation.id, conversation)
  return conversation
}

export function storeMessage(
  world: UpstreamWorld,
  chat: Chat,
  message: Pick<StoredMessage, 'role' | 'type' | 'content' | 'metaData'> & {
    readonly id?: string
    readonly chatId?: string
  },
): void {
  chat.conversation.messages.push({
    ...message,
    id: message.id ?? world.newId(),
    conversationId: chat.conversation.id,
    chatId: message.chatId ?? chat.id,
    principal: chat.principal,
    createdAt: Math.floor(world.now() / 1000),
  })
}

/** Where the variables of a user are kept. */
export function variablesOf(keeper: 'app' | 'bot', user: string): string {
  return `${keeper} ${user}`
}

export function deleteConversation(world: UpstreamWorld, conversation: Conversation): void {
  world.onDeleting(conversation)
  conversation.isDeleted = true
}

/** The stored messages that lists give by now, oldest first. */
export function listedRows(
  { clock, chats }: UpstreamWorld,
  { messages }: Conversation,
): readonly StoredMessage[] {
  const now = clock.monotonic()
  const isListed = ({ role, chatId }: StoredMessage) =>
    role === 'user' || now >= (chats.get(chatId)?.listedFrom ?? 0)
  return messages.filter(isListed)
}

/** Ends the platform's process, with all that runs in it, and begins another. */
export function restartUpstream(world: UpstreamWorld, downMs: number): void {
  world.downUntil = world.clock.monotonic() + downMs
  const ends = [...world.runs.values()]
  world.runs.clear()
  for (const end of ends) end()
}
