import type { AssistantId, StrategyKind, UpstreamScope } from '../domain.ts'
import type { UpstreamAccount } from '../domain/upstream.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import type { Choice, OutOfService } from '../strategy/select.ts'

/** How the assistants are reached, as they are configured now. */
export interface AssistantAccess {
  /** The strategy that continues a conversation started by `begunBy`; undefined: the assistant is not configured. */
  strategyOf(assistantId: AssistantId, begunBy: StrategyKind | undefined): Choice | undefined
  /** How a message is answered in a conversation that was started by `begunBy`, if it may be. */
  serve(
    assistantId: AssistantId,
    begunBy: StrategyKind | undefined,
  ): Choice | OutOfService | undefined
  /** What the platform keeps of its sessions; undefined: the assistant is not configured. */
  recordsOf(assistantId: AssistantId, kind?: StrategyKind): AssistantRecords | undefined
}

const kinds: readonly StrategyKind[] = ['workflow', 'bot']

/** The accounts in which a bound conversation of the assistant goes on. */
export function servedAccounts(
  access: Pick<AssistantAccess, 'serve'>,
  assistantId: AssistantId,
): readonly UpstreamAccount[] {
  return kinds.flatMap((kind) => {
    const strategy = access.serve(assistantId, kind)?.strategy
    return strategy?.kind === kind ? { scope: strategy.scope, strategy: kind } : []
  })
}

/** The strategy that reaches an account; undefined: it is out of reach, or the assistant is not ours now. */
export function choiceFor(
  access: Pick<AssistantAccess, 'strategyOf'>,
  assistantId: AssistantId,
  { scope, strategy }: UpstreamAccount,
): Choice | undefined {
  const choice = access.strategyOf(assistantId, strategy)
  return choice !== undefined && isSameScope(choice.strategy.scope, scope) ? choice : undefined
}

/** The records of an account; undefined: as for {@link choiceFor}. */
export function recordsFor(
  access: AssistantAccess,
  assistantId: AssistantId,
  account: UpstreamAccount,
): AssistantRecords | undefined {
  if (choiceFor(access, assistantId, account) === undefined) return undefined
  return access.recordsOf(assistantId, account.strategy)
}

/** Ids of another account mean nothing to this one. */
export function isSameScope(a: UpstreamScope, b: UpstreamScope): boolean {
  return a.origin === b.origin && a.account === b.account
}
