import { isOperator } from '../auth/identity.ts'
import type { Config } from '../config/config.ts'
import type { AssistantInfo, Caller } from '../domain.ts'
import type { SupportPort } from '../graphql/context.ts'
import { schema } from '../graphql/schema.ts'
import type { LiveCounts } from '../observe/live-counts.ts'
import { createRateLimiter } from '../rate/limiter.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import { createGraphiQL } from '../server/graphiql/graphiql.ts'
import type { DemoStage } from '../server/pages/demo-stage.ts'
import { createBrowserPages } from '../server/pages/pages.ts'
import { createLoadShedder } from '../server/load-shedding.ts'
import { createGraphServer, type GraphServer, type SessionContext } from '../server/server.ts'
import type { SessionNamer } from '../session/namer.ts'
import type { Sessions } from '../session/sessions.ts'
import type { Assistants } from '../strategy/assistants.ts'
import type { Dependencies } from './dependencies.ts'
import type { Isolation } from './isolation.ts'
import type { Persistence } from './persistence.ts'
import type { PerMinute } from './rates.ts'
import type { SignIn } from './sign-in.ts'

export interface ServerParts {
  readonly namer: SessionNamer
  readonly signIn: SignIn
  readonly perMinute: PerMinute
  readonly persistence: Persistence
  readonly assistants: Pick<Assistants, 'openingOf'>
  readonly replies: ReplyEngine
  readonly sessions: Sessions
  readonly readCounts: () => LiveCounts
  readonly isolation: Isolation
  readonly infos: readonly [AssistantInfo, ...AssistantInfo[]]
  /** Aborted when the gateway begins to close. */
  readonly draining: AbortSignal
  /** The initial headers of GraphiQL's editor. */
  readonly graphiqlHeaders: Readonly<Record<string, string>> | undefined
  /** Undefined: this is no demo. */
  readonly demoStage: DemoStage | undefined
}

/** Builds the HTTP server over sessions, replies and isolation. */
export function createServer(
  config: Config,
  dependencies: Dependencies,
  parts: ServerParts,
): GraphServer {
  const { limits, timeouts, cookie, trustProxy } = config
  const { clock, newId, random, logger, metrics, tracer } = dependencies
  const { persistence, replies, isolation, perMinute, draining, demoStage } = parts
  const { graphiqlHeaders: demoHeaders } = parts
  const { authenticator, guests, refusals } = parts.signIn
  const load = createLoadShedder({ ...limits, clock })
  return createGraphServer({
    schema,
    path: config.path,
    authenticator,
    openSession: sessionOpener(config, dependencies, parts),
    limits,
    costs: createRateLimiter({
      points: limits.maxCost,
      durationMs: Math.ceil((limits.maxCost / limits.costPerSecond) * 1000),
      message: 'The session has spent its budget of cost. Try again later.',
      clock,
    }),
    timeouts,
    cors: config.cors,
    introspection: config.introspection,
    persistedDocuments: config.persistedDocuments,
    graphiql: config.graphiql ? createGraphiQL({ demoHeaders }) : undefined,
    pages: createBrowserPages({
      ...config.pages,
      path: config.path,
      hasGuests: config.guests !== undefined,
      isDemo: demoStage !== undefined,
    }),
    demoStage,
    clock,
    newId,
    random,
    logger,
    refusals,
    metrics,
    tracer,
    async readiness() {
      if (draining.aborted || load.isNearLimit) return 'not ready'
      if (!(await persistence.readiness.isReady())) return 'not ready'
      if (config.probe.requiredForReady && !isolation.isProven()) return 'not ready'
      return replies.isDegraded() || !isolation.isInService() ? 'degraded' : 'ready'
    },
    durability: () => persistence.readiness.durability,
    load,
    cookie,
    signIns: perMinute(
      'sign-ins',
      limits.signInsPerMinute,
      'Too many requests to sign in within a minute.',
    ),
    trustProxy,
    guests: guests &&
      config.guests && {
        issue: (subject) => guests.issue(subject),
        perAddress: perMinute(
          'guests-of-address',
          config.guests.perMinutePerAddress,
          tooManyGuests,
        ),
        inAll: perMinute('guests', config.guests.perMinute, tooManyGuests),
      },
  })
}

const tooManyGuests = 'Too many guests came within a minute.'

/** Opens the session of a caller, which is all that its requests can reach. */
function sessionOpener(
  { operatorScope, limits, uploads, timeouts: { keepAliveMs } }: Config,
  { clock, logger, metrics, tracer }: Dependencies,
  { namer, persistence, assistants, replies, sessions, isolation, infos, readCounts }: ServerParts,
) {
  const { ledger } = persistence.store
  const support: SupportPort = {
    explanation: (replyId) => ledger.explanation(replyId),
    loadOf: (assistantId) => replies.admission.loadOf(assistantId),
    counts: readCounts,
  }
  return async (caller: Caller): Promise<SessionContext> => {
    const { id, fingerprint } = namer.identify(caller)
    const nameOf = (generation: number) => namer.nameOf(id, generation, caller)
    const { session, isNew } = await ledger.openSession(id, nameOf, clock.now())
    const { kind, issuer } = caller
    if (isNew) {
      const audit = 'session created'
      logger.info({ audit, session: fingerprint, caller: kind, issuer }, 'session created')
    }
    const by = { kind, issuer, fingerprint, nameOf }
    tracer.current().set({ session: fingerprint, caller: kind })
    const forOperators = isOperator(caller, operatorScope)
    return {
      caller,
      fingerprint,
      store: ledger.session(session),
      replies: sessions.replies(session, by),
      conversations: sessions.conversations(session, by),
      isOperator: forOperators,
      support: forOperators ? support : undefined,
      operatorScope,
      assistants: infos,
      openingOf: (assistantId) => assistants.openingOf(assistantId),
      isolation,
      limits,
      uploads,
      keepAliveMs,
      metrics,
    }
  }
}
