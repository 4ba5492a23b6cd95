import type { AssistantSettings } from '../config/sections/assistant.ts'
import type {
  AssistantIsolation,
  Finding,
  IsolationRecord,
  IsolationTarget,
  TargetVerdict,
} from '../domain/isolation.ts'
import type { Assistants } from '../strategy/assistants.ts'
import { strategiesOf } from '../strategy/targets.ts'
import { adviseOnFinding, drivenAs } from './finding-advice.ts'

/** Describes for operators what is known about the isolation of an assistant. */
export function describeIsolation(
  assistant: AssistantSettings,
  options: {
    readonly assistants: Assistants
    readonly verdictOf: (target: IsolationTarget) => TargetVerdict
    readonly records: readonly IsolationRecord[]
  },
): AssistantIsolation {
  const { assistants, verdictOf, records } = options
  const { id: assistantId } = assistant
  const [first, ...rest] = strategiesOf(assistant)
  if (first === undefined) throw new TypeError('an assistant has a strategy')
  const serving = assistants.serve(assistantId, undefined)?.strategy?.kind
  const strategy = serving ?? first
  const shown = records.find(({ target }) => target.strategy === strategy)
  return {
    verdict: verdictOf({ assistantId, strategy }),
    inService: serving !== undefined,
    checkedAt: shown?.proof?.checkedAt ?? null,
    findings: records.flatMap((record) =>
      findingsOf(record, assistant).map((finding) => ({
        ...finding,
        strategy: record.target.strategy,
      })),
    ),
    keying: [first, ...rest].map((kind) => ({
      strategy: kind,
      layers: assistants.strategyOf(assistantId, kind)?.strategy.layers ?? [],
    })),
  }
}

const clearing =
  'After the change, probe the assistant through the running gateway, and clear the breach with the mutation clearQuarantine.'

function findingsOf(
  { target, proof, breach }: IsolationRecord,
  assistant: AssistantSettings,
): readonly Finding[] {
  const found = proof?.findings ?? []
  if (breach === null) return found
  const layer = 'conversation'
  const { cause, remedy } = adviseOnFinding(layer, drivenAs(target.strategy, assistant))
  const met: Finding = {
    layer,
    verdict: 'LEAKING',
    reason: breach.what,
    cause,
    remedy: `${remedy} ${clearing}`,
    evidence: [breach],
  }
  return [met, ...found]
}
