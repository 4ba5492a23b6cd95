import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

/**
 * {@link Metrics} that can be scraped. It has a registry of its own, so that two gateways in a process are counted apart.
 */
export interface PrometheusMetrics extends Metrics {
  readonly contentType: string
  /** All meters in Prometheus' text format. */
  text(): Promise<string>
  /** All meters, for a process that shows those of several. */
  snapshot(): Promise<MetricsSnapshot>
}

/** The meters of one process, as JSON. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/**
 * The meters of several processes in Prometheus' text format. Each has labels that no other has: a sum would fall when a
 * process ends, and look like a restart of all.
 */
export async function textOfAll(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...snapshots]).metrics()
}

const prefix = 'coze_gateway_'

export function createPrometheusMetrics(
  /** Labels of every meter. */
  labels: Readonly<Record<string, string>> = {},
): PrometheusMetrics {
  const registry = new Registry()
  registry.setDefaultLabels(labels)
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: prefix + name, help, labelNames, registers })

  const seconds = <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ) => new Histogram({ name: `${prefix}${name}_seconds`, help, labelNames, buckets, registers })

  const requests = seconds(
    'request',
    'Requests, by kind and status: until the answer, or the head of the stream.',
    ['kind', 'status'],
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  )
  const messages = counter('messages_total', 'Messages that were sent, by outcome.', ['outcome'])
  const replies = counter(
    'replies_ended_total',
    'Replies that ended, by status and failure code.',
    ['status', 'code'],
  )
  const firstDelta = seconds(
    'first_delta',
    'From accepting a message to the first text of its reply.',
    [],
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  )
  const tokens = counter(
    'access_tokens_total',
    'Access tokens that were wanted: reused from the cache, minted, or failed to be minted.',
    ['outcome'],
  )
  const opened = counter('subscriptions_opened_total', 'Subscriptions that were opened.', [])
  const ended = counter('subscriptions_ended_total', 'Subscriptions that ended, by reason.', [
    'reason',
  ])
  const open = new Gauge({
    name: `${prefix}subscriptions_open`,
    help: 'Subscriptions that are open.',
    registers,
  })
  const oddities = counter(
    'upstream_oddities_total',
    'Oddities of the upstream that were tolerated.',
    ['oddity'],
  )
  const upstreamErrors = counter(
    'upstream_errors_total',
    'Tries of upstream calls, and runs, that failed: by call, kind and code.',
    ['call', 'kind', 'code'],
  )
  const upstreamCalls = seconds(
    'upstream_call',
    'Upstream calls, by call and outcome: to the answer, or to the end of the stream.',
    ['call', 'outcome'],
    [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600],
  )
  const storeWrites = seconds(
    'store_write',
    'Transactions of the store, with their way to the disk.',
    [],
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1],
  )
  const retries = counter('upstream_retries_total', 'Upstream calls that were made again.', [])
  const perAssistant = (name: string, help: string) =>
    new Gauge({ name: prefix + name, help, labelNames: ['assistant'], registers })
  const waiting = perAssistant('replies_waiting', 'Replies that wait for a place at an assistant.')
  const running = perAssistant('replies_running', 'Replies that run, by assistant.')
  const circuits = perAssistant(
    'circuit_open',
    'Whether an assistant is left alone since it cannot be reached: 1; 0.5 while one is tried.',
  )
  const breaches = counter(
    'isolation_breaches_total',
    'Times that two sessions or conversations met in one upstream conversation.',
    ['assistant', 'strategy'],
  )
  const verdicts = new Gauge({
    name: `${prefix}isolation_verdict`,
    help: 'What is known of how an assistant keeps sessions apart: 1 for its verdict now.',
    labelNames: ['assistant', 'strategy', 'verdict'],
    registers,
  })
  const lane = new Gauge({
    name: `${prefix}lane_connected`,
    help: 'Whether the lane is used: 1; 0 while it is away, or there is none.',
    registers,
  })
  const laneCommands = seconds(
    'lane_command',
    'Commands to the lane, by use and outcome: to the reply, or to the failure.',
    ['use', 'outcome'],
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1],
  )
  const laneLosses = counter(
    'lane_losses_total',
    'Times that the lane no longer had what was written to it.',
    [],
  )
  const lastVerdicts = new Map<string, string>()
  registerProcess(registry)

  return {
    requestAnswered: (kind, status, ms) => requests.observe({ kind, status }, ms / 1000),
    messageTaken: (code) => messages.inc({ outcome: code ?? 'accepted' }),
    replyEnded: (status, code) => replies.inc({ status, code: code ?? '' }),
    firstDelta: (ms) => firstDelta.observe(ms / 1000),
    tokenMinted: (outcome) => tokens.inc({ outcome }),
    tokenReused: () => tokens.inc({ outcome: 'reused' }),
    subscriptionOpened() {
      opened.inc()
      open.inc()
    },
    subscriptionEnded(reason) {
      ended.inc({ reason })
      open.dec()
    },
    upstreamOddity: (oddity) => oddities.inc({ oddity }),
    upstreamError: (call, kind, code) => upstreamErrors.inc({ call, kind, code }),
    upstreamCalled: (call, outcome, ms) => upstreamCalls.observe({ call, outcome }, ms / 1000),
    storeWritten: (ms) => storeWrites.observe({}, ms / 1000),
    upstreamRetried: () => retries.inc(),
    queueLength(assistant, waitingNow, runningNow) {
      waiting.set({ assistant }, waitingNow)
      running.set({ assistant }, runningNow)
    },
    circuitChanged: (assistant, state) =>
      circuits.set({ assistant }, { closed: 0, 'half-open': 0.5, open: 1 }[state]),
    isolationBreach: (assistant, strategy) => breaches.inc({ assistant, strategy }),
    laneAsked: (use, outcome, ms) => laneCommands.observe({ use, outcome }, ms / 1000),
    laneChanged: (isHere) => lane.set(isHere ? 1 : 0),
    laneForgot: () => laneLosses.inc(),
    isolationVerdict(assistant, strategy, verdict) {
      const target = { assistant, strategy }
      const before = lastVerdicts.get(JSON.stringify(target))
      if (before !== undefined) verdicts.remove({ ...target, verdict: before })
      lastVerdicts.set(JSON.stringify(target), verdict)
      verdicts.set({ ...target, verdict }, 1)
      // A counter that starts at its first breach would hide that breach from an alert on growth.
      breaches.inc(target, 0)
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
    snapshot: () => registry.getMetricsAsJSON(),
  }
}

/** Read when scraped, since the default metrics of prom-client keep observers that cannot be stopped. */
function registerProcess(registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge('nodejs_heap_used_bytes', 'Used heap.', () => process.memoryUsage().heapUsed)
  let counted = 0
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time, user and system.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage()
      const total = user + system
      this.inc((total - counted) / 1_000_000)
      counted = total
    },
  })
  // Without free descriptors the system refuses connections before Node sees them. Only these metrics show it (F24).
  const maxDescriptors = readMaxDescriptors()
  if (maxDescriptors !== undefined) {
    gauge('process_max_fds', 'File descriptors that may be open.', () => maxDescriptors)
    gauge('process_open_fds', 'File descriptors that are open.', () =>
      countDescriptors(maxDescriptors),
    )
  }
  gauge(
    'nodejs_eventloop_utilization',
    'Share of the time that the event loop was busy.',
    () => performance.eventLoopUtilization().utilization,
  )
}

/** Undefined on systems other than Linux, and without a limit. */
function readMaxDescriptors(): number | undefined {
  const limits = '/proc/self/limits'
  if (!existsSync(limits)) return undefined
  const soft = /^Max open files +(\d+)/m.exec(readFileSync(limits, 'utf8'))?.[1]
  return soft === undefined ? undefined : Number(soft)
}

function countDescriptors(max: number): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch (error) {
    // Counting them takes one descriptor.
    if (error instanceof Error && 'code' in error && error.code === 'EMFILE') return max
    throw error
  }
}
