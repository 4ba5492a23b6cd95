import type { AssistantQuota } from '../config/assistant.ts'
import type { AssistantId, SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { type Circuit, createCircuit } from './circuit.ts'
import { createGate, type Gate, type Place } from './gate.ts'
import { createSessionPlaces } from './session-places.ts'

export interface GatesOptions {
  readonly quotas: ReadonlyMap<AssistantId, AssistantQuota>
  /** Replies of one session that run at once, over all assistants. */
  readonly maxRunningPerSession: number
  /** Failures in a row to reach an assistant after which it is not asked for a while. */
  readonly circuitFailures: number
  /** How long it is not asked then, in ms. */
  readonly circuitMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The gates of all assistants, and whether they can be reached. */
export interface Gates extends Disposable {
  /** A place that is not taken yet; at an assistant that is not configured any more, one that is always free. */
  place(assistantId: AssistantId, sessionId: SessionId): Place
  circuit(assistantId: AssistantId): Circuit | undefined
  /** Some assistant is left alone since it cannot be reached. */
  isDegraded(): boolean
}

export function createGates(options: GatesOptions): Gates {
  const { clock, logger, metrics } = options
  const sessions = createSessionPlaces(options.maxRunningPerSession)
  const assistants = new Map(
    [...options.quotas].map(([id, quota]) => [id, createAssistant(id, quota)]),
  )

  function createAssistant(id: AssistantId, quota: AssistantQuota) {
    const circuit = createCircuit({
      failures: options.circuitFailures,
      openMs: options.circuitMs,
      clock,
      onChange(state) {
        metrics.circuitChanged(id, state)
        if (state === 'closed') logger.info({ assistant: id }, 'assistant can be reached again')
        else if (state === 'open') logger.warn({ assistant: id }, 'assistant cannot be reached')
        else logger.info({ assistant: id }, 'assistant is tried again')
      },
    })
    const gate = createGate({
      maxRunning: quota.maxRunning,
      startsPerSecond: quota.startsPerSecond,
      sessions,
      circuit,
      clock,
      onLength: (waiting, running) => metrics.queueLength(id, waiting, running),
    })
    metrics.circuitChanged(id, circuit.state)
    metrics.queueLength(id, 0, 0)
    return { gate, circuit } satisfies { gate: Gate; circuit: Circuit }
  }

  return {
    place: (assistantId, sessionId) =>
      assistants.get(assistantId)?.gate.place(sessionId) ?? freePlace,
    circuit: (assistantId) => assistants.get(assistantId)?.circuit,
    isDegraded: () => [...assistants.values()].some(({ circuit }) => circuit.state !== 'closed'),
    [Symbol.dispose]() {
      for (const { gate } of assistants.values()) gate[Symbol.dispose]()
    },
  }
}

const freePlace: Place = {
  isTaken: true,
  take: async () => undefined,
  giveBack: () => undefined,
  [Symbol.dispose]: () => undefined,
}
