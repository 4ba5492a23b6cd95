import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import type { AssistantId } from '../../domain.ts'
import { systemClock } from '../../lib/clock.ts'
import { errorCode } from '../../lib/error-code.ts'
import {
  bundleAsJson,
  bundleAsMarkdown,
  createBundle,
  type TimelineEntry,
} from './support-bundle.ts'
import { overallVerdict } from '../../domain/isolation.ts'
import type { KnowledgeFact, ProbeReport, ProbeRequest } from '../../domain/probe.ts'
import { type Format, formatReports, formats } from './report-formats.ts'
import { ProbeError } from '../../probe/probe.ts'
import { maxCallsOf } from '../../probe/probe-assistants.ts'
import { probeConfig } from '../../compose/probe.ts'
import { createGraphClient, type SendGraph } from './graph-client.ts'
import { probeGateway } from './remote-probe.ts'
import { type Options, readConfig, valueOf } from '../options.ts'
import { UsageError } from '../usage-error.ts'

/** 0 isolated, 1 leaking, 2 inconclusive, 3 could not run. */
export type ProbeExitCode = 0 | 1 | 2 | 3

/** Probes the assistants of a configuration, or has a running gateway probe its own. */
export async function runProbe(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<ProbeExitCode> {
  const gateway = valueOf(options, 'gateway')
  // A running gateway has a configuration of its own.
  const isConfigRead = gateway === undefined || valueOf(options, 'config') !== undefined
  const config = isConfigRead ? readConfig(options) : undefined
  const stop = new AbortController()
  const listener = () => stop.abort(new Error('stopped by a signal'))
  process.once('SIGINT', listener).once('SIGTERM', listener)
  const format = readFormat(valueOf(options, 'format'))
  const assistant = valueOf(options, 'assistant')
  const knowledge = valueOf(options, 'knowledge')
  const request: ProbeRequest = {
    assistantId: assistant as AssistantId | undefined,
    trials: readCount('--trials', valueOf(options, 'trials')),
    budget: readCount('--budget', valueOf(options, 'budget')),
    questionTrigger: valueOf(options, 'ask'),
    knowledge: knowledge === undefined ? undefined : readKnowledge(knowledge),
  }
  if (config !== undefined && assistant !== undefined) {
    const ids: readonly string[] = config.assistants.map(({ id }) => id)
    if (!ids.includes(assistant)) {
      throw new UsageError(`--assistant must be one of ${ids.join(', ')}, got ${assistant}`)
    }
  }
  const bundleFile = valueOf(options, 'bundle')
  // A file that cannot be written is found out before the platform is paid for anything.
  using output = bundleFile === undefined ? undefined : openOutput(bundleFile)
  const timeline: TimelineEntry[] = []
  const onProgress = (step: string) => {
    timeline.push({ at: systemClock.now(), step })
    complain(`… ${step}`)
  }
  try {
    const reports =
      gateway === undefined
        ? await probeHere(config, request, onProgress, stop.signal)
        : await probeThere(
            { url: readUrl(gateway), token: readToken(valueOf(options, 'token-file')) },
            request,
            onProgress,
            stop.signal,
          )
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
    if (stop.signal.aborted) complain(gateway === undefined ? stoppedHere : stoppedThere)
    else if (error instanceof ProbeError) complain(`${error.message} ${causeOf(error)}`)
    else throw error
    return 3
  }
}

async function probeHere(
  config: Config | undefined,
  request: ProbeRequest,
  onProgress: (step: string) => void,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  if (config === undefined) throw new UsageError('--config or --gateway is needed')
  announce(maxCallsOf(config.assistants, config.probe, request))
  return await probeConfig(config, request, { onProgress }, signal)
}

async function probeThere(
  { url, token }: { readonly url: URL; readonly token: string },
  request: ProbeRequest,
  onProgress: (step: string) => void,
  signal: AbortSignal,
): Promise<readonly ProbeReport[]> {
  // Keep-alive comments come more often than the time after which `fetch` gives a silent stream up.
  // oxlint-disable-next-line no-restricted-globals -- the command is a client of the gateway like any other
  const send: SendGraph = (options) => fetch(url, { method: 'POST', ...options })
  const client = createGraphClient(send, token)
  return await probeGateway({ client, request, onBegin: announce, onProgress }, signal)
}

function announce(calls: number): void {
  complain(`at most ${calls} upstream calls`)
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`)
}

const stoppedHere = 'the probe was stopped, and what it had made on the platform was deleted'
const stoppedThere = 'the command was stopped; the gateway continues the probe'

/** The address of a gateway's GraphQL. An origin alone means the default path. */
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
  throw new UsageError(`${file} ${token === '' ? 'is empty' : 'does not hold a token'}`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\ufeff/, '')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read${errorCode(cause)}`, { cause })
  }
}

/** Opens a file for writing, and does not change it before `write`. A new file that is not written is deleted. */
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

function readKnowledge(file: string): readonly KnowledgeFact[] {
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
