import type { AssistantQuota } from '../config/sections/assistant.ts'
import type { AssistantId, SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { type Circuit, createCircuit } from './circuit.ts'
import { createPermits, type Permit, type Permits, type SessionRuns } from './permits.ts'
import type { QuotaShare } from './quota-share.ts'

export interface AdmissionOptions {
  readonly quotas: ReadonlyMap<AssistantId, AssistantQuota>
  /** Opens what this gateway may use of an assistant's quota. */
  readonly shareOf: (id: AssistantId, quota: AssistantQuota) => QuotaShare
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

/** What an assistant does now, of what it may do. */
export interface AssistantLoad {
  /** Replies that run, and that wait for a permit. */
  readonly running: number
  readonly waiting: number
  readonly quota: AssistantQuota
  readonly circuit: Pick<Circuit, 'state' | 'retryAfterMs'>
}

/** Hands out the permits of all assistants, and knows whether they can be reached. */
export interface Admission extends Disposable {
  /** A permit that is not held yet; of an assistant that is not configured any more, one that is always free. */
  permit(assistantId: AssistantId, sessionId: SessionId): Permit
  circuit(assistantId: AssistantId): Circuit | undefined
  /** What an assistant does now, of what it may do. Undefined: it is not configured. */
  loadOf(assistantId: AssistantId): AssistantLoad | undefined
  /** Some assistant is left alone since it cannot be reached. */
  isDegraded(): boolean
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { clock, logger, metrics } = options
  const shares = new DisposableStack()
  const sessions = createSessionRuns(options.maxRunningPerSession)
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
    let load = { waiting: 0, running: 0 }
    const permits = createPermits({
      share: shares.use(options.shareOf(id, quota)),
      sessions,
      circuit,
      clock,
      onLength(waiting, running) {
        load = { waiting, running }
        metrics.queueLength(id, waiting, running)
      },
    })
    metrics.circuitChanged(id, circuit.state)
    metrics.queueLength(id, 0, 0)
    const loadNow = (): AssistantLoad => ({ ...load, quota, circuit })
    return { permits, circuit, loadNow } satisfies {
      permits: Permits
      circuit: Circuit
      loadNow: () => AssistantLoad
    }
  }

  return {
    permit: (assistantId, sessionId) =>
      assistants.get(assistantId)?.permits.permit(sessionId) ?? freePermit,
    circuit: (assistantId) => assistants.get(assistantId)?.circuit,
    loadOf: (assistantId) => assistants.get(assistantId)?.loadNow(),
    isDegraded: () => [...assistants.values()].some(({ circuit }) => circuit.state !== 'closed'),
    [Symbol.dispose]() {
      for (const { permits } of assistants.values()) permits[Symbol.dispose]()
      shares.dispose()
    },
  }
}

const freePermit: Permit = {
  isHeld: true,
  tryTake: () => true,
  take: async () => undefined,
  release: () => undefined,
  [Symbol.dispose]: () => undefined,
}

/** Counts the replies of each session that run, over all assistants. */
export function createSessionRuns(maxRunning: number): SessionRuns {
  const running = new Map<SessionId, number>()
  const listeners = new Set<(sessionId: SessionId) => void>()
  const count = (sessionId: SessionId) => running.get(sessionId) ?? 0
  return {
    hasRoom: (sessionId) => count(sessionId) < maxRunning,
    add: (sessionId) => void running.set(sessionId, count(sessionId) + 1),
    remove(sessionId) {
      const left = count(sessionId) - 1
      if (left > 0) running.set(sessionId, left)
      else running.delete(sessionId)
      for (const run of listeners) run(sessionId)
    },
    listen(run) {
      listeners.add(run)
      return { [Symbol.dispose]: () => void listeners.delete(run) }
    },
  }
}
