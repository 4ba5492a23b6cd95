import type { Readiness } from '../../../src/server/health.ts'
import type { LoadShedder } from '../../../src/server/load-shedding.ts'
import { permanentlyAccepted } from '../../../src/auth/identity.ts'
import type { CookieSettings } from '../../../src/config/sections/cookie.ts'
import { UnauthenticatedError } from '../../../src/errors.ts'
import { type Limits, limitsSchema } from '../../../src/config/sections/limits.ts'
import type { PersistedDocuments } from '../../../src/config/sections/persisted-documents.ts'
import { corsSchema, type PageSettings } from '../../../src/config/sections/process.ts'
import { uploadsSchema } from '../../../src/config/sections/uploads.ts'
import type { IsolationPort } from '../../../src/graphql/context.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import type { Metrics, SubscriptionEnd } from '../../../src/observe/metrics.ts'
import { createRateLimiter } from '../../../src/rate/limiter.ts'
import { createGraphiQL } from '../../../src/server/graphiql/graphiql.ts'
import { listen } from '../../../src/server/node/listener.ts'
import type { DemoStage } from '../../../src/server/pages/demo-stage.ts'
import { createBrowserPages } from '../../../src/server/pages/pages.ts'
import { createGraphServer, type GraphServer } from '../../../src/server/server.ts'
import type { RequestAuthenticator, GuestIssuer, Limiter } from '../../../src/server/sign-in.ts'
import type { CostLimiter } from '../../../src/server/graphql/operation.ts'
import { type FakeSession, assistants, createFakeSession } from './session.ts'
import { randomId } from './ids.ts'
import { silentLogger } from './logger.ts'
import { uncounted, untraced } from './metrics.ts'

export interface FakeGatewayOptions {
  readonly clock?: Clock
  readonly limits?: Partial<Limits>
  readonly logger?: Logger
  readonly keepAliveMs?: number
  readonly stalledMs?: number
  readonly credentialCheckMs?: number
  readonly requestMs?: number
  readonly headersMs?: number
  readonly idleConnectionMs?: number
  readonly introspection?: boolean
  readonly persistedDocuments?: PersistedDocuments
  readonly path?: string
  readonly graphiqlHeaders?: Readonly<Record<string, string>>
  readonly pages?: Partial<PageSettings>
  readonly demoStage?: DemoStage
  readonly origins?: readonly string[]
  readonly expiresAt?: number
  /** Default: always 0.5. */
  readonly random?: () => number
  readonly readiness?: () => Readiness
  readonly isolation?: IsolationPort
  readonly load?: LoadShedder
  /** Default: as the limits say. */
  readonly costs?: CostLimiter
  /** Default: `Bearer NAME` is the caller NAME. Another one's callers have the session of their subject. */
  readonly authenticator?: RequestAuthenticator
  readonly cookie?: CookieSettings | undefined
  /** Default: any number. */
  readonly signIns?: Limiter
  readonly guests?: GuestIssuer | undefined
  readonly trustProxy?: number
  /** Tokens of operators. Default none. */
  readonly operators?: readonly string[]
}

export interface FakeGateway extends AsyncDisposable {
  readonly url: string
  readonly server: GraphServer
  /** The session of a bearer token: each token is a caller of its own. */
  session(token: string): FakeSession
  /** Why subscriptions have ended, in order. */
  readonly ends: readonly SubscriptionEnd[]
  /** Bytes of answers that are being made or wait to be read. */
  readonly waitingBytes: number
}

/** As of assistants that nobody has probed. */
export const unproven: IsolationPort = {
  describe: () => ({
    verdict: 'UNPROVEN',
    inService: true,
    checkedAt: null,
    findings: [],
    keying: [],
  }),
  clear: async () => undefined,
  begin: () => undefined,
  find: () => undefined,
  recent: () => [],
}
const normalLimits: Limits = {
  ...limitsSchema.parse({}),
  maxBodyBytes: 65_536,
  maxMessageLength: 1_000,
  maxTokens: 2_000,
  maxDepth: 12,
  maxAliases: 30,
  maxDirectives: 30,
  maxQueued: 10,
  maxSubscriptions: 10_000,
  maxSubscriptionsPerSession: 10_000,
  maxBufferedBytes: 65_536,
  maxReplyBytes: 4_194_304,
  maxReplyEvents: 100_000,
  maxEventBytes: 8_388_608,
  maxHistoryMessages: 20,
  maxCachedTokens: 10,
  maxMintsAtOnce: 1,
  maxUpstreamConnections: 1,
  logRetentionHours: 24,
}

/** The server on real sockets, over sessions in memory. `Bearer NAME` is the caller NAME. */
export async function openFakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const { clock = systemClock, logger = silentLogger } = options
  const limits = { ...normalLimits, ...options.limits }
  const uploads = uploadsSchema.parse({})
  const sessions = new Map<string, FakeSession>()
  const ends: SubscriptionEnd[] = []
  const session = (token: string) => {
    let found = sessions.get(token)
    if (!found) sessions.set(token, (found = createFakeSession(token)))
    return found
  }
  const metrics: Metrics = { ...uncounted, subscriptionEnded: (reason) => void ends.push(reason) }
  const server = createGraphServer({
    schema,
    path: options.path ?? '/graphql',
    limits,
    costs:
      options.costs ??
      createRateLimiter({
        points: limits.maxCost,
        durationMs: Math.ceil((limits.maxCost / limits.costPerSecond) * 1000),
        message: 'Too much.',
        clock,
      }),
    timeouts: {
      keepAliveMs: options.keepAliveMs ?? 12_000,
      stalledMs: options.stalledMs ?? 60_000,
      credentialCheckMs: options.credentialCheckMs ?? 60_000,
      requestMs: options.requestMs ?? 30_000,
      idleConnectionMs: options.idleConnectionMs ?? 65_000,
    },
    introspection: options.introspection ?? true,
    persistedDocuments: options.persistedDocuments,
    cors: corsSchema.parse({ origins: options.origins ?? [] }),
    graphiql: createGraphiQL({ demoHeaders: options.graphiqlHeaders }),
    pages: createBrowserPages({
      chat: options.pages?.chat ?? false,
      operator: options.pages?.operator ?? false,
      path: options.path ?? '/graphql',
      hasGuests: options.guests !== undefined,
      isDemo: options.demoStage !== undefined,
    }),
    demoStage: options.demoStage,
    clock,
    newId: randomId,
    random: options.random ?? (() => 0.5),
    logger,
    refusals: { note() {} },
    metrics,
    tracer: untraced,
    readiness: async () => options.readiness?.() ?? 'ready',
    durability: () => 'disk',
    load: options.load ?? { check() {}, isNearLimit: false },
    authenticator: options.authenticator ?? {
      async authenticate(headers) {
        const token = /^Bearer (\w+)$/.exec(headers.get('authorization') ?? '')?.[1]
        if (token === undefined) throw new UnauthenticatedError('A bearer token is needed.')
        const expiresAt = options.expiresAt ?? clock.now() + 3_600_000
        return {
          caller: { kind: 'jwt', issuer: 'test', subject: token, scopes: [], expiresAt },
          status: permanentlyAccepted,
          by: 'header',
        }
      },
      challenge: () => 'Bearer',
    },
    cookie: options.cookie,
    signIns: options.signIns ?? { take: async () => {} },
    guests: options.guests,
    trustProxy: options.trustProxy ?? 0,
    openSession: async (caller) => {
      const { store, replies, conversations } = session(caller.subject)
      return {
        caller,
        fingerprint: caller.subject,
        store,
        replies,
        conversations,
        isOperator: options.operators?.includes(caller.subject) ?? false,
        support: undefined,
        operatorScope: 'operator',
        assistants,
        openingOf: async () => ({ greeting: 'Good day.', suggestions: ['Who are you?'] }),
        isolation: options.isolation ?? unproven,
        limits,
        uploads,
        keepAliveMs: options.keepAliveMs ?? 12_000,
        metrics,
      }
    },
  })
  const listener = await listen({
    handle: (req, res, take) => server.serve(req, res, take),
    upgrades: server,
    host: '127.0.0.1',
    port: 0,
    timeouts: {
      headersMs: options.headersMs ?? 10_000,
      requestMs: 30_000,
      uploadMs: 120_000,
      idleConnectionMs: options.idleConnectionMs ?? 65_000,
    },
    limits,
    logger,
  })
  return {
    url: listener.url,
    server,
    session,
    ends,
    get waitingBytes() {
      return server.waitingBytes
    },
    async [Symbol.asyncDispose]() {
      server[Symbol.dispose]()
      await listener.close()
    },
  }
}
