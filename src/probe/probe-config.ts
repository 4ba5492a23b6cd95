import type { Config } from '../config.ts'
import { createCozeClient } from '../coze/client.ts'
import type { AssistantId } from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'
import { strategiesOf } from '../strategy/targets.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createRandomIds, type NewId } from '../lib/id.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import { createAssistants } from '../strategy/assistants.ts'
import { type KnowledgeCanary, probe, type ProbeReport } from './probe.ts'

export interface ProbeRequest {
  /** Default: all that are configured. */
  readonly assistantId?: AssistantId | undefined
  readonly trials?: number | undefined
  /** Upstream calls for each strategy of an assistant. */
  readonly budget?: number | undefined
  readonly questionTrigger?: string | undefined
  readonly knowledge?: readonly KnowledgeCanary[] | undefined
}

export interface ProbeDependencies {
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly clock?: Clock
  readonly newId?: NewId
  /** Gives [0, 1). */
  readonly random?: () => number
  readonly onProgress?: ((step: string) => void) | undefined
}

/** @throws `TypeError` when there is no such assistant */
export function targetsOf(
  { assistants }: Pick<Config, 'assistants'>,
  assistantId?: AssistantId,
): readonly IsolationTarget[] {
  const wanted = assistants.filter(({ id }) => assistantId === undefined || id === assistantId)
  if (wanted.length === 0) throw new TypeError(`there is no assistant "${assistantId}"`)
  return wanted.flatMap((assistant) =>
    strategiesOf(assistant).map((strategy) => ({ assistantId: assistant.id, strategy })),
  )
}

/**
 * Probes the configured assistants one after another, with no gateway and no store: the sessions never were.
 * @throws {@link ProbeError}; `TypeError` for an assistant that is not configured or does not keep sessions apart
 */
export async function probeConfig(
  config: Config,
  request: ProbeRequest,
  dependencies: ProbeDependencies,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  const { metrics, tracer, clock = systemClock, newId = createRandomIds() } = dependencies
  const { random = Math.random, onProgress } = dependencies
  const { timeouts, limits } = config
  await using stack = new AsyncDisposableStack()
  const client = stack.use(createCozeClient({ clock, random, metrics, tracer, timeouts, limits }))
  const assistants = stack.use(
    createAssistants(config.assistants, {
      client,
      clock,
      random,
      newId,
      metrics,
      timeouts,
      limits,
      verdictOf: () => 'UNPROVEN',
    }),
  )
  const reports: ProbeReport[] = []
  for (const { assistantId, strategy: kind } of targetsOf(config, request.assistantId)) {
    const choice = assistants.strategyOf(assistantId, kind)
    const records = assistants.recordsOf(assistantId, kind)
    const settings = config.assistants.find(({ id }) => id === assistantId)
    if (!choice || !records || !settings) throw new TypeError(`"${assistantId}" cannot be probed`)
    onProgress?.(`${assistantId} as a ${kind}`)
    const { strategy } = choice
    const hasSharedToken = settings.credentials.type === 'token'
    const about = { assistantId, strategy, records, hasSharedToken, clock, newId, onProgress }
    reports.push(await probe({ ...request, ...about }, signal))
  }
  return reports
}
