import { randomInt } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { CozeClientOptions } from '../coze/client.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createRandomIds, type NewId } from '../lib/id.ts'
import { createLogger } from '../observe/log.ts'
import { createHostMetrics } from '../observe/host-metrics.ts'
import type { Logger } from '../observe/logger.ts'
import type { Metrics } from '../observe/metrics.ts'
import { createOpenTelemetryTracer } from '../observe/opentelemetry.ts'
import { createPrometheusMetrics } from '../observe/prometheus.ts'
import type { Tracer } from '../observe/tracer.ts'

/** The dependencies that all parts of a gateway share. */
export interface Dependencies {
  readonly clock: Clock
  readonly newId: NewId
  /** Returns a number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /**
   * The connections to the upstream, for example through a proxy. Its owner closes it. Undefined: the client opens its
   * own.
   */
  readonly dispatcher: CozeClientOptions['dispatcher']
}

/** Fills in the real dependencies. The tracer is OpenTelemetry's API, which uses the SDK of the process. */
export function withDefaults(given: Partial<Dependencies>, { logging }: Config): Dependencies {
  const logger = given.logger ?? createLogger(logging)
  return {
    clock: given.clock ?? systemClock,
    newId: given.newId ?? createRandomIds(),
    random: given.random ?? secureRandom,
    logger,
    metrics: given.metrics ? createHostMetrics(given.metrics, logger) : createPrometheusMetrics(),
    tracer: given.tracer ?? createOpenTelemetryTracer(),
    dispatcher: given.dispatcher,
  }
}

/** Jitter is not secret, but one source of randomness is enough. */
function secureRandom(): number {
  return randomInt(2 ** 32) / 2 ** 32
}
