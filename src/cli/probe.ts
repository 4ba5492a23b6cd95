import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, fetch } from 'undici'
import { z } from 'zod'
import type { Config } from '../config/config.ts'
import type { AssistantId } from '../domain.ts'
import { systemClock } from '../lib/clock.ts'
import { errorCode } from '../lib/error-code.ts'
import {
  bundleAsJson,
  bundleAsMarkdown,
  createBundle,
  type TimelineEntry,
} from '../probe/bundle.ts'
import { overallVerdict } from '../domain/isolation.ts'
import type { KnowledgeCanary, ProbeReport, ProbeRequest } from '../domain/probe.ts'
import { type Format, formatReports, formats } from '../probe/report-formats.ts'
import { ProbeError } from '../probe/probe.ts'
import { maxCallsOf } from '../probe/probe-assistants.ts'
import { probeConfig } from '../compose/probe.ts'
import { createGraphClient, type SendGraph } from './graph-client.ts'
import { probeGateway } from './remote-probe.ts'
import { UsageError } from './usage-error.ts'

/** 0 isolated, 1 leaking, 2 inconclusive, 3 could not run. */
export type ProbeExitCode = 0 | 1 | 2 | 3

export interface ProbeCommand {
  /** Undefined: a running gateway probes its own. */
  readonly config: Config | undefined
  /** The URL of a running gateway, and the file with an operator's token for it. */
  readonly gateway: { readonly url: string; readonly tokenFile: string | undefined } | undefined
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
  const { signal, print, complain } = command
  const format = readFormat(command.format)
  const request: ProbeRequest = {
    assistantId: command.assistant as AssistantId | undefined,
    trials: readCount('--trials', command.trials),
    budget: readCount('--budget', command.budget),
    questionTrigger: command.ask,
    knowledge: command.knowledge === undefined ? undefined : readKnowledge(command.knowledge),
  }
  const { config, assistant } = command
  if (config !== undefined && assistant !== undefined) {
    const ids: readonly string[] = config.assistants.map(({ id }) => id)
    if (!ids.includes(assistant)) {
      throw new UsageError(`--assistant must be one of ${ids.join(', ')}, got ${assistant}`)
    }
  }
  // Before anything is paid for.
  using output = command.bundle === undefined ? undefined : openOutput(command.bundle)
  const timeline: TimelineEntry[] = []
  const onProgress = (step: string) => {
    timeline.push({ at: systemClock.now(), step })
    complain(`… ${step}`)
  }
  try {
    const reports = await findOut(command, request, onProgress)
    await print(formatReports(reports, format))
    if (output !== undefined) {
      const bundle = createBundle(config?.assistants ?? [], reports, timeline)
      const isMarkdown = output.path.endsWith('.md')
      output.write(isMarkdown ? bundleAsMarkdown(bundle) : bundleAsJson(bundle))
      complain(`wrote ${output.path}`)
    }
    const verdicts = reports.map(({ findings }) => overallVerdict(findings))
    if (verdicts.includes('LEAKING')) return 1
    return verdicts.includes('INCONCLUSIVE') ? 2 : 0
  } catch (error) {
    if (signal.aborted) complain(brokenOff(command))
    else if (error instanceof ProbeError) complain(`${error.message} ${causeOf(error)}`)
    else throw error
    return 3
  }
}

/** Within the gateway that is named, else here. */
async function findOut(
  { config, gateway, signal, complain }: ProbeCommand,
  request: ProbeRequest,
  onProgress: (step: string) => void,
): Promise<readonly ProbeReport[]> {
  const announce = (calls: number) => complain(`at most ${calls} upstream calls`)
  if (gateway !== undefined) {
    const url = readUrl(gateway.url)
    // A step of a probe may take as long as an answer may.
    await using stack = new AsyncDisposableStack()
    const dispatcher = stack.adopt(new Agent({ bodyTimeout: 0 }), (agent) => agent.destroy())
    const send: SendGraph = (options) => fetch(url, { method: 'POST', dispatcher, ...options })
    const client = createGraphClient(send, readToken(gateway.tokenFile))
    return await probeGateway({ client, request, onBegin: announce, onProgress }, signal)
  }
  if (config === undefined) throw new UsageError('--config or --gateway is needed')
  announce(maxCallsOf(config.assistants, config.probe, request))
  return await probeConfig(config, request, { onProgress }, signal)
}

function brokenOff({ gateway }: ProbeCommand): string {
  return gateway === undefined
    ? 'the probe was broken off; what it had begun upstream was taken away'
    : 'no longer followed; the gateway continues the probe'
}

/** Where the GraphQL of a gateway is that is named so, or by its origin alone. */
function readUrl(text: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    return url.pathname === '/' ? new URL('/graphql', url) : url
  }
  throw new UsageError(`--gateway must be a URL such as https://gateway.example.com, got ${text}`)
}

function readToken(file: string | undefined): string {
  if (file === undefined) throw new UsageError('--gateway needs --token-file')
  const token = readText(file).trim()
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new UsageError(`${file} ${token === '' ? 'is empty' : 'holds something else than a token'}`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\ufeff/, '')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read${errorCode(cause)}`, { cause })
  }
}

/** A file that can be written, and is not changed before it is; one that was made for nothing is taken away. */
function openOutput(path: string) {
  const isNew = !existsSync(path)
  let isWritten = false
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch (cause) {
    throw new UsageError(`${path} cannot be written${errorCode(cause)}`, { cause })
  }
  return {
    path,
    write(text: string) {
      writeFileSync(path, text)
      isWritten = true
    },
    [Symbol.dispose]() {
      if (isNew && !isWritten) rmSync(path, { force: true })
    },
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
  const text = readText(file)
  try {
    return knowledgeSchema.parse(JSON.parse(text))
  } catch (cause) {
    const form = '[{ "sessionName": …, "question": …, "value": … }]'
    throw new UsageError(`${file} must be JSON of the form ${form}`, { cause })
  }
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? cause.message : ''
}
