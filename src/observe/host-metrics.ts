import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

/**
 * The metrics of a host, whose failures are no failures of the gateway: what a method throws is logged once for each method,
 * and whatever was counted goes on.
 */
export function createHostMetrics(metrics: Metrics, logger: Pick<Logger, 'error'>): Metrics {
  const failed = new Set<PropertyKey>()
  return new Proxy(metrics, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...facts: readonly unknown[]): void => {
        try {
          Reflect.apply(method, target, facts)
        } catch (err) {
          if (failed.has(name)) return
          failed.add(name)
          logger.error({ err, method: String(name) }, 'metrics of the host failed')
        }
      }
    },
  })
}
