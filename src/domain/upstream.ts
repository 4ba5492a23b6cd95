import type { StrategyKind, UpstreamScope } from '../domain.ts'

/** Every kind of request that the gateway makes to a platform (`key-set`: to an issuer of tokens). */
export type UpstreamCall =
  | 'token'
  | 'create-conversation'
  | 'retrieve-conversation'
  | 'delete-conversation'
  | 'list-messages'
  | 'workflow-chat'
  | 'bot-chat'
  | 'tool-outputs'
  | 'retrieve-chat'
  | 'list-chat-messages'
  | 'cancel-chat'
  | 'upload'
  | 'give-feedback'
  | 'withdraw-feedback'
  | 'list-variables'
  | 'set-variables'
  | 'retrieve-bot'
  | 'key-set'

/** Facts of a failed call, for operators. They never hold a token or what somebody wrote. */
export interface UpstreamFailure {
  readonly call: UpstreamCall
  /** Host and port that were called. */
  readonly host: string
  /** The class of the failure, such as `unavailable`, `tls` or `auth`. */
  readonly kind: string
  /** Why the connection failed: `ENOTFOUND`, `ECONNREFUSED`, `CONNECT_TIMEOUT`, `DEPTH_ZERO_SELF_SIGNED_CERT`, … */
  readonly systemCode: string | undefined
  /** The upstream's own code. */
  readonly upstreamCode: string | undefined
  readonly httpStatus: number | undefined
  readonly logId: string | undefined
}

/** The upstream side of a conversation. */
export interface UpstreamBinding {
  readonly scope: UpstreamScope
  readonly strategy: StrategyKind
  readonly conversationId: string
}

/** An account upstream, and the strategy that drives it. */
export type UpstreamAccount = Pick<UpstreamBinding, 'scope' | 'strategy'>

/** A chat as the upstream knows it. */
export interface UpstreamChat {
  readonly upstream: UpstreamBinding
  readonly chatId: string
}
