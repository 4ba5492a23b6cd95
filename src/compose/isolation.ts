import type { Config } from '../config/config.ts'
import type { AssistantId } from '../domain.ts'
import type { IsolationPort } from '../graphql/context.ts'
import type { Breach } from '../isolation/breaches.ts'
import type { Verdicts } from '../isolation/verdicts.ts'
import { describeIsolation } from '../probe/assistant-isolation.ts'
import { startAssistantCheck } from '../probe/assistant-check.ts'
import { createProbeRuns } from '../probe/probe-runs.ts'
import { createProbeSchedule } from '../probe/schedule.ts'
import type { Instances } from '../store/store.ts'
import type { Assistants } from '../strategy/assistants.ts'
import type { Dependencies } from './dependencies.ts'

const hourMs = 3_600_000

/** What operators see and do about isolation, the check of the assistants at the start, and the scheduled probes. */
export interface Isolation extends IsolationPort, AsyncDisposable {
  /** Whether every assistant is served by a strategy that is ISOLATED. */
  isProven(): boolean
  /** Whether every assistant takes messages. */
  isInService(): boolean
}

export function openIsolation(
  { assistants: settings, probe }: Config,
  { clock, newId, random, logger }: Dependencies,
  {
    assistants,
    verdicts,
    instances,
  }: {
    readonly assistants: Assistants
    readonly verdicts: Verdicts
    readonly instances: Instances
  },
): Isolation {
  const stack = new AsyncDisposableStack()
  const common = { settings, assistants, clock, newId, logger }
  const probes = stack.use(
    createProbeRuns({
      ...common,
      depth: probe,
      prove: (target, proof) => verdicts.prove(target, proof),
    }),
  )
  const onBreach = (breach: Breach) => verdicts.breached(breach)
  if (probe.checkAtStart) stack.use(startAssistantCheck({ ...common, onBreach }))
  if (probe.intervalHours > 0) {
    const { intervalHours, jitterMinutes } = probe
    stack.use(
      createProbeSchedule({
        intervalMs: intervalHours * hourMs,
        jitterMs: jitterMinutes * 60_000,
        lastProof: () => verdicts.oldestProof(),
        // Each instance waits for as long and a little more: only the first one of them probes.
        isMine: () => instances.takeDuty('probe', (intervalHours * hourMs) / 2),
        begin: () => probes.begin({}),
        idle: () => probes.idle(),
        clock,
        random,
        logger,
      }),
    )
  }
  const byId = new Map(settings.map((assistant) => [assistant.id, assistant]))

  function describe(id: AssistantId) {
    const assistant = byId.get(id)
    if (assistant === undefined) throw new TypeError(`"${id}" is not configured`)
    return describeIsolation(assistant, {
      assistants,
      verdictOf: (target) => verdicts.verdictOf(target),
      records: verdicts.recordsOf(id),
    })
  }

  return {
    describe,
    clear: (id, operator) => verdicts.clear(id, operator),
    begin: (request) => probes.begin(request),
    find: (probeId) => probes.find(probeId),
    recent: () => probes.recent(),
    isProven: () =>
      settings.every(({ id }) => {
        const { verdict, inService } = describe(id)
        return inService && verdict === 'ISOLATED'
      }),
    isInService: () => settings.every(({ id }) => describe(id).inService),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
