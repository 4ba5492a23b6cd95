import type { Context } from './dialect.ts'
import type { PlatformFeedback } from './storage/records.ts'

/** What the emulator has seen and holds, for tests. It contains texts of messages. */
export interface EmulatorState {
  /** The number of requests by `METHOD /path`. */
  readonly requests: Readonly<Record<string, number>>
  readonly chats: readonly {
    readonly id: string
    readonly kind: 'workflow' | 'bot'
    readonly conversationId: string
    readonly accountId: string
    readonly sessionName?: string | undefined
    readonly status: string
    /** The body of the request that began it. */
    readonly request: unknown
  }[]
  readonly conversations: readonly {
    readonly id: string
    readonly accountId: string
    readonly sessionName?: string | undefined
    readonly appId?: string | undefined
    readonly botId?: string | undefined
    readonly connectorId: string
    readonly name: string
    readonly messages: readonly {
      readonly chatId: string
      readonly role: string
      readonly type: string
      readonly content: string
      readonly metaData: Readonly<Record<string, string>>
      readonly feedback?: PlatformFeedback | undefined
    }[]
  }[]
  readonly tokens: readonly {
    readonly accountId: string
    readonly sessionName?: string | undefined
    /** Unix seconds. */
    readonly expiresAt: number
  }[]
  /** The `jti` of every JWT that was exchanged. */
  readonly assertions: readonly string[]
  /** The names of what is held now. */
  readonly held: readonly string[]
  /** Exceptions inside the emulator: its own bugs. */
  readonly problems: readonly string[]
}

export function describeState(
  { records, tokens, holds }: Context,
  requests: ReadonlyMap<string, number>,
  problems: readonly string[],
): EmulatorState {
  return {
    requests: Object.fromEntries(requests),
    chats: [...records.chats.values()].map((chat) => ({
      id: chat.id,
      kind: chat.kind,
      conversationId: chat.conversationId,
      accountId: chat.owner.accountId,
      sessionName: chat.owner.sessionName,
      status: chat.status,
      request: chat.request,
    })),
    conversations: [...records.conversations.values()].map((conversation) => ({
      id: conversation.id,
      accountId: conversation.owner.accountId,
      sessionName: conversation.owner.sessionName,
      appId: conversation.appId,
      botId: conversation.botId,
      connectorId: conversation.connectorId,
      name: conversation.name,
      messages: conversation.messages.map((message) => ({
        chatId: message.chatId,
        role: message.role,
        type: message.type,
        content: message.content,
        metaData: message.metaData,
        feedback: message.feedback,
      })),
    })),
    tokens: tokens.issued().map(({ principal, expiresAt }) => ({
      accountId: principal.accountId,
      sessionName: principal.sessionName,
      expiresAt,
    })),
    assertions: tokens.assertions(),
    held: holds.names(),
    problems,
  }
}

/** A state to wait for. All parts that are given must be true. */
export interface WantedState {
  /** Something is held under this name. */
  readonly held?: string | undefined
  /** At least so many requests have come to `path`. */
  readonly requests?: number | undefined
  readonly path?: string | undefined
  /** There are at least so many chats, of `status` if it is given. */
  readonly chats?: number | undefined
  readonly status?: string | undefined
}

export function isReached(wanted: WantedState, { requests, chats, held }: EmulatorState): boolean {
  if (wanted.held !== undefined && !held.includes(wanted.held)) return false
  if (wanted.requests !== undefined) {
    const seen = Object.entries(requests).filter(([route]) => route.endsWith(` ${wanted.path}`))
    if (seen.reduce((sum, [, count]) => sum + count, 0) < wanted.requests) return false
  }
  if (wanted.chats !== undefined) {
    const { status } = wanted
    const seen = chats.filter((chat) => status === undefined || chat.status === status)
    if (seen.length < wanted.chats) return false
  }
  return true
}
