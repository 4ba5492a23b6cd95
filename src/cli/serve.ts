import type { Config } from '../config/config.ts'
import { warningsOf } from '../config/cross-checks.ts'
import { createGateway, type Gateway } from '../compose/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { openMetricsServer } from '../observe/metrics-server.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { createLogger } from '../observe/log.ts'
import { listen } from '../server/node/listener.ts'
import { watchProcess } from './lifetime.ts'
import { type Options, readConfig, readWholeConfig } from './options.ts'
import { boundGarbage, giveBackStartMemory } from './start-memory.ts'

/** Runs a gateway until a signal stops it, drains, and returns the exit code. */
export async function runServe(options: Options): Promise<0 | 1> {
  const config = await readWholeConfig(options)
  const logger = createLogger(config.logging)
  using lifetime = watchProcess(logger, config.timeouts.drainMs)
  for (const warning of warningsOf(config, systemClock.now())) {
    logger.warn({ warning }, 'the configuration is risky')
  }
  await using stack = new AsyncDisposableStack()
  const metrics = createPrometheusMetrics()
  const metricsServer =
    config.metrics && stack.use(await openMetricsServer(config.metrics, metrics))
  const gateway = stack.use(await createGateway(config, { clock: systemClock, logger, metrics }))
  giveBackStartMemory()
  boundGarbage()
  const server = await listen({
    handle: (request, response, take) => gateway.serve(request, response, take),
    upgrades: gateway,
    ...config.listen,
    timeouts: config.timeouts,
    limits: config.limits,
    logger,
  })
  stack.defer(() => server.close())
  using _reload = onHangup(() => reloadApiKeys(gateway, () => readConfig(options), logger))
  logger.info({ url: server.url, metricsUrl: metricsServer?.url }, 'listening')

  const code = await lifetime.end
  // The server still responds while the gateway closes: health is 503, and streams end with a cursor to resume from.
  await gateway.close()
  return code
}

/** API keys can change without a restart. Everything else needs one. */
async function reloadApiKeys(gateway: Gateway, reread: () => Config, logger: Logger) {
  try {
    const { apiKeys } = reread()
    await gateway.replaceApiKeys(apiKeys)
    logger.info({ apiKeys: apiKeys.length }, 'API keys were read again')
  } catch (error) {
    logger.error({ err: error }, 'API keys could not be read again: the old ones stay')
  }
}

function onHangup(reload: () => Promise<void>): Disposable {
  const listener = () => void reload()
  process.on('SIGHUP', listener)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', listener) }
}
