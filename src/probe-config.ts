import type { Config } from './config/config.ts'
import { createCozeClient, type CozeClientOptions } from './coze/client.ts'
import type { ProbeReport, ProbeRequest } from './domain/probe.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createRandomIds, type NewId } from './lib/id.ts'
import type { Metrics } from './observe/metrics.ts'
import { createOpenTelemetryTracer } from './observe/opentelemetry.ts'
import { createPrometheusMetrics } from './observe/prometheus.ts'
import type { Tracer } from './observe/tracer.ts'
import { createAssistants } from './strategy/assistants.ts'
import { type Checkup, checkUp } from './probe/checkup.ts'
import { probeAssistants } from './probe/probe-assistants.ts'

/** What a probe takes from outside; all have real defaults. */
export interface ProbeDependencies {
  readonly metrics?: Metrics
  readonly tracer?: Tracer
  /** The way to the upstream. Default: an agent of its own. */
  readonly dispatcher?: CozeClientOptions['dispatcher']
  readonly clock?: Clock
  readonly newId?: NewId
  /** Gives [0, 1). */
  readonly random?: () => number
  /** Hears what is going on: sentences without secrets. */
  readonly onProgress?: ((step: string) => void) | undefined
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
  await using parts = await openAssistants(config, dependencies)
  return await Array.fromAsync(probeAssistants(parts, request, signal))
}

/** Looks at the configured assistants one after another, with one message to each. @throws `TypeError` for one that does not keep sessions apart */
export async function checkUpConfig(
  config: Config,
  dependencies: ProbeDependencies,
  signal: AbortSignal,
): Promise<readonly Checkup[]> {
  await using parts = await openAssistants(config, dependencies)
  return await Array.fromAsync(checkUp({ ...parts, speaks: true }, signal))
}

/** The configured assistants with no gateway around them. */
async function openAssistants(config: Config, dependencies: ProbeDependencies) {
  const { clock = systemClock, newId = createRandomIds(), random = Math.random } = dependencies
  const { metrics = createPrometheusMetrics(), tracer = createOpenTelemetryTracer() } = dependencies
  const { dispatcher, onProgress } = dependencies
  const { timeouts, limits, assistants: settings } = config
  await using stack = new AsyncDisposableStack()
  const client = stack.use(
    createCozeClient({
      clock,
      random,
      metrics,
      tracer,
      // What failed is in the report.
      onFailure: () => undefined,
      timeouts,
      limits,
      dispatcher,
    }),
  )
  const assistants = stack.use(
    createAssistants(settings, {
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
  const owned = stack.move()
  return {
    settings,
    assistants,
    clock,
    newId,
    onProgress,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
