import { createEncounters } from '../isolation/encounters.ts'
import type { Breach } from '../isolation/breaches.ts'
import type { Clock } from '../lib/clock.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { Logger } from '../observe/logger.ts'
import type { Ledger } from '../store/ledger.ts'
import type { ReplyLog } from '../store/log.ts'
import type { Instances } from '../store/store.ts'
import { type Admission, type AdmissionOptions, createAdmission } from './admission.ts'
import { type Canceller, createCanceller } from './canceller.ts'
import { createReplyQueue, type ReplyQueue } from './queue.ts'
import { createRunTraces, type RunTraces, type RunTracesOptions, StopRequest } from './run.ts'
import { createRunner, type RunnerOptions } from './runner.ts'
import { createPendingToolOutputs, type PendingToolOutputs } from './tool-outputs.ts'

export interface ReplyEngineOptions
  extends
    Omit<RunnerOptions, keyof ReplyEngine | 'encounters' | 'ledger'>,
    AdmissionOptions,
    TrimmingOptions,
    RunTracesOptions {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly instances: Instances
  /** Called when two have met in one upstream conversation. */
  readonly onBreach: (breach: Breach) => void
}

/** Runs replies and remembers what they said. One per process and store. */
export interface ReplyEngine extends AsyncDisposable {
  readonly admission: Admission
  readonly queue: ReplyQueue
  readonly canceller: Canceller
  readonly pendingOutputs: PendingToolOutputs
  readonly traces: RunTraces
  /** Aborts when nothing more is accepted. */
  readonly draining: AbortSignal
  /** Aborts when the engine is closed. */
  readonly closed: AbortSignal
  /**
   * Takes up the replies that an earlier process left behind, and from then on those that a dead instance of several leaves
   * behind. Call once, before the first request.
   */
  recover(): Promise<void>
  /** Some assistant cannot be reached: the gateway serves, but not all it should. */
  isDegraded(): boolean
  /**
   * Accepts nothing more and lets what runs finish, until the signal aborts. The rest is left to other instances where they
   * can go on with it, else it ends as FAILED `SHUTDOWN`. What
   * waits in a queue is for other instances from now on, and what waits for its session from the end on; where there is
   * none, both are found at the next start.
   */
  drain(signal: AbortSignal): Promise<void>
}

export function createReplyEngine(options: ReplyEngineOptions): ReplyEngine {
  const { ledger, instances, clock, logger } = options
  const draining = new AbortController()
  const closed = new AbortController()
  const signals = { draining: draining.signal, closed: closed.signal }
  const admission = createAdmission(options)
  const encounters = createEncounters({
    ...options,
    stopBreached: (ids) => queue.stopBreached(ids),
  })
  const pendingOutputs = createPendingToolOutputs()
  const inside = { ...options, ...signals, admission, encounters, pendingOutputs }
  const traces = createRunTraces(options)
  const runner = createRunner(inside)
  const queue: ReplyQueue = createReplyQueue({ ...inside, runner, traces })
  const canceller = createCanceller({ ...inside, queue })
  const trimming = trimRegularly(options, closed.signal)

  let takingUp: Promise<void> | undefined

  async function takeUp(): Promise<void> {
    for (const orphan of await ledger.orphans()) queue.takeOver(orphan)
    for (const conversation of await ledger.waiting()) queue.resume(conversation)
  }

  async function takeUpRegularly(): Promise<void> {
    for (;;) {
      await clock.sleep(takeUpEveryMs, signals.draining).catch(() => undefined)
      if (draining.signal.aborted) return
      try {
        await takeUp()
      } catch (error) {
        // What is damaged, or a store that fails, keeps nobody from what comes next.
        logger.error({ err: error }, 'what nobody runs could not be taken up')
      }
    }
  }

  /** Where that fails, the others take it once this instance is gone. */
  async function handOver(): Promise<void> {
    try {
      await ledger.handOver()
    } catch (error) {
      logger.warn({ err: error }, 'what waits could not be handed over')
    }
  }

  async function drain(signal: AbortSignal): Promise<void> {
    draining.abort(new StopRequest('shutdown'))
    queue.pause()
    if (instances.isShared) void handOver()
    using _ = onAbort(signal, () => closed.abort(new StopRequest('shutdown')))
    await queue.drain(signal)
  }

  return {
    admission,
    queue,
    canceller,
    pendingOutputs,
    traces,
    ...signals,
    async recover() {
      await takeUp()
      if (instances.isShared) takingUp ??= takeUpRegularly()
    },
    isDegraded: () => admission.isDegraded(),
    drain,
    async [Symbol.asyncDispose]() {
      await drain(AbortSignal.abort())
      await Promise.all([trimming, takingUp])
      admission[Symbol.dispose]()
    },
  }
}

/** How often what nobody runs is looked for, in ms. */
const takeUpEveryMs = 500

export interface TrimmingOptions {
  readonly instances: Pick<Instances, 'takeDuty'>
  readonly ledger: Pick<Ledger, 'trimMessages'>
  readonly log: Pick<ReplyLog, 'trim'>
  readonly clock: Clock
  readonly logger: Logger
  /** How long events outlive their reply, in ms. */
  readonly retentionMs: number
  /** How long messages are kept after they were written, in ms; undefined: until their conversation is deleted. */
  readonly messageRetentionMs: number | undefined
}

/** How often what is old is trimmed, in ms. */
const trimEveryMs = 60_000

/** Trims what has outlived its time, until the engine is closed. */
async function trimRegularly(options: TrimmingOptions, closed: AbortSignal): Promise<void> {
  const { ledger, log, clock, logger, messageRetentionMs } = options

  /** A store does a bounded part of it at a time, until nothing is left. */
  async function all(what: string, trim: () => Promise<number>): Promise<void> {
    try {
      while ((await trim()) > 0) await clock.sleep(0, closed)
    } catch (error) {
      if (!closed.aborted) logger.error({ err: error, what }, 'what is old could not be trimmed')
    }
  }

  /** One of several instances trims. */
  async function isMine(): Promise<boolean> {
    try {
      return await options.instances.takeDuty('trim', trimEveryMs / 2)
    } catch (error) {
      logger.error({ err: error }, 'whose turn it is to trim could not be found out')
      return false
    }
  }

  while (!closed.aborted) {
    await clock.sleep(trimEveryMs, closed).catch(() => undefined)
    if (closed.aborted) return
    if (!(await isMine())) continue
    const endedBefore = clock.now() - options.retentionMs
    await all('reply log', () => log.trim(endedBefore))
    if (messageRetentionMs === undefined) continue
    const writtenBefore = clock.now() - messageRetentionMs
    await all('messages', () => ledger.trimMessages(writtenBefore))
  }
}
