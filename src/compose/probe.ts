import type { Config } from '../config/config.ts'
import type { ProbeReport, ProbeRequest } from '../domain/probe.ts'
import { type AssistantCheck, checkAssistants } from '../probe/assistant-check.ts'
import { probeAssistants } from '../probe/probe-assistants.ts'
import { openAssistants } from './assistants.ts'
import { type Dependencies, withDefaults } from './dependencies.ts'

/** The dependencies of a probe. All have real defaults. */
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
 * Checks the configured assistants one after another, with one message to each.
 * @throws `TypeError` for one that does not keep sessions apart
 */
export async function checkConfigOnline(
  config: Config,
  given: Partial<Dependencies>,
  signal: AbortSignal,
): Promise<readonly AssistantCheck[]> {
  await using parts = await openParts(config, given)
  return await Array.fromAsync(checkAssistants({ ...parts, sendsMessage: true }, signal))
}

/** The configured assistants, without a gateway. */
async function openParts(config: Config, { onProgress, ...given }: ProbeDependencies) {
  const dependencies = withDefaults(given, config)
  const { clock, newId } = dependencies
  const assistants = await openAssistants(config, dependencies, {
    // The report describes failures.
    onFailure: () => undefined,
    verdictOf: () => 'UNPROVEN',
    lane: undefined,
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
