import type { StrategyKind } from '../domain.ts'
import type { OnBreach, TargetVerdict } from '../domain/isolation.ts'
import type { ChatStrategy } from './strategy.ts'

/** How an assistant is driven. */
export interface Choice {
  readonly strategy: ChatStrategy
  /** Why so: a lower-case sentence for operators. */
  readonly reason: string
}

/** Nothing is sent to the assistant now; `reason` is a sentence for callers. */
export interface OutOfService {
  readonly strategy: undefined
  readonly reason: string
}

export interface StrategySelector {
  /** How what was begun is gone on with, whatever has been found out since. */
  goOn(begunBy: StrategyKind | undefined): Choice
  /** How a message is answered, if it may be: by what began the conversation, as long as that is in service. */
  serve(begunBy: StrategyKind | undefined): Choice | OutOfService
}

function given(strategy: ChatStrategy | undefined, kind: StrategyKind): ChatStrategy {
  if (strategy === undefined) throw new TypeError(`a ${kind} must be given`)
  return strategy
}

/** Chooses how an assistant is driven, by what is known of how each of its strategies keeps sessions apart. */
export function createStrategySelector(assistant: {
  readonly strategy: StrategyKind | 'auto'
  readonly workflow?: ChatStrategy | undefined
  readonly bot?: ChatStrategy | undefined
  readonly onBreach: OnBreach
  readonly requireProof: boolean
  readonly verdictOf: (strategy: StrategyKind) => TargetVerdict
}): StrategySelector {
  const { strategy, workflow, bot, onBreach, requireProof, verdictOf } = assistant
  const first = strategy === 'auto' ? 'workflow' : strategy
  const chosen = given({ workflow, bot }[first], first)
  const configured = [workflow, bot].filter((one) => one !== undefined)

  function isInService({ kind }: ChatStrategy): boolean {
    const verdict = verdictOf(kind)
    switch (verdict) {
      case 'ISOLATED':
        return true
      case 'UNPROVEN':
      case 'INCONCLUSIVE':
      case 'STALE':
        return !requireProof
      case 'LEAKING':
      case 'BREACHED':
        return onBreach === 'alert' && !requireProof
    }
  }

  function isQuarantined(): boolean {
    return (
      onBreach === 'quarantine' && configured.some(({ kind }) => verdictOf(kind) === 'BREACHED')
    )
  }

  function goOn(begunBy: StrategyKind | undefined): Choice {
    const begun = begunBy && { workflow, bot }[begunBy]
    if (begun !== undefined) {
      return { strategy: begun, reason: 'the conversation was begun by it' }
    }
    if (begunBy !== undefined) {
      return {
        strategy: chosen,
        reason: 'the one that began the conversation is not configured',
      }
    }
    return {
      strategy: chosen,
      reason: strategy === 'auto' ? 'the workflow is in service' : 'configured',
    }
  }

  return {
    goOn,
    serve(begunBy) {
      const wanted = goOn(begunBy)
      if (isQuarantined()) return outOfService(leaking)
      if (isInService(wanted.strategy)) return wanted
      const other = configured.find((one) => one !== wanted.strategy && isInService(one))
      if (other !== undefined) {
        const { kind } = wanted.strategy
        return { strategy: other, reason: `the ${kind} is out of service: ${verdictOf(kind)}` }
      }
      const isLeaking = configured.some(({ kind }) => isLeak(verdictOf(kind)))
      return outOfService(isLeaking ? leaking : unproven)
    },
  }
}

const leaking = 'The assistant is out of service: its sessions may not be kept apart.'
const unproven = 'The assistant is not in service: it is not proven that it keeps sessions apart.'

function outOfService(reason: string): OutOfService {
  return { strategy: undefined, reason }
}

function isLeak(verdict: TargetVerdict): boolean {
  return verdict === 'LEAKING' || verdict === 'BREACHED'
}
