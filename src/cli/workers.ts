import { type ChildProcess, fork } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { type Config, processEnvironment } from '../config/config.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { moduleBeside } from '../lib/module-beside.ts'
import type { Logger } from '../observe/logger.ts'
import { openMetricsServer } from '../observe/metrics-server.ts'
import { createPrometheusMetrics, type MetricsSnapshot, textOfAll } from '../observe/prometheus.ts'
import { findPort, urlOf } from '../server/node/listener.ts'
import { exitNow } from './exit-now.ts'
import { watchLifetime } from './lifetime.ts'
import { onHangup } from './serve.ts'
import { UsageError } from './usage-error.ts'

/** What a worker is started with, as its one argument. */
export interface WorkerStart {
  readonly configFile: string | undefined
  readonly worker: number
  /** Workers that share the memory of the machine. */
  readonly count: number
  readonly port: number
}
export type ToWorker =
  | { readonly type: 'drain' }
  | { readonly type: 'reload' }
  | { readonly type: 'measure'; readonly id: number }
export type FromWorker =
  | { readonly type: 'listening' }
  | { readonly type: 'measured'; readonly id: number; readonly snapshot: MetricsSnapshot }

/** The pause before a dead worker is started again, in ms: twice as long after each death, until one has lived for long. */
const firstPauseMs = 1_000
const maxPauseMs = 30_000
const longLifeMs = 60_000
/** How long the meters of a worker are waited for, in ms: without those of a busy one there are those of the others. */
const measureMs = 2_000

export interface WorkersOptions {
  readonly config: Config
  readonly configFile: string | undefined
  readonly count: number
  readonly logger: Logger
}

/**
 * Serves one port by several processes, each a gateway of its own on the same database, until a signal stops all of them.
 * One that dies is started again. One that cannot start when all are started ends all.
 */
export async function runWorkers(options: WorkersOptions): Promise<0 | 1 | 2> {
  const { config, configFile, count, logger } = options
  if (config.store.engine !== 'postgres') {
    throw new UsageError(
      '--workers needs a PostgreSQL server as "store": a SQLite file belongs to one process',
    )
  }
  if (process.platform !== 'linux') {
    throw new UsageError('--workers needs Linux, which spreads connections over processes')
  }
  const { host } = config.listen
  const port = await findPort(host, config.listen.port)
  const workers = new Workers({ configFile, count, port }, logger, systemClock)
  using lifetime = watchLifetime(process, {
    logger,
    clock: systemClock,
    exitNow(code) {
      workers.kill()
      exitNow(code)
    },
    drainMs: config.timeouts.drainMs,
    isRunByNpm: processEnvironment()['npm_lifecycle_event'] !== undefined,
  })
  await using stack = new AsyncDisposableStack()
  const { contentType } = createPrometheusMetrics()
  const source = { contentType, text: async () => textOfAll(await workers.measure()) }
  const metricsServer = config.metrics && stack.use(await openMetricsServer(config.metrics, source))
  using _reload = onHangup(() => workers.tell({ type: 'reload' }))

  const started = await Promise.race([workers.start(), lifetime.end])
  if (started === 'listening') {
    const url = urlOf({ host, port })
    logger.info({ url, metricsUrl: metricsServer?.url, workers: count }, 'listening')
  }
  const code = started === 'listening' ? await lifetime.end : started
  const isClean = await workers.end()
  return code === 0 && !isClean ? 1 : code
}

/** Processes that are kept running. */
class Workers {
  readonly #start: Omit<WorkerStart, 'worker'>
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #running = new Map<number, ChildProcess>()
  readonly #kept: Promise<void>[] = []
  readonly #ending = new AbortController()
  readonly #failed = Promise.withResolvers<1 | 2>()
  readonly #measuring = new Map<number, (snapshot: MetricsSnapshot) => void>()
  #isListening = false
  #isClean = true
  #lastId = 0

  constructor(start: Omit<WorkerStart, 'worker'>, logger: Logger, clock: Clock) {
    this.#start = start
    this.#logger = logger
    this.#clock = clock
  }

  /** Resolves when all listen, or with the exit code of one that could not start and has said why. */
  async start(): Promise<'listening' | 1 | 2> {
    // The first one brings the tables up to date. If it cannot start, one says why, and not all.
    const [first, ...others] = Array.from({ length: this.#start.count }, (_, index) => index + 1)
    for (const group of [[first ?? 1], others]) {
      const all = Promise.all(group.map((worker) => this.#keep(worker)))
      const code = await Promise.race([all.then(() => undefined), this.#failed.promise])
      if (code !== undefined) return code
    }
    this.#isListening = true
    return 'listening'
  }

  tell(message: ToWorker): void {
    for (const child of this.#running.values()) if (child.connected) child.send(message)
  }

  kill(): void {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }

  /** Drains all. Returns whether each has ended well. */
  async end(): Promise<boolean> {
    this.#ending.abort(new Error('the workers end'))
    this.tell({ type: 'drain' })
    await Promise.all(this.#kept)
    return this.#isClean
  }

  async measure(): Promise<readonly MetricsSnapshot[]> {
    const asked = [...this.#running.values()].map((child) => this.#measure(child))
    return (await Promise.all(asked)).filter((one) => one !== undefined)
  }

  async #measure(child: ChildProcess): Promise<MetricsSnapshot | undefined> {
    if (!child.connected) return undefined
    this.#lastId += 1
    const id = this.#lastId
    const { promise, resolve } = Promise.withResolvers<MetricsSnapshot | undefined>()
    using _timer = this.#clock.timer(measureMs, () => resolve(undefined))
    this.#measuring.set(id, resolve)
    child.send({ type: 'measure', id } satisfies ToWorker)
    try {
      return await promise
    } finally {
      this.#measuring.delete(id)
    }
  }

  /** Keeps a worker running. Resolves when it listens for the first time. */
  async #keep(worker: number): Promise<void> {
    const listening = Promise.withResolvers<void>()
    this.#kept.push(this.#run(worker, listening.resolve))
    await listening.promise
  }

  async #run(worker: number, onListening: () => void): Promise<void> {
    const { signal } = this.#ending
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(2 * pauseMs, maxPauseMs)) {
      const startedAt = this.#clock.monotonic()
      const { code, signal: by } = await this.#spawn(worker, onListening)
      if (signal.aborted) {
        this.#isClean &&= code === 0
        return
      }
      if (!this.#isListening) {
        this.#failed.resolve(code === 2 ? 2 : 1)
        return
      }
      if (this.#clock.monotonic() - startedAt > longLifeMs) pauseMs = firstPauseMs
      const restart = { worker, code, signal: by, restartMs: pauseMs }
      this.#logger.error(restart, 'worker ended: it is started again')
      // A drain ends the pause.
      await this.#clock.sleep(pauseMs, signal).catch(() => {})
    }
  }

  async #spawn(worker: number, onListening: () => void) {
    const start: WorkerStart = { ...this.#start, worker }
    const cache = getCompileCacheDir()
    const env = { ...processEnvironment(), ...(cache && { NODE_COMPILE_CACHE: cache }) }
    const child = fork(moduleBeside(import.meta.url, './worker'), [JSON.stringify(start)], { env })
    this.#running.set(worker, child)
    child.on('message', (message) => {
      if (!isFromWorker(message)) return
      if (message.type === 'measured') this.#measuring.get(message.id)?.(message.snapshot)
      else {
        this.#logger.info({ worker, pid: child.pid }, 'worker listens')
        onListening()
      }
    })
    // What is sent while it ends is lost.
    child.on('error', (err) => this.#logger.warn({ worker, err }, 'worker not reached'))
    const { promise, resolve } = Promise.withResolvers<{
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
    }>()
    child.once('exit', (code, signal) => resolve({ code, signal }))
    const ended = await promise
    this.#running.delete(worker)
    return ended
  }
}

function isFromWorker(message: unknown): message is FromWorker {
  return typeof message === 'object' && message !== null && 'type' in message
}
