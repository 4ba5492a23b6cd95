import type { StrategyKind } from '../domain.ts'
import type { ChatStrategy } from './strategy.ts'

/**
 * Chooses how an assistant is driven. `auto` is the Workflow: nothing takes one out of service yet, so its fallback Bot
 * only goes on with conversations that it began.
 */
export function createStrategySelector(assistant: {
  readonly strategy: StrategyKind | 'auto'
  readonly workflow?: ChatStrategy | undefined
  readonly bot?: ChatStrategy | undefined
}): (begunBy: StrategyKind | undefined) => ChatStrategy {
  const { strategy, workflow, bot } = assistant
  const kind = strategy === 'auto' ? 'workflow' : strategy
  const chosen = { workflow, bot }[kind]
  if (chosen === undefined)
    throw new TypeError(`"${kind}" must be given for strategy "${strategy}"`)
  /** A conversation stays with the strategy that began it, while that is configured. */
  return (begunBy) => (begunBy === undefined ? undefined : { workflow, bot }[begunBy]) ?? chosen
}
