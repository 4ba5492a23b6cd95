import type { UpstreamCall } from '../domain/upstream.ts'

/** Every call of the platform. */
export type CozeCall = Exclude<UpstreamCall, 'key-set'>

/** Rules that hold for every use of a call of the platform. */
export interface CallRule {
  /** The path with names in place of ids, for traces. */
  readonly route: string
  /**
   * What happens when the connection is lost after the request was sent, so that nobody knows whether it was accepted.
   *
   * - `once`: the request is repeated once, on a new connection, since accepting it twice does no harm.
   * - `never`: accepting it twice would do harm, or the request cannot be sent again.
   *
   * A request that the upstream cannot have accepted is repeated whatever this says.
   */
  readonly repeat: 'once' | 'never'
  /** `new`: the request never uses a connection that was kept alive, since it could not be repeated if that was dead. */
  readonly connection: 'kept-alive' | 'new'
  /**
   * Where the call stands in the life of a message. `before`: it prepares a run, and carries no message. `run`: it carries
   * the message, so that the upstream may answer it although nobody hears of that. `beside`: it is about a run that was
   * sent, or about what the platform keeps.
   */
  readonly stage: 'before' | 'run' | 'beside'
}

const harmless = { repeat: 'once', connection: 'kept-alive', stage: 'beside' } as const
const preparing = { ...harmless, stage: 'before' } as const
/** A second acceptance is a second answer, billed and kept in the conversation's memory. */
const run = { repeat: 'never', connection: 'kept-alive', stage: 'run' } as const

/** The one table of the platform's calls. */
export const callRules: Readonly<Record<CozeCall, CallRule>> = {
  // Each try signs an assertion of its own: a `jti` is accepted once.
  token: { route: '/api/permission/oauth2/token', ...preparing },
  // A repeat may leave an empty conversation behind that nobody uses.
  'create-conversation': { route: '/v1/conversation/create', ...preparing },
  'retrieve-conversation': { route: '/v1/conversation/retrieve', ...harmless },
  // A repeat may find nothing any more, which is what was wanted.
  'delete-conversation': { route: '/v1/conversations/:conversation_id', ...harmless },
  'list-messages': { route: '/v1/conversation/message/list', ...harmless },
  'workflow-chat': { route: '/v1/workflows/chat', ...run },
  'bot-chat': { route: '/v3/chat', ...run },
  'tool-outputs': { route: '/v3/chat/submit_tool_outputs', ...run },
  'retrieve-chat': { route: '/v3/chat/retrieve', ...harmless },
  'list-chat-messages': { route: '/v3/chat/message/list', ...harmless },
  // A repeat may find the chat cancelled already, and is then refused: the cancel is understated, not done twice.
  'cancel-chat': { route: '/v3/chat/cancel', ...harmless },
  // The content is read once, as it comes from the caller: it is gone when the connection is lost.
  upload: { route: '/v1/files/upload', repeat: 'never', connection: 'new', stage: 'beside' },
  // A rating replaces the one before it.
  'give-feedback': {
    route: '/v1/conversations/:conversation_id/messages/:message_id/feedback',
    ...harmless,
  },
  'withdraw-feedback': {
    route: '/v1/conversations/:conversation_id/messages/:message_id/feedback',
    ...harmless,
  },
  'list-variables': { route: '/v1/variables', ...harmless },
  // Each value replaces the one before it.
  'set-variables': { route: '/v1/variables', ...harmless },
  'retrieve-bot': { route: '/v1/bots/:bot_id', ...harmless },
}
