import type { Config } from '../config/config.ts'
import type { LaneSettings } from '../config/sections/lane.ts'
import type { OAuthCredentials } from '../coze/minting.ts'
import type { SharedTokens } from '../coze/token.ts'
import { openLane } from '../lane/lane.ts'
import { openPeerChannel } from '../lane/peer-channel.ts'
import { createSharedSpans } from '../lane/shared-rates.ts'
import { createSharedTokens } from '../lane/shared-tokens.ts'
import { createTokenSeal } from '../lane/token-seal.ts'
import type { SharedSpans } from '../rate/shared-limiter.ts'
import type { PeerChannel } from '../store/peers.ts'
import type { Dependencies } from './dependencies.ts'

/** What gateways share over the lane. */
export interface SharedLane extends AsyncDisposable {
  readonly tokens: (credentials: OAuthCredentials) => SharedTokens
  /** What all gateways have used of the limit of that name. */
  readonly spans: (name: string) => SharedSpans
  /** The way to the other gateways on the same store. */
  readonly peers: PeerChannel
}

/** The library of Redis is loaded only where there is a lane. Its server need not be there. */
export async function openSharedLane(
  settings: LaneSettings,
  { redis, session, limits }: Config,
  { clock, random, newId, logger, metrics }: Dependencies,
): Promise<SharedLane> {
  const { openRedis } = await import('../lane/redis.ts')
  const { prefix, timeoutMs } = redis
  const instance = newId()
  const stack = new AsyncDisposableStack()
  const lane = stack.use(
    openLane({
      redis: openRedis({ lane: settings, redis, clock, random }),
      prefix,
      timeoutMs,
      instance,
      clock,
      random,
      logger,
      metrics,
    }),
  )
  const peers = stack.use(openPeerChannel({ lane, instance, secret: session.key, clock }))
  const seal = createTokenSeal(session.key)
  const common = { lane, seal, clock, newId, maxEntries: limits.maxCachedTokens }
  return {
    tokens: (credentials) => createSharedTokens({ ...common, credentials }),
    spans: (name) => createSharedSpans(lane, name, (key) => seal.digest(name, key)),
    peers,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
