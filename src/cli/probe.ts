import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { AssistantId } from '../domain.ts'
import { systemClock } from '../lib/clock.ts'
import { createOpenTelemetryTracer } from '../observe/opentelemetry.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { createBundle, type TimelineEntry } from '../probe/bundle.ts'
import { overallVerdict } from '../domain/isolation.ts'
import type { KnowledgeCanary, ProbeRequest } from '../domain/probe.ts'
import { type Format, formatReports, formats } from '../probe/format.ts'
import { estimateCalls, ProbeError } from '../probe/probe.ts'
import { targetsOf } from '../probe/probe-assistants.ts'
import { probeConfig } from '../probe/probe-config.ts'
import { UsageError } from './usage-error.ts'

/** 0 isolated, 1 leaking, 2 inconclusive, 3 could not run. */
export type ProbeExitCode = 0 | 1 | 2 | 3

export interface ProbeCommand {
  readonly config: Config
  readonly assistant: string | undefined
  readonly trials: string | undefined
  readonly budget: string | undefined
  readonly format: string | undefined
  readonly bundle: string | undefined
  readonly ask: string | undefined
  readonly knowledge: string | undefined
  readonly signal: AbortSignal
  readonly print: (text: string) => Promise<unknown>
  readonly complain: (text: string) => void
}

export async function runProbe(command: ProbeCommand): Promise<ProbeExitCode> {
  const { config, signal, print, complain } = command
  const format = readFormat(command.format)
  const request: ProbeRequest = {
    assistantId: command.assistant as AssistantId | undefined,
    trials: readCount('--trials', command.trials),
    budget: readCount('--budget', command.budget),
    questionTrigger: command.ask,
    knowledge: command.knowledge === undefined ? undefined : readKnowledge(command.knowledge),
  }
  const timeline: TimelineEntry[] = []
  const onProgress = (step: string) => {
    timeline.push({ at: systemClock.now(), step })
    complain(`… ${step}`)
  }
  const targets = targetsOf(config.assistants, request.assistantId)
  complain(
    `probing ${targets.length} of the configured: at most ${targets.length * estimateCalls(request)} upstream calls`,
  )
  const metrics = createPrometheusMetrics()
  const tracer = createOpenTelemetryTracer()
  try {
    const reports = await probeConfig(config, request, { metrics, tracer, onProgress }, signal)
    await print(formatReports(reports, format))
    if (command.bundle !== undefined) {
      writeFileSync(command.bundle, createBundle(config, reports, timeline), { mode: 0o600 })
      complain(`wrote ${command.bundle}`)
    }
    const verdicts = reports.map(({ findings }) => overallVerdict(findings))
    if (verdicts.includes('LEAKING')) return 1
    return verdicts.includes('INCONCLUSIVE') ? 2 : 0
  } catch (error) {
    if (signal.aborted)
      complain('the probe was broken off; what it had begun upstream was taken away')
    else if (error instanceof ProbeError) complain(`${error.message} ${causeOf(error)}`)
    else throw error
    return 3
  }
}

function readFormat(text = 'table'): Format {
  const format = formats.find((one) => one === text)
  if (format === undefined) throw new UsageError(`--format must be ${formats.join(', ')}`)
  return format
}

function readCount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 10_000) return count
  throw new UsageError(`${option} must be a number from 1 to 10000, got ${text}`)
}

const knowledgeSchema = z.array(
  z.strictObject({
    sessionName: z.string().min(1),
    question: z.string().min(1),
    value: z.string().min(4),
  }),
)

function readKnowledge(file: string): readonly KnowledgeCanary[] {
  try {
    return knowledgeSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const form = '[{ "sessionName": …, "question": …, "value": … }]'
    throw new UsageError(`${file} must be JSON of the form ${form}`, { cause })
  }
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? cause.message : ''
}
