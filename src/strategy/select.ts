import type { StrategyKind } from '../domain.ts'
import type { ChatStrategy } from './strategy.ts'

/** How an assistant is driven. */
export interface Choice {
  readonly strategy: ChatStrategy
  /** Why so: a lower-case sentence for operators. */
  readonly reason: string
}

/**
 * Chooses how an assistant is driven. `auto` is the Workflow: nothing takes one out of service yet, so its fallback Bot
 * only goes on with conversations that it began.
 */
export function createStrategySelector(assistant: {
  readonly strategy: StrategyKind | 'auto'
  readonly workflow?: ChatStrategy | undefined
  readonly bot?: ChatStrategy | undefined
}): (begunBy: StrategyKind | undefined) => Choice {
  const { strategy, workflow, bot } = assistant
  const kind = strategy === 'auto' ? 'workflow' : strategy
  const chosen = { workflow, bot }[kind]
  if (chosen === undefined)
    throw new TypeError(`"${kind}" must be given for strategy "${strategy}"`)
  const configured = strategy === 'auto' ? 'the workflow is in service' : 'configured'

  /** A conversation stays with the strategy that began it, while that is configured. */
  return (begunBy) => {
    if (begunBy === undefined) return { strategy: chosen, reason: configured }
    const begun = { workflow, bot }[begunBy]
    return begun === undefined
      ? { strategy: chosen, reason: 'the one that began the conversation is not configured' }
      : { strategy: begun, reason: 'the conversation was begun by it' }
  }
}
