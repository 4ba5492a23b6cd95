import { warningsOf } from '../config/cross-checks.ts'
import { systemClock } from '../lib/clock.ts'
import { openMetricsServer } from '../observe/metrics-server.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { createLogger } from '../observe/log.ts'
import { watchProcess } from './lifetime.ts'
import { type Options, readConfig, readWholeConfig, valueOf } from './options.ts'
import type { ExitCode } from './run-process.ts'
import { openServing } from './serving.ts'
import { UsageError } from './usage-error.ts'

/** Runs a gateway until a signal stops it, drains, and returns the exit code. */
export async function runServe(options: Options): Promise<ExitCode> {
  const count = parseWorkers(valueOf(options, 'workers') ?? '1')
  const config = await readWholeConfig(options)
  const logger = createLogger(config.logging)
  for (const warning of warningsOf(config, systemClock.now())) {
    logger.warn({ warning }, 'the configuration is risky')
  }
  if (count > 1) {
    const { runWorkers } = await import('./workers.ts')
    return await runWorkers({ config, configFile: valueOf(options, 'config'), count, logger })
  }
  using lifetime = watchProcess(logger, config.timeouts.drainMs)
  await using stack = new AsyncDisposableStack()
  const metrics = createPrometheusMetrics()
  const metricsServer =
    config.metrics && stack.use(await openMetricsServer(config.metrics, metrics))
  const reread = () => readConfig(options)
  const serving = stack.use(await openServing(config, { logger, metrics, isShared: false, reread }))
  using _reload = onHangup(() => serving.reloadApiKeys())
  logger.info({ url: serving.url, metricsUrl: metricsServer?.url }, 'listening')

  const code = await lifetime.end
  await serving.close()
  return code
}

function parseWorkers(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= 64) return count
  throw new UsageError(`--workers must be a number from 1 to 64, got ${text}`)
}

export function onHangup(reload: () => Promise<void> | void): Disposable {
  const listener = () => void reload()
  process.on('SIGHUP', listener)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', listener) }
}
