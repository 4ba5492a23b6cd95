import type { IsolationTarget, Proof } from '../domain/isolation.ts'
import type { ProbeEvent, ProbeReport, ProbeRequest, ProbeRun } from '../domain/probe.ts'
import { untilAborted } from '../lib/on-abort.ts'
import { remember } from '../lib/remember.ts'
import type { Logger } from '../observe/logger.ts'
import { ProbeError } from './probe.ts'
import { maxCallsOf, probeAssistants, type ProbeAssistantsOptions } from './probe-assistants.ts'

export interface ProbingOptions extends Omit<ProbeAssistantsOptions, 'onProgress'> {
  /** Keeps what was found out. */
  readonly prove: (target: IsolationTarget, proof: Omit<Proof, 'settingsDigest'>) => Promise<void>
  readonly logger: Logger
}

/** Probes within a running gateway: one at a time, each of them told as it goes. */
export interface Probing extends AsyncDisposable {
  /** Undefined: another one runs. @throws `TypeError` for an assistant that is not configured */
  begin(request: ProbeRequest): ProbeRun | undefined
  /** One that runs, or is one of the last that ran. */
  find(id: string): ProbeRun | undefined
  /** Resolves when none runs. */
  idle(): Promise<void>
}

const maxRemembered = 16

export function createProbing(options: ProbingOptions): Probing {
  const { clock, newId, logger, prove, settings, depth } = options
  const runs = new Map<string, ProbeRun>()
  const closed = new AbortController()
  let running: Promise<void> | undefined

  return {
    begin(request) {
      const maxCalls = maxCallsOf(settings, depth, request)
      if (running !== undefined || closed.signal.aborted) return undefined
      const telling = createTelling()
      const run: ProbeRun = {
        id: newId(),
        maxCalls,
        startedAt: clock.now(),
        past: telling.told,
        events: (signal) => telling.events(signal),
      }
      remember(runs, run.id, run, maxRemembered)
      running = drive(request, (event) => telling.tell(event)).finally(() => (running = undefined))
      return run
    },
    find: (id) => runs.get(id),
    async idle() {
      while (running !== undefined) await running
    },
    async [Symbol.asyncDispose]() {
      closed.abort(new ProbeError('The gateway is shutting down.'))
      await running
    },
  }

  /** Never rejects. */
  async function drive(request: ProbeRequest, tell: (event: ProbeEvent) => void): Promise<void> {
    const onProgress = (step: string) => tell({ type: 'step', at: clock.now(), step })
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
      tell({ type: 'ended', at: clock.now(), reports })
    } catch (error) {
      if (closed.signal.aborted) logger.info({}, 'probe broken off')
      else logger.error({ err: error }, 'probe failed')
      tell({ type: 'failed', at: clock.now(), message: messageOf(error) })
    }
  }
}

/** What went wrong, in words that are fit to be told. */
function messageOf(error: unknown): string {
  if (!(error instanceof ProbeError)) return 'The probe failed by a fault of the gateway.'
  const { message, cause } = error
  return cause instanceof Error ? `${message} ${cause.message}` : message
}

/** Keeps a probe's events, which are few, for all that follow it. */
function createTelling() {
  const told: ProbeEvent[] = []
  let more = Promise.withResolvers<void>()
  return {
    told: told as readonly ProbeEvent[],
    tell(event: ProbeEvent): void {
      told.push(event)
      more.resolve()
      more = Promise.withResolvers()
    },
    async *events(signal: AbortSignal): AsyncGenerator<ProbeEvent, void, undefined> {
      for (let place = 0; ; place += 1) {
        while (told.length <= place) await untilAborted(more.promise, signal)
        const event = told[place]
        if (event === undefined) return
        yield event
        if (event.type !== 'step') return
      }
    },
  }
}
