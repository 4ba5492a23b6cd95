import type { Config } from '../config/config.ts'
import type { ProbeReport, ProbeRequest } from '../domain/probe.ts'
import { type Checkup, checkUp } from '../probe/checkup.ts'
import { probeAssistants } from '../probe/probe-assistants.ts'
import { openAssistants } from './assistants.ts'
import { type Dependencies, withDefaults } from './dependencies.ts'

/** What a probe takes from outside; all have real defaults. */
export interface ProbeDependencies extends Partial<Dependencies> {
  /** Called with a sentence without secrets for each step. */
  readonly onProgress?: ((step: string) => void) | undefined
}

/**
 * Probes the configured assistants one after another, with sessions of its own, without a gateway and without a store.
 * @throws {@link ProbeError}; `TypeError` for an assistant that is not configured or does not keep sessions apart
 */
export async function probeConfig(
  config: Config,
  request: ProbeRequest,
  given: ProbeDependencies,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  await using parts = await openParts(config, given)
  return await Array.fromAsync(probeAssistants(parts, request, signal))
}

/**
 * Looks at the configured assistants one after another, with one message to each.
 * @throws `TypeError` for one that does not keep sessions apart
 */
export async function checkUpConfig(
  config: Config,
  given: Partial<Dependencies>,
  signal: AbortSignal,
): Promise<readonly Checkup[]> {
  await using parts = await openParts(config, given)
  return await Array.fromAsync(checkUp({ ...parts, speaks: true }, signal))
}

/** The configured assistants with no gateway around them. */
async function openParts(config: Config, { onProgress, ...given }: ProbeDependencies) {
  const dependencies = withDefaults(given, config)
  const { clock, newId } = dependencies
  const assistants = await openAssistants(config, dependencies, {
    // The report says what failed.
    onFailure: () => undefined,
    verdictOf: () => 'UNPROVEN',
  })
  return {
    settings: config.assistants,
    depth: config.probe,
    assistants,
    clock,
    newId,
    onProgress,
    [Symbol.asyncDispose]: () => assistants[Symbol.asyncDispose](),
  }
}
