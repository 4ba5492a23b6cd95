import type { Config } from '../config/config.ts'
import { createGateway } from '../compose/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { PrometheusMetrics } from '../observe/prometheus.ts'
import { listen } from '../server/node/listener.ts'
import { boundGarbage, giveBackStartMemory } from './start-memory.ts'

/** A gateway that listens, in a process of its own. */
export interface Serving extends AsyncDisposable {
  readonly url: string
  /** API keys can change without a restart. Everything else needs one. */
  reloadApiKeys(): Promise<void>
  /** Drains. The server still responds meanwhile: health is 503, and streams end with a cursor to resume from. */
  close(): Promise<void>
}

export interface ServingOptions {
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  /** Other processes listen at the same port. */
  readonly isShared: boolean
  /** Reads the configuration again. */
  readonly reread: () => Config
}

/** Opens the gateway, then its port. */
export async function openServing(
  config: Config,
  { logger, metrics, isShared, reread }: ServingOptions,
): Promise<Serving> {
  await using stack = new AsyncDisposableStack()
  const gateway = stack.use(await createGateway(config, { clock: systemClock, logger, metrics }))
  giveBackStartMemory()
  boundGarbage()
  const server = await listen({
    handle: (request, response, take) => gateway.serve(request, response, take),
    upgrades: gateway,
    ...config.listen,
    isShared,
    timeouts: config.timeouts,
    limits: config.limits,
    logger,
  })
  stack.defer(() => server.close())
  const owned = stack.move()
  return {
    url: server.url,
    async reloadApiKeys() {
      try {
        const { apiKeys } = reread()
        await gateway.replaceApiKeys(apiKeys)
        logger.info({ apiKeys: apiKeys.length }, 'API keys were read again')
      } catch (error) {
        logger.error({ err: error }, 'API keys could not be read again: the old ones stay')
      }
    },
    close: () => gateway.close(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
