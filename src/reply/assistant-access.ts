import type { AssistantId, StrategyKind, UpstreamScope } from '../domain.ts'
import type { UpstreamPlace } from '../store/ledger.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import type { Choice, OutOfService } from '../strategy/select.ts'

/** How the assistants are reached, as they are configured now. */
export interface AssistantAccess {
  /** How what `bound` began is gone on with; undefined: the assistant is not configured. */
  strategyOf(assistantId: AssistantId, bound: StrategyKind | undefined): Choice | undefined
  /** How a message is answered in a conversation that `bound` began, if it may be. */
  serve(
    assistantId: AssistantId,
    bound: StrategyKind | undefined,
  ): Choice | OutOfService | undefined
  /** What the platform keeps of its sessions; undefined: the assistant is not configured. */
  recordsOf(assistantId: AssistantId, kind?: StrategyKind): AssistantRecords | undefined
}

/** The records that hold an upstream conversation; undefined: they are out of reach, its account or assistant is not ours now. */
export function recordsFor(
  access: AssistantAccess,
  assistantId: AssistantId,
  { scope, strategy }: UpstreamPlace,
): AssistantRecords | undefined {
  const choice = access.strategyOf(assistantId, strategy)
  if (choice === undefined || !isSameScope(choice.strategy.scope, scope)) return undefined
  return access.recordsOf(assistantId, strategy)
}

/** Ids of another account mean nothing to this one. */
export function isSameScope(a: UpstreamScope, b: UpstreamScope): boolean {
  return a.origin === b.origin && a.account === b.account
}
