import type { Config } from '../config/config.ts'
import type { AssistantQuota } from '../config/sections/assistant.ts'
import type { LaneSettings } from '../config/sections/lane.ts'
import type { OAuthCredentials } from '../coze/minting.ts'
import type { SharedTokens } from '../coze/token.ts'
import type { AssistantId } from '../domain.ts'
import { openLane } from '../lane/lane.ts'
import { openPeerChannel } from '../lane/peer-channel.ts'
import { openSharedQuota } from '../lane/shared-quota.ts'
import { createSharedSpans } from '../lane/shared-rates.ts'
import { createSharedTokens } from '../lane/shared-tokens.ts'
import { createTokenSeal } from '../lane/token-seal.ts'
import { systemClock } from '../lib/clock.ts'
import type { LaneFailure } from '../observe/metrics.ts'
import type { SharedSpans } from '../rate/shared-limiter.ts'
import type { QuotaShare } from '../reply/quota-share.ts'
import type { PeerChannel } from '../store/peers.ts'
import type { Dependencies } from './dependencies.ts'

/** What gateways share over the lane. */
export interface SharedLane extends AsyncDisposable {
  readonly tokens: (credentials: OAuthCredentials) => SharedTokens
  /** What all gateways have used of the limit of that name. */
  readonly spans: (name: string) => SharedSpans
  /** What this gateway may use of a quota; `equal`: what it has where the lane is away. */
  readonly quota: (options: {
    readonly id: AssistantId
    readonly quota: AssistantQuota
    readonly equal: QuotaShare
    readonly instances: () => number
  }) => QuotaShare
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
    quota: ({ id, ...options }) =>
      openSharedQuota({ lane, clock, instance, name: `permits:${seal.digest(id)}`, ...options }),
    peers,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Tries the server of the lane. Undefined: there is no lane. */
export async function tryLane({
  lane,
  redis,
}: Config): Promise<{ readonly hosts: string; readonly failure: string | undefined } | undefined> {
  if (lane === undefined) return undefined
  const { openRedis } = await import('../lane/redis.ts')
  const told = Promise.withResolvers<void>()
  let failed: LaneFailure | undefined
  const own = { clock: systemClock, random: Math.random }
  await using _ = openLane({
    redis: openRedis({ lane, redis, ...own }),
    prefix: redis.prefix,
    timeoutMs: redis.timeoutMs,
    instance: 'check-config',
    ...own,
    logger: { debug() {}, info: () => told.resolve(), warn: () => told.resolve(), error() {} },
    metrics: {
      laneAsked: (_use, outcome) => void (failed = outcome === 'ok' ? undefined : outcome),
      laneChanged() {},
      laneForgot() {},
    },
  })
  const hosts = lane.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')
  await told.promise
  return { hosts, failure: failed && failures[failed] }
}

const failures: Readonly<Record<LaneFailure, string>> = {
  timeout: 'Redis takes longer than "redis.timeoutMs" to answer',
  unreachable: 'Redis cannot be reached',
  readonly: 'Redis can only be read, as a replica',
  full: 'Redis is full, and evicts nothing',
  refused: 'Redis refuses the user, the password or a command that the user may not run',
  error: 'Redis refuses to work',
}
