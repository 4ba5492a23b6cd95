import type { Config } from '../config/config.ts'
import type { LaneSettings } from '../config/sections/lane.ts'
import type { OAuthCredentials } from '../coze/minting.ts'
import type { SharedTokens } from '../coze/token.ts'
import type { SharedSpans } from '../rate/shared-limiter.ts'
import type { Dependencies } from './dependencies.ts'

/** What gateways share over the lane. */
export interface SharedLane extends AsyncDisposable {
  readonly tokens: (credentials: OAuthCredentials) => SharedTokens
  /** What all gateways have used of the limit of that name. */
  readonly spans: (name: string) => SharedSpans
}

/** The library of Redis is loaded only where there is a lane. Its server need not be there. */
export async function openSharedLane(
  settings: LaneSettings,
  { redis, session, limits }: Config,
  { clock, random, newId, logger, metrics }: Dependencies,
): Promise<SharedLane> {
  const { openRedis } = await import('../lane/redis.ts')
  const { openLane } = await import('../lane/lane.ts')
  const { createSharedSpans } = await import('../lane/shared-rates.ts')
  const { createSharedTokens } = await import('../lane/shared-tokens.ts')
  const { createTokenSeal } = await import('../lane/token-seal.ts')
  const { prefix, timeoutMs } = redis
  const lane = openLane({
    redis: openRedis({ lane: settings, redis, clock, random }),
    prefix,
    timeoutMs,
    instance: newId(),
    clock,
    random,
    logger,
    metrics,
  })
  const seal = createTokenSeal(session.key)
  const common = { lane, seal, clock, newId, maxEntries: limits.maxCachedTokens }
  return {
    tokens: (credentials) => createSharedTokens({ ...common, credentials }),
    spans: (name) => createSharedSpans(lane, name, (key) => seal.digest(name, key)),
    [Symbol.asyncDispose]: () => lane[Symbol.asyncDispose](),
  }
}
