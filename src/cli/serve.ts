import type { Config } from '../config.ts'
import { createGateway } from '../gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { openMetricsServer } from '../observe/metrics-server.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import { listen } from '../server/node.ts'
import type { Lifetime } from './lifetime.ts'

/** Runs a gateway to the end of the process's lifetime, drains, and answers the exit code. */
export async function serve(config: Config, logger: Logger, lifetime: Lifetime): Promise<0 | 1> {
  await using stack = new AsyncDisposableStack()
  const metrics = createPrometheusMetrics()
  const metricsServer =
    config.metrics && stack.use(await openMetricsServer(config.metrics, metrics))
  const gateway = stack.use(await createGateway(config, { clock: systemClock, logger, metrics }))
  const server = await listen({
    handle: (request, response) => gateway.handle(request, response),
    ...config.listen,
    timeouts: config.timeouts,
    logger,
  })
  stack.defer(() => server.close())
  logger.info({ url: server.url, metricsUrl: metricsServer?.url }, 'listening')

  const code = await lifetime.end
  // The gateway first, while the door still answers: health says 503, and streams end with a place to resume from.
  await gateway.close()
  return code
}
