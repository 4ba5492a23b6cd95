import type { StrategyKind, UpstreamScope } from '../domain.ts'

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
