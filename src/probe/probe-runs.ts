import type { IsolationTarget, Proof } from '../domain/isolation.ts'
import type { ProbeEvent, ProbeReport, ProbeRequest, ProbeRun } from '../domain/probe.ts'
import { untilAborted } from '../lib/on-abort.ts'
import { remember } from '../lib/remember.ts'
import type { Logger } from '../observe/logger.ts'
import { ProbeError } from './probe.ts'
import { maxCallsOf, probeAssistants, type ProbeAssistantsOptions } from './probe-assistants.ts'

export interface ProbeRunsOptions extends Omit<ProbeAssistantsOptions, 'onProgress'> {
  /** Stores a result. */
  readonly prove: (target: IsolationTarget, proof: Omit<Proof, 'settingsDigest'>) => Promise<void>
  readonly logger: Logger
}

/** The probes of a running gateway. One runs at a time, and reports its progress. */
export interface ProbeRuns extends AsyncDisposable {
  /** Returns undefined while another one runs. @throws `TypeError` for an assistant that is not configured */
  begin(request: ProbeRequest): ProbeRun | undefined
  /** The probe with this id, if it runs or is one of the last that ran. */
  find(id: string): ProbeRun | undefined
  /** The probe that runs and the last that ran, newest first. */
  recent(): readonly ProbeRun[]
  /** Resolves when none runs. */
  idle(): Promise<void>
}

const maxRemembered = 16

export function createProbeRuns(options: ProbeRunsOptions): ProbeRuns {
  const { clock, newId, logger, prove, settings, depth } = options
  const runs = new Map<string, ProbeRun>()
  const closed = new AbortController()
  let running: Promise<void> | undefined

  return {
    begin(request) {
      const maxCalls = maxCallsOf(settings, depth, request)
      if (running !== undefined || closed.signal.aborted) return undefined
      const events = createEventLog()
      const run: ProbeRun = {
        id: newId(),
        maxCalls,
        startedAt: clock.now(),
        past: events.past,
        events: (signal) => events.follow(signal),
      }
      remember(runs, run.id, run, maxRemembered)
      running = drive(request, (event) => events.append(event)).finally(() => (running = undefined))
      return run
    },
    find: (id) => runs.get(id),
    recent: () => [...runs.values()].toReversed(),
    async idle() {
      while (running !== undefined) await running
    },
    async [Symbol.asyncDispose]() {
      closed.abort(new ProbeError('The gateway is shutting down.'))
      await running
    },
  }

  /** Never rejects. */
  async function drive(request: ProbeRequest, append: (event: ProbeEvent) => void): Promise<void> {
    const onProgress = (step: string) => append({ type: 'step', at: clock.now(), step })
    const reports: ProbeReport[] = []
    try {
      for await (const report of probeAssistants(
        { ...options, onProgress },
        request,
        closed.signal,
      )) {
        reports.push(report)
        const { assistantId, strategy, verdict, findings, endedAt: checkedAt } = report
        logger.info({ assistant: assistantId, strategy, verdict }, 'probe ended')
        await prove({ assistantId, strategy }, { verdict, findings, checkedAt })
      }
      append({ type: 'ended', at: clock.now(), reports })
    } catch (error) {
      if (closed.signal.aborted) logger.info({}, 'probe broken off')
      else logger.error({ err: error }, 'probe failed')
      append({ type: 'failed', at: clock.now(), message: messageOf(error) })
    }
  }
}

/** The reason of a failure, in words that operators may see. */
function messageOf(error: unknown): string {
  if (!(error instanceof ProbeError))
    return 'The probe failed because of a fault of the gateway. The log has the reason.'
  const { message, cause } = error
  return cause instanceof Error ? `${message} ${cause.message}` : message
}

/** Keeps the events of a probe, which are few, for everybody that follows it. */
function createEventLog() {
  const past: ProbeEvent[] = []
  let more = Promise.withResolvers<void>()
  return {
    past: past as readonly ProbeEvent[],
    append(event: ProbeEvent): void {
      past.push(event)
      more.resolve()
      more = Promise.withResolvers()
    },
    async *follow(signal: AbortSignal): AsyncGenerator<ProbeEvent, void, undefined> {
      for (let index = 0; ; index += 1) {
        while (past.length <= index) await untilAborted(more.promise, signal)
        const event = past[index]
        if (event === undefined) return
        yield event
        if (event.type !== 'step') return
      }
    },
  }
}
