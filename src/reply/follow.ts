import type { ToolCall, ToolOutput } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import { onAbort } from '../lib/on-abort.ts'
import type { Ledger } from '../store/ledger.ts'
import { LostReplyError } from '../store/log.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { TakeRunEvents } from '../strategy/strategy.ts'
import { reachOf } from './circuit.ts'
import type { Ending } from './ending.ts'
import type { Place } from './gate.ts'
import type { Gates } from './gates.ts'
import { runContext, type RunFacts, runReference, type SentRun } from './run-facts.ts'
import { runFailures } from './run-failures.ts'
import { isStopped } from './stop.ts'
import type { WaitingRoom } from './waiting-room.ts'

export interface FollowOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly gates: Gates
  readonly waitingRoom: WaitingRoom
  /** How long the end of a run whose stream was lost is looked for, in ms. */
  readonly recoverMs: number
  /** How long a reply waits for tool outputs, in ms. */
  readonly actionMs: number
  /** How long a run may take, in ms, without what it waited for tool outputs. */
  readonly totalMs: number
  /** Aborts when nothing more is accepted: what waits for its session is let go of. */
  readonly draining: AbortSignal
}

/** What a run is driven under. */
export interface Drive {
  readonly place: Place
  /** Aborted with a {@link StopRequest} to end the reply as that asks. */
  readonly signal: AbortSignal
  /** How long the upstream has worked for it, in ms. */
  spentMs: number
}

/** Takes a run that was sent to its end. */
export interface Follow {
  /** Has the run streamed to its reader, until that ends. */
  read(run: SentRun, stream: (take: TakeRunEvents) => Promise<void>, drive: Drive): Promise<void>
  /**
   * Ends the reply as the run ended; while that asks for tool outputs, waits for them and reads on.
   * `expiresAt`: it is stored already that the reply waits, until then.
   */
  goOn(run: SentRun, drive: Drive, expiresAt?: number): Promise<void>
  /** Ends the reply for an error, unless its end can be looked up. */
  fail(run: RunFacts, error: unknown, drive: Drive): Promise<void>
  /** Ends a reply whose stream was lost, as the upstream tells it, else as `otherwise` says. */
  lookUp(run: SentRun, chatId: string | undefined, otherwise: unknown, drive: Drive): Promise<void>
}

export const unknownOutcome = new RunFailedError(runFailures.outcomeUnknown, { outcome: 'unseen' })

export function createFollow(options: FollowOptions, ending: Ending): Follow {
  const { ledger, clock, gates, waitingRoom, draining } = options

  async function read(
    { claim, reader }: SentRun,
    stream: (take: TakeRunEvents) => Promise<void>,
    drive: Drive,
  ): Promise<void> {
    const began = clock.monotonic()
    try {
      await stream((events) => {
        gates.circuit(claim.reply.assistantId)?.reached()
        return reader.take(events)
      })
    } finally {
      drive.spentMs += clock.monotonic() - began
    }
  }

  async function goOn(run: SentRun, drive: Drive, expiresAt?: number): Promise<void> {
    let until = expiresAt
    for (;;) {
      let end
      try {
        const toolCalls = callsOf(run)
        if (toolCalls !== undefined) {
          const outputs = await waitForOutputs(run, toolCalls, until, drive)
          if (outputs === undefined) return
          await submit(run, outputs, drive)
          until = undefined
          continue
        }
        end = await ending.conclude(run)
      } catch (error) {
        return await fail(run, error, drive)
      }
      return await ending.finish(run.claim, end)
    }
  }

  /** Undefined: the gateway shuts down, and the reply waits on. */
  async function waitForOutputs(
    run: SentRun,
    toolCalls: readonly ToolCall[],
    expiresAt: number | undefined,
    { place, signal }: Drive,
  ): Promise<readonly ToolOutput[] | undefined> {
    const { session, reply, fence } = run.claim
    // Before anybody is told that it waits: an answer may come at once.
    using wait = waitingRoom.enter(reply.id)
    const until = expiresAt ?? clock.now() + options.actionMs
    if (expiresAt === undefined) {
      const action = { toolCalls, expiresAt: until }
      const isWaiting = await ledger.requireAction(session, reply.id, fence, action)
      if (!isWaiting) throw new LostReplyError()
    }
    place.giveBack()
    const stop = new AbortController()
    using _cancel = onAbort(signal, () => stop.abort(signal.reason))
    using _drain = onAbort(draining, () => stop.abort(draining.reason))
    using _expiry = clock.timer(Math.max(0, until - clock.now()), () => stop.abort(expired()))
    try {
      return await wait.outputs(stop.signal)
    } catch (error) {
      if (draining.aborted && !isStopped(signal, 'cancel')) return undefined
      throw error
    }
  }

  /** Sends the outputs, whose intent is stored, and reads what follows. */
  async function submit(run: SentRun, outputs: readonly ToolOutput[], drive: Drive): Promise<void> {
    const { place, signal } = drive
    const reference = runReference(run)
    if (reference === undefined) throw new TypeError('a run that waits must be known')
    await place.take(signal)
    run.reader.answered()
    const leftMs = Math.max(0, options.totalMs - drive.spentMs)
    using deadline = createDeadline(clock, leftMs, () => tooLong)
    const lifetime = AbortSignal.any([signal, deadline.signal])
    try {
      const submission = { ...reference, outputs }
      await read(run, (take) => run.strategy.submitToolOutputs(submission, take, lifetime), drive)
    } catch (error) {
      if (!(error instanceof RunFailedError) || error.isSupported) throw error
      const { outcome, upstream } = error
      const details = { outcome, upstream, isSupported: false, cause: error }
      throw new RunFailedError(runFailures.actionUnsupported, details)
    }
  }

  async function fail(run: RunFacts, error: unknown, drive: Drive): Promise<void> {
    if (error instanceof LostReplyError) return
    const { claim } = run
    if (error instanceof RunFailedError) {
      const circuit = gates.circuit(claim.reply.assistantId)
      const reach = reachOf(error.failure.code)
      if (reach !== undefined) circuit?.[reach]()
    }
    if (isSent(run) && mayLookUp(run, error)) {
      return await lookUp(run, run.reader.chatId, error, drive)
    }
    await ending.finish(claim, await ending.explain(run, error, drive.signal))
  }

  async function lookUp(
    run: SentRun,
    chatId: string | undefined,
    otherwise: unknown,
    drive: Drive,
  ): Promise<void> {
    const { claim, strategy, reader } = run
    using deadline = createDeadline(clock, options.recoverMs, () => unknownOutcome)
    try {
      const { answer: shown, isFinished } = reader
      const sentTo = run.upstream.type === 'id' ? run.upstream.conversationId : undefined
      const upstreamConversationId = reader.conversationId ?? sentTo
      const found = await strategy.recover(
        { ...runContext(claim), upstreamConversationId, chatId, shown, isFinished },
        AbortSignal.any([drive.signal, deadline.signal]),
      )
      if (found.type === 'unknown') throw otherwise
      await reader.takeLookedUp(found.events)
      if (reader.end === undefined) throw otherwise
    } catch (error) {
      if (error instanceof LostReplyError) return
      const cause = deadline.signal.aborted ? otherwise : error
      return await ending.finish(claim, await ending.explain(run, cause, drive.signal))
    }
    await goOn(run, drive)
  }

  return { read, goOn, fail, lookUp }
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

function isSent(run: RunFacts): run is SentRun {
  return run.reader !== undefined
}

/**
 * Whether the end of a run whose stream was lost can be found out. A Bot can be asked how its chat went on. A Workflow
 * cannot: only its announced end can be looked for.
 */
function mayLookUp({ strategy, reader }: SentRun, error: unknown): boolean {
  if (!(error instanceof RunFailedError)) return false
  switch (error.failure.code) {
    case 'UPSTREAM_OUTCOME_UNKNOWN':
    case 'UPSTREAM_TRUNCATED':
      return strategy.kind === 'bot' || reader.isFinished
    // It fell silent after it had said everything.
    case 'UPSTREAM_TIMEOUT':
      return reader.isFinished
    default:
      return false
  }
}
