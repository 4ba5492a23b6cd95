import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { ProbeSettings } from '../config/sections/probe.ts'
import type { AssistantId } from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'
import type { ProbeDepth, ProbeReport, ProbeRequest } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Assistants } from '../strategy/assistants.ts'
import { strategiesOf } from '../strategy/targets.ts'
import { adviseOnFailure } from './failure-advice.ts'
import { drivenAs } from './finding-advice.ts'
import { estimateCalls, probe } from './probe.ts'

/** The targets of a probe: an `auto` assistant has two. @throws `TypeError` when there is no such assistant */
export function targetsOf(
  assistants: readonly AssistantSettings[],
  assistantId?: AssistantId,
): readonly IsolationTarget[] {
  const wanted = assistants.filter(({ id }) => assistantId === undefined || id === assistantId)
  if (wanted.length === 0) throw new TypeError(`there is no assistant "${assistantId}"`)
  return wanted.flatMap((assistant) =>
    strategiesOf(assistant).map((strategy) => ({ assistantId: assistant.id, strategy })),
  )
}

/** The most upstream calls that the probes of a request make. @throws `TypeError` when there is no such assistant */
export function maxCallsOf(
  assistants: readonly AssistantSettings[],
  configured: ConfiguredDepth,
  { assistantId: wanted, ...asked }: ProbeRequest,
): number {
  const calls = targetsOf(assistants, wanted).map(({ assistantId }) => {
    const assistant = assistants.find(({ id }) => id === assistantId)
    return estimateCalls(depthOf(configured, asked), assistant?.probe.answers.length ?? 0)
  })
  return calls.reduce((sum, count) => sum + count, 0)
}

export type ConfiguredDepth = Pick<ProbeSettings, 'trials' | 'budget'>

function depthOf(
  configured: ConfiguredDepth,
  { trials = configured.trials, budget = configured.budget, ...asked }: ProbeRequest,
): ProbeDepth {
  return { ...asked, trials, budget }
}

export interface ProbeAssistantsOptions {
  readonly depth: ConfiguredDepth
  readonly settings: readonly AssistantSettings[]
  /** The assistants that serve users. */
  readonly assistants: Assistants
  readonly clock: Clock
  readonly newId: NewId
  readonly onProgress?: ((step: string) => void) | undefined
}

/**
 * Probes assistants one after another.
 * @throws {@link ProbeError}; the signal's reason; `TypeError` for an assistant that is not configured
 */
export async function* probeAssistants(
  { settings, assistants, onProgress, depth: configured, ...common }: ProbeAssistantsOptions,
  { assistantId: wanted, ...asked }: ProbeRequest,
  signal: AbortSignal,
): AsyncGenerator<ProbeReport, void, undefined> {
  for (const { assistantId, strategy: kind } of targetsOf(settings, wanted)) {
    const choice = assistants.strategyOf(assistantId, kind)
    const records = assistants.recordsOf(assistantId, kind)
    const assistant = settings.find(({ id }) => id === assistantId)
    if (!choice || !records || !assistant) throw new TypeError(`"${assistantId}" cannot be probed`)
    onProgress?.(`${assistantId} as a ${kind}`)
    yield await probe(
      {
        ...common,
        ...depthOf(configured, asked),
        ...drivenAs(kind, assistant),
        assistantId,
        strategy: choice.strategy,
        records,
        answers: assistant.probe.answers,
        describe: (error) => adviseOnFailure(error, assistant, kind),
        onProgress,
      },
      signal,
    )
  }
}
