import type { ToolCall, ToolOutput } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { Logger } from '../observe/logger.ts'
import { LostReplyError } from '../store/log.ts'
import type { Instances } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { TakeRunEvents } from '../strategy/strategy.ts'
import type { Admission } from './admission.ts'
import { reachOf } from './circuit.ts'
import type { Ending } from './ending.ts'
import { runFailures } from './failures.ts'
import type { Permit } from './permits.ts'
import { isStopped, type Run, runContext, runReference, type SentRun } from './run.ts'
import type { PendingToolOutputs } from './tool-outputs.ts'

export interface DriveOptions {
  readonly clock: Clock
  readonly admission: Admission
  readonly pendingOutputs: PendingToolOutputs
  /** How long the end of a run whose stream was lost is looked for, in ms. */
  readonly recoverMs: number
  /** How long a reply waits for tool outputs, in ms. */
  readonly actionMs: number
  /** How long a run may take, in ms, without what it waited for tool outputs. */
  readonly totalMs: number
  /** Aborts when nothing more is accepted: what waits for its session is let go of. */
  readonly draining: AbortSignal
  readonly instances: Pick<Instances, 'live'>
  readonly logger: Logger
}

/** What a run is controlled by. */
export interface RunControl {
  readonly permit: Permit
  /** Aborted with a {@link StopRequest} to end the reply as that asks. */
  readonly signal: AbortSignal
  /** The send intent is on disk: the reply cannot be requeued any more. */
  isIntended: boolean
  /** How long the upstream has worked for it, in ms. */
  spentMs: number
}

/**
 * Takes a run that was sent to its end. Whatever ends the reply resolves with whether the conversation may have more to
 * answer; false: nothing waits in it.
 */
export interface Drive {
  /** Has the run streamed to its reader, until that ends. */
  read(
    run: SentRun,
    stream: (take: TakeRunEvents) => Promise<void>,
    control: RunControl,
  ): Promise<void>
  /**
   * Ends the reply as the run ended; while that asks for tool outputs, waits for them and reads on.
   * `expiresAt`: it is stored already that the reply waits, until then.
   */
  toEnd(run: SentRun, control: RunControl, expiresAt?: number): Promise<boolean>
  /** Ends the reply for an error, unless its end can be looked up. */
  fail(run: Run, error: unknown, control: RunControl): Promise<boolean>
  /** Ends a reply whose stream was lost, as the upstream tells it, else as `otherwise` says. */
  lookUp(
    run: SentRun,
    chatId: string | undefined,
    otherwise: unknown,
    control: RunControl,
  ): Promise<boolean>
}

export const unknownOutcome = new RunFailedError(runFailures.outcomeUnknown, { outcome: 'unseen' })

export function createDrive(options: DriveOptions, ending: Ending): Drive {
  const { clock, admission, pendingOutputs, draining, logger } = options

  async function read(
    { lease, reader }: SentRun,
    stream: (take: TakeRunEvents) => Promise<void>,
    control: RunControl,
  ): Promise<void> {
    const began = clock.monotonic()
    let isReached = false
    try {
      await stream((events) => {
        if (!isReached) admission.circuit(lease.reply.assistantId)?.reached()
        isReached = true
        return reader.take(events)
      })
    } finally {
      control.spentMs += clock.monotonic() - began
    }
  }

  async function toEnd(run: SentRun, control: RunControl, expiresAt?: number): Promise<boolean> {
    let until = expiresAt
    for (;;) {
      let end
      try {
        const toolCalls = callsOf(run)
        if (toolCalls !== undefined) {
          const outputs = await waitForOutputs(run, toolCalls, until, control)
          if (outputs === undefined) return false
          await submit(run, outputs, control)
          until = undefined
          continue
        }
        end = await ending.endOfStream(run)
      } catch (error) {
        return await fail(run, error, control)
      }
      return await ending.finish(run.lease, end)
    }
  }

  /** Undefined: the gateway shuts down, and the reply waits on. */
  async function waitForOutputs(
    { lease }: SentRun,
    toolCalls: readonly ToolCall[],
    expiresAt: number | undefined,
    { permit, signal }: RunControl,
  ): Promise<readonly ToolOutput[] | undefined> {
    // Before anybody is told that it waits: an answer may come at once.
    using pending = pendingOutputs.await(lease.reply.id)
    const until = expiresAt ?? clock.now() + options.actionMs
    if (expiresAt === undefined) {
      const isWaiting = await lease.requireAction({ toolCalls, expiresAt: until })
      if (!isWaiting) throw new LostReplyError()
    }
    permit.release()
    const stop = new AbortController()
    using _cancel = onAbort(signal, () => stop.abort(signal.reason))
    using _drain = onAbort(draining, () => stop.abort(draining.reason))
    using _expiry = clock.timer(Math.max(0, until - clock.now()), () => stop.abort(expired()))
    try {
      return await pending.taken(stop.signal)
    } catch (error) {
      if (draining.aborted && !isStopped(signal, 'cancel')) return undefined
      throw error
    }
  }

  /** Sends the outputs, whose intent is stored, and reads what follows. */
  async function submit(
    run: SentRun,
    outputs: readonly ToolOutput[],
    control: RunControl,
  ): Promise<void> {
    const { permit, signal } = control
    const reference = runReference(run)
    if (reference === undefined) throw new TypeError('a run that waits must be known')
    await permit.take(signal)
    run.reader.answered()
    const leftMs = Math.max(0, options.totalMs - control.spentMs)
    using deadline = createDeadline(clock, leftMs, () => tooLong)
    const lifetime = AbortSignal.any([signal, deadline.signal])
    try {
      const submission = { ...reference, outputs }
      await read(run, (take) => run.strategy.submitToolOutputs(submission, take, lifetime), control)
    } catch (error) {
      if (!(error instanceof RunFailedError) || error.isSupported) throw error
      const { outcome, upstream } = error
      const details = { outcome, upstream, isSupported: false, cause: error }
      throw new RunFailedError(runFailures.actionUnsupported, details)
    }
  }

  /** Another instance asks the platform how the run goes on, once this one has left. */
  function isForOthers(run: Run, { signal }: RunControl): boolean {
    if (!isStopped(signal, 'shutdown') || options.instances.live === 1) return false
    if (!isSent(run) || !run.strategy.canRetrieveRuns || run.reader.chatId === undefined)
      return false
    logger.info({ reply: run.lease.reply.id }, 'a reply is left to the other instances')
    return true
  }

  async function fail(run: Run, error: unknown, control: RunControl): Promise<boolean> {
    if (isLost(error, control.signal)) return true
    if (isForOthers(run, control)) return false
    const { lease } = run
    if (error instanceof RunFailedError) {
      const circuit = admission.circuit(lease.reply.assistantId)
      const reach = reachOf(error.failure.code)
      if (reach !== undefined) circuit?.[reach]()
    }
    if (isSent(run) && mayLookUp(run, error)) {
      return await lookUp(run, run.reader.chatId, error, control)
    }
    return await ending.finish(lease, await ending.endOfFailure(run, error, control.signal))
  }

  async function lookUp(
    run: SentRun,
    chatId: string | undefined,
    otherwise: unknown,
    control: RunControl,
  ): Promise<boolean> {
    const { lease, strategy, reader } = run
    using deadline = createDeadline(clock, options.recoverMs, () => unknownOutcome)
    try {
      const { answer: shown, isFinished } = reader
      const sentTo = run.upstream.type === 'id' ? run.upstream.conversationId : undefined
      const upstreamConversationId = reader.conversationId ?? sentTo
      const found = await strategy.recover(
        { ...runContext(run), upstreamConversationId, chatId, shown, isFinished },
        AbortSignal.any([control.signal, deadline.signal]),
      )
      if (found.type === 'unknown') throw otherwise
      await reader.takeLookedUp(found.events)
      if (reader.end === undefined) throw otherwise
    } catch (error) {
      if (isLost(error, control.signal)) return true
      if (isForOthers(run, control)) return false
      const cause = deadline.signal.aborted ? otherwise : error
      return await ending.finish(lease, await ending.endOfFailure(run, cause, control.signal))
    }
    return await toEnd(run, control)
  }

  return { read, toEnd, fail, lookUp }
}

function expired(): RunFailedError {
  return new RunFailedError(runFailures.actionExpired, { outcome: 'unseen' })
}

const tooLong = new RunFailedError(runFailures.tooLong, { outcome: 'unseen' })

/** The calls whose outputs the run waits for, where it takes any. */
function callsOf({ strategy, reader }: SentRun): readonly ToolCall[] | undefined {
  if (strategy.answersByMessage || reader.end?.type !== 'action-required') return undefined
  const { toolCalls } = reader.end
  return toolCalls.length > 0 ? toolCalls : undefined
}

/** Another instance has the reply, or has ended it: nothing of it is for this run to end or to stop. */
function isLost(error: unknown, signal: AbortSignal): boolean {
  return error instanceof LostReplyError || signal.reason instanceof LostReplyError
}

function isSent(run: Run): run is SentRun {
  return run.reader !== undefined
}

/**
 * Whether the end of a run whose stream was lost can be found out: the upstream can be asked how it went on, or an end that
 * was announced is looked for.
 */
function mayLookUp({ strategy, reader }: SentRun, error: unknown): boolean {
  if (!(error instanceof RunFailedError)) return false
  switch (error.failure.code) {
    case 'UPSTREAM_OUTCOME_UNKNOWN':
    case 'UPSTREAM_TRUNCATED':
      return strategy.canRetrieveRuns || reader.isFinished
    // It fell silent after it had said everything.
    case 'UPSTREAM_TIMEOUT':
      return reader.isFinished
    default:
      return false
  }
}
