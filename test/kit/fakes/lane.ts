import { laneSchema, type RedisSettings } from '../../../src/config/sections/lane.ts'
import { type Lane, openLane } from '../../../src/lane/lane.ts'
import { openRedis } from '../../../src/lane/redis.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { until } from '../process/until.ts'
import { uncounted } from './metrics.ts'

export const prefix = 'test:'

export interface TestLane extends AsyncDisposable {
  readonly lane: Lane
  /** The sentences of its log, with their reasons. */
  readonly log: readonly string[]
  /** What was asked, as `use outcome`. */
  readonly asked: readonly string[]
  /** Times that the server had forgotten what was written. */
  readonly losses: number
  readonly whenHere: () => Promise<void>
  readonly whenAway: () => Promise<void>
}

/** A lane to a real server. */
export function openTestLane(url: string, settings: Partial<RedisSettings> = {}): TestLane {
  const log: string[] = []
  const asked: string[] = []
  let losses = 0
  const write = ({ reason }: Readonly<Record<string, unknown>>, message: string) =>
    void log.push(typeof reason !== 'string' ? message : `${message} (${reason})`)
  const lane = openLane({
    redis: openRedis({
      lane: laneSchema.parse(url),
      redis: { protocol: 3, ...settings },
      clock: systemClock,
      random: Math.random,
    }),
    prefix: settings.prefix ?? prefix,
    // A machine that is busy with other tests is not a lane that is away.
    timeoutMs: settings.timeoutMs ?? 1_000,
    clock: systemClock,
    random: Math.random,
    instance: crypto.randomUUID(),
    logger: { debug: write, info: write, warn: write, error: write },
    metrics: {
      ...uncounted,
      laneAsked: (use, outcome) => void asked.push(`${use} ${outcome}`),
      laneForgot: () => void (losses += 1),
    },
  })
  return {
    lane,
    log,
    asked,
    get losses() {
      return losses
    },
    whenHere: async () => void (await until(() => lane.isHere, 'the lane to be here', 20_000)),
    whenAway: async () => void (await until(() => !lane.isHere, 'the lane to be away', 20_000)),
    [Symbol.asyncDispose]: () => lane[Symbol.asyncDispose](),
  }
}
