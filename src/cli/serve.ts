import type { Config } from '../config/config.ts'
import { warningsOf } from '../config/cross-checks.ts'
import { createGateway, type Gateway } from '../compose/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { openMetricsServer } from '../observe/metrics-server.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { listen } from '../server/node/listener.ts'
import type { Lifetime } from './lifetime.ts'
import { boundGarbage, giveBackStartMemory } from './start-memory.ts'

/** Runs a gateway to the end of the process's lifetime, drains, and returns the exit code. */
export async function serve(
  config: Config,
  options: {
    readonly logger: Logger
    readonly lifetime: Lifetime
    /** Reads the configuration anew, as a SIGHUP asks. */
    readonly reread: () => Config
  },
): Promise<0 | 1> {
  const { logger, lifetime, reread } = options
  for (const warning of warningsOf(config)) logger.warn({ warning }, 'the configuration is risky')
  await using stack = new AsyncDisposableStack()
  const metrics = createPrometheusMetrics()
  const metricsServer =
    config.metrics && stack.use(await openMetricsServer(config.metrics, metrics))
  const gateway = stack.use(await createGateway(config, { clock: systemClock, logger, metrics }))
  giveBackStartMemory()
  boundGarbage()
  const server = await listen({
    handle: (request, response, take) => gateway.serve(request, response, take),
    ...config.listen,
    timeouts: config.timeouts,
    limits: config.limits,
    logger,
  })
  stack.defer(() => server.close())
  using _reload = onHangup(() => reloadApiKeys(gateway, reread, logger))
  logger.info({ url: server.url, metricsUrl: metricsServer?.url }, 'listening')

  const code = await lifetime.end
  // The gateway is closed while the server still responds: health is 503, and streams end with a cursor to resume from.
  await gateway.close()
  return code
}

/** API keys come and go without a restart; everything else needs one. */
async function reloadApiKeys(gateway: Gateway, reread: () => Config, logger: Logger) {
  try {
    const { apiKeys } = reread()
    await gateway.replaceApiKeys(apiKeys)
    logger.info({ apiKeys: apiKeys.length }, 'API keys were read anew')
  } catch (error) {
    logger.error({ err: error }, 'API keys could not be read anew: the old ones stay')
  }
}

function onHangup(reload: () => Promise<void>): Disposable {
  const listener = () => void reload()
  process.on('SIGHUP', listener)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', listener) }
}
