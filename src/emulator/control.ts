import { z } from 'zod'
import type { Call, Context } from './context.ts'
import { parseRequest } from './enter-message.ts'
import { orderSchema } from './faults.ts'
import type { TokenEndpoint } from './cloud/oauth.ts'
import type { PlatformFeedback } from './world.ts'

/** What the emulator has seen and holds; nothing in it is secret, it is test data. */
export interface EmulatorState {
  /** By `METHOD /path`. */
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
  /** The `jti` of every JWT exchanged. */
  readonly assertions: readonly string[]
  /** Gates at which something is held now. */
  readonly held: readonly string[]
  /** Exceptions inside the emulator: bugs of its own. */
  readonly problems: readonly string[]
}

export function describeState(
  { world, tokens, gates }: Context,
  endpoint: TokenEndpoint,
  requests: ReadonlyMap<string, number>,
  problems: readonly string[],
): EmulatorState {
  return {
    requests: Object.fromEntries(requests),
    chats: [...world.chats.values()].map((chat) => ({
      id: chat.id,
      kind: chat.kind,
      conversationId: chat.conversationId,
      accountId: chat.owner.accountId,
      sessionName: chat.owner.sessionName,
      status: chat.status,
      request: chat.request,
    })),
    conversations: [...world.conversations.values()].map((conversation) => ({
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
    assertions: endpoint.assertions(),
    held: gates.held(),
    problems,
  }
}

const waitSchema = z.object({
  gate: z.string().optional(),
  requests: z.coerce.number().int().optional(),
  path: z.string().optional(),
  chats: z.coerce.number().int().optional(),
  status: z.string().optional(),
})

/** What a test may wait for: a held gate, a number of requests to a path, a number of chats (of a status). */
export type Wanted = z.input<typeof waitSchema>

/** Actions of a test on the platform as a whole. */
export interface Levers {
  state(): EmulatorState
  restart(): void
  vanish(conversationId?: string): void
}

/**
 * The levers of an emulator in its own process:
 * `POST /_emulator/faults` `{ path, faults, times? }`, `DELETE /_emulator/faults`, `POST /_emulator/release` `{ gate? }`,
 * `POST /_emulator/revoke`, `POST /_emulator/restart`, `POST /_emulator/vanish` `{ conversationId? }`,
 * `GET /_emulator/state`, and `GET /_emulator/wait?gate=…|requests=…&path=…|chats=…&status=…`,
 * which answers once it is so.
 */
export async function control(
  route: string,
  call: Call,
  context: Context,
  levers: Levers,
  gone: AbortSignal,
): Promise<object | undefined> {
  switch (route) {
    case 'POST /_emulator/faults': {
      const { path, times, faults } = parseRequest(orderSchema, call.body)
      context.faults.repeat(path, times, ...faults)
      return {}
    }
    case 'DELETE /_emulator/faults':
      context.faults.clear()
      return {}
    case 'POST /_emulator/release': {
      const { gate } = parseRequest(z.object({ gate: z.string().optional() }), call.body ?? {})
      return { released: context.gates.release(gate) }
    }
    case 'POST /_emulator/revoke':
      context.tokens.revoke()
      return {}
    case 'POST /_emulator/restart':
      levers.restart()
      return {}
    case 'POST /_emulator/vanish': {
      const schema = z.object({ conversationId: z.string().optional() })
      levers.vanish(parseRequest(schema, call.body ?? {}).conversationId)
      return {}
    }
    case 'GET /_emulator/state':
      return levers.state()
    case 'GET /_emulator/wait': {
      const wanted = parseRequest(waitSchema, Object.fromEntries(call.query))
      await context.changes.until(
        () => holds(wanted, () => levers.state()),
        AbortSignal.any([gone, context.lifetime]),
      )
      return {}
    }
    default:
      return undefined
  }
}

export function holds(wanted: z.output<typeof waitSchema>, state: () => EmulatorState): boolean {
  const { requests, chats, held } = state()
  if (wanted.gate !== undefined && !held.includes(wanted.gate)) return false
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
