import { EventEmitter } from 'node:events'
import { systemClock } from '../lib/clock.ts'
import { createLogger } from '../observe/log.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { exitNow } from './exit-now.ts'
import { type ProcessEvents, watchLifetime } from './lifetime.ts'
import { readConfig, readWholeConfig } from './options.ts'
import { type ExitCode, runProcess } from './run-process.ts'
import { openServing } from './serving.ts'
import type { FromWorker, ToWorker, WorkerStart } from './workers.ts'

/** One of the processes of `serve --workers`. Its parent says when it ends. */
async function runWorker({ configFile, worker, count, port }: WorkerStart): Promise<ExitCode> {
  const options = configFile === undefined ? {} : { config: configFile }
  const config = await readWholeConfig(options)
  const { limits, listen, timeouts } = config
  const logger = createLogger({ ...config.logging, fields: { worker } })
  const { drainMs } = timeouts
  const events = endsOf(process)
  using lifetime = watchLifetime(events, {
    logger,
    clock: systemClock,
    exitNow,
    drainMs,
    isRunByNpm: false,
  })
  const metrics = createPrometheusMetrics({ worker: String(worker) })
  const own = {
    ...config,
    listen: { ...listen, port },
    // The workers share the memory of the machine or container.
    limits: { ...limits, maxResidentPercent: limits.maxResidentPercent / count },
  }
  const reread = () => readConfig(options)
  await using serving = await openServing(own, { logger, metrics, isShared: true, reread })
  process.on('message', (message) => {
    if (!isToWorker(message)) return
    if (message.type === 'reload') void serving.reloadApiKeys()
    if (message.type === 'measure') {
      const { id } = message
      void metrics.snapshot().then((snapshot) => tell({ type: 'measured', id, snapshot }))
    }
  })
  tell({ type: 'listening' })
  const code = await lifetime.end
  await serving.close()
  return code
}

function tell(message: FromWorker): void {
  // A parent that is gone needs nothing any more.
  process.send?.(message, undefined, {}, () => {})
}

/**
 * What ends a worker: its parent's word, the loss of its parent, or a SIGTERM, whichever comes first; a parent that is lost
 * while the worker drains ends it at once. A terminal sends SIGINT to every process of its group, but the parent decides.
 */
function endsOf(worker: NodeJS.Process): ProcessEvents {
  const ends = new EventEmitter()
  let isEnding = false
  const end = (isLast: boolean) => {
    if (!isEnding || isLast) ends.emit('SIGTERM', 'SIGTERM')
    isEnding = true
  }
  worker.on('SIGINT', () => {})
  worker.on('SIGTERM', () => end(false))
  worker.on('disconnect', () => end(isEnding))
  worker.on('message', (message) => {
    if (isToWorker(message) && message.type === 'drain') end(false)
  })
  // It may have been lost before.
  if (!worker.connected) setImmediate(() => end(false))
  const sourceOf = (event: string) => (event.startsWith('SIG') ? ends : worker)
  return {
    on: (event, listener) => sourceOf(event).on(event, listener),
    off: (event, listener) => sourceOf(event).off(event, listener),
  }
}

function isToWorker(message: unknown): message is ToWorker {
  return typeof message === 'object' && message !== null && 'type' in message
}

const start: WorkerStart = JSON.parse(process.argv[2] ?? '')
await runProcess(() => runWorker(start))
