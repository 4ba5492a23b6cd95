import { randomInt } from 'node:crypto'
import { createAuthenticator } from './auth/caller.ts'
import { createGuests } from './auth/guests.ts'
import { isOperator } from './auth/operator.ts'
import type { Config } from './config/config.ts'
import { createCozeClient, type CozeClientOptions } from './coze/client.ts'
import type { AssistantId } from './domain.ts'
import { schema } from './graphql/schema.ts'
import { openVerdicts } from './isolation/verdicts.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createDeadline } from './lib/deadline.ts'
import { fetchJson } from './lib/fetch-json.ts'
import { createRandomIds, type NewId } from './lib/id.ts'
import { onAbort } from './lib/on-abort.ts'
import { createLogger } from './observe/log.ts'
import type { Logger } from './observe/logger.ts'
import type { Metrics } from './observe/metrics.ts'
import { createOpenTelemetryTracer } from './observe/opentelemetry.ts'
import { createPrometheusMetrics } from './observe/prometheus.ts'
import { createRefusalLog } from './observe/refusals.ts'
import type { Tracer } from './observe/tracer.ts'
import { createUpstreamFailureLog } from './observe/upstream-failures.ts'
import { createRateLimiter } from './rate/limiter.ts'
import type { AssistantAccess } from './reply/assistant-access.ts'
import { createReplyEngine } from './reply/engine.ts'
import { createGraphiQL } from './server/graphiql.ts'
import { createHeapGuard } from './server/heap-guard.ts'
import { createGraphServer, type GraphServer } from './server/server.ts'
import { createSessionNamer, fingerprintOf } from './session/namer.ts'
import { createSessions } from './session/sessions.ts'
import { createStoreReadiness } from './store/readiness.ts'
import { openSqliteStore } from './store/sqlite/store.ts'
import { infoOf } from './strategy/assistant-info.ts'
import { createIsolationPort } from './isolation-port.ts'
import { beginCheckup } from './probe/checkup.ts'
import { createProbeSchedule } from './probe/schedule.ts'
import { createProbing } from './probe/probing.ts'
import { createAssistants } from './strategy/assistants.ts'
import { isolationTargets } from './strategy/targets.ts'

/** What a gateway takes from outside; all have real defaults. */
export interface GatewayDependencies {
  readonly clock?: Clock
  readonly newId?: NewId
  /** Gives [0, 1). */
  readonly random?: () => number
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Default: over OpenTelemetry's API, for whichever SDK the process runs. */
  readonly tracer?: Tracer
  /** The way to the upstream, such as through a proxy; its owner closes it. Default: one of the gateway's own. */
  readonly dispatcher?: CozeClientOptions['dispatcher']
  /** Headers that GraphiQL's editor begins with; for demos. */
  readonly graphiqlHeaders?: Readonly<Record<string, string>>
}

export interface Gateway extends AsyncDisposable, Pick<GraphServer, 'fetch' | 'handle' | 'serve'> {
  /** From now on these API keys are accepted and no others; streams that rest on one that is gone end, resumably. */
  replaceApiKeys(keys: Config['apiKeys']): Promise<void>
  /** Takes no new messages, lets what runs finish (`timeouts.drainMs`), ends all streams resumably, and closes the store. */
  close(): Promise<void>
}

/** How long an upstream is given to agree to a cancel, in ms. */
const cancelMs = 3_000
/** How long streams are given to take their end before their sockets are closed, in ms. */
const letGoMs = 2_000
const hourMs = 3_600_000

/**
 * Builds a gateway and takes up what an earlier process left behind.
 * @throws {@link StoreOpenError} when the store cannot be opened; `TypeError` when an assistant does not keep sessions apart;
 * {@link UnsupportedRuntimeError} on Bun, unless a `dispatcher` is given.
 */
export async function createGateway(
  config: Config,
  dependencies: GatewayDependencies = {},
): Promise<Gateway> {
  const { clock = systemClock, newId = createRandomIds(), random = secureRandom } = dependencies
  const {
    logger = createLogger(config.logging),
    metrics = createPrometheusMetrics(),
    tracer = createOpenTelemetryTracer(),
    dispatcher,
  } = dependencies
  const { limits, timeouts } = config
  const [first, ...rest] = config.assistants.map(infoOf)
  if (first === undefined) throw new TypeError('"assistants" must have at least one entry')
  const assistants = [first, ...rest] as const

  await using stack = new AsyncDisposableStack() // a failure half-way closes what is already open
  const namer = createSessionNamer(config.session)
  const guests = config.guests && createGuests(config.guests, { clock, newId })
  const failures = stack.use(createUpstreamFailureLog({ clock, logger }))
  const authenticator = stack.use(
    createAuthenticator({
      issuers: config.issuers,
      nameClaim: config.session.nameClaim,
      apiKeys: config.apiKeys,
      cookie: config.cookie,
      guests,
      clock,
      fetchJson,
      onFetchFailure(failure) {
        failures.failed(failure)
        const { call, kind, systemCode, httpStatus } = failure
        const status = httpStatus === undefined ? 'uncoded' : `HTTP_${httpStatus}`
        metrics.upstreamError(call, kind, systemCode ?? status)
      },
    }),
  )
  const store = stack.use(
    await openSqliteStore({
      file: config.store.file,
      clock,
      logger,
      metrics,
      sessionKeyCheck: namer.keyCheck,
    }),
  )
  const storeReadiness = createStoreReadiness({ store, clock, logger })
  const verdicts = stack.use(
    await openVerdicts({
      targets: isolationTargets(config.assistants),
      records: store.isolation,
      proofMaxAgeMs: config.probe.proofMaxAgeHours * hourMs,
      fingerprintOf,
      clock,
      logger,
      metrics,
    }),
  )
  const client = stack.use(
    createCozeClient({
      clock,
      random,
      metrics,
      tracer,
      onFailure: (failure) => failures.failed(failure),
      timeouts,
      limits,
      dispatcher,
    }),
  )
  const targets = stack.use(
    createAssistants(config.assistants, {
      client,
      clock,
      random,
      newId,
      metrics,
      timeouts,
      limits,
      verdictOf: (target) => verdicts.verdictOf(target),
    }),
  )
  const isInService = (id: AssistantId) => targets.serve(id, undefined)?.strategy !== undefined
  const access: AssistantAccess = {
    strategyOf: (id, begunBy) => targets.strategyOf(id, begunBy),
    serve: (id, begunBy) => targets.serve(id, begunBy),
    recordsOf: (id, kind) => targets.recordsOf(id, kind),
  }
  const engine = stack.use(
    createReplyEngine({
      ledger: store.ledger,
      log: store.log,
      clock,
      newId,
      logger,
      metrics,
      tracer,
      assistants,
      ...access,
      onBreach: (breach) => verdicts.breached(breach),
      quotas: new Map(config.assistants.map(({ id, quota }) => [id, quota])),
      maxRunningPerSession: limits.maxRunningPerSession,
      circuitFailures: limits.circuitFailures,
      historyLength: limits.maxHistoryMessages,
      maxReplyBytes: limits.maxReplyBytes,
      circuitMs: timeouts.circuitMs,
      recoverMs: timeouts.recoverMs,
      queueExpiryMs: timeouts.queueExpiryMs,
      actionMs: timeouts.actionMs,
      totalMs: timeouts.totalMs,
      retentionMs: limits.logRetentionHours * hourMs,
      messageRetentionMs:
        limits.messageRetentionDays === 0 ? undefined : limits.messageRetentionDays * 24 * hourMs,
      cancelMs,
    }),
  )
  const sessions = stack.use(
    createSessions(engine, {
      ledger: store.ledger,
      log: store.log,
      outbox: store.outbox,
      clock,
      newId,
      logger,
      assistants,
      ...access,
      isRestricted: () => !assistants.every(({ id }) => isInService(id)),
      rates: {
        messages: perMinute(limits.messagesPerMinute, 'Too many messages within a minute.'),
        guestMessages: perMinute(
          limits.guestMessagesPerMinute,
          'Too many messages within a minute.',
        ),
        uploads: perMinute(limits.uploadsPerMinute, 'Too many uploads within a minute.'),
      },
      limits,
      maxConversations: limits.maxConversationsPerSession,
      mediaTypes: config.uploads.mediaTypes,
      cursorKey: config.session.key.reveal(),
    }),
  )
  const probing = stack.use(
    createProbing({
      settings: config.assistants,
      assistants: targets,
      clock,
      newId,
      logger,
      prove: (target, proof) => verdicts.prove(target, proof),
    }),
  )
  if (config.probe.checkAtStart) {
    stack.use(
      beginCheckup({
        settings: config.assistants,
        assistants: targets,
        onBreach: (breach) => verdicts.breached(breach),
        newId,
        clock,
        logger,
      }),
    )
  }
  const isolation = createIsolationPort(config, { assistants: targets, verdicts, probing })
  if (config.probe.intervalHours > 0) {
    const { intervalHours, jitterMinutes, trials, budget } = config.probe
    stack.use(
      createProbeSchedule({
        intervalMs: intervalHours * hourMs,
        jitterMs: jitterMinutes * 60_000,
        request: { trials, budget },
        lastProof: () => verdicts.oldestProof(),
        begin: (request) => probing.begin(request),
        idle: () => probing.idle(),
        clock,
        random,
        logger,
      }),
    )
  }
  const draining = new AbortController()
  const heap = createHeapGuard({ ...limits, clock })
  const refusals = stack.use(createRefusalLog({ clock, logger }))
  const server = stack.use(
    createGraphServer({
      schema,
      path: config.path,
      authenticator,
      async openSession(caller) {
        const { id, fingerprint } = namer.identify(caller)
        const nameOf = (generation: number) => namer.nameOf(id, generation, caller)
        const { session, isNew } = await store.ledger.openSession(id, nameOf, clock.now())
        const { kind, issuer } = caller
        if (isNew) {
          const audit = 'session created'
          logger.info({ audit, session: fingerprint, caller: kind, issuer }, 'session created')
        }
        const by = { kind, issuer, fingerprint, nameOf }
        tracer.current().set({ 'coze_gateway.session': fingerprint, 'coze_gateway.caller': kind })
        return {
          caller,
          fingerprint,
          store: store.ledger.session(session),
          replies: sessions.replies(session, by),
          conversations: sessions.conversations(session, by),
          isOperator: isOperator(caller, config.operatorScope),
          operatorScope: config.operatorScope,
          assistants,
          isolation,
          limits,
          uploads: config.uploads,
          metrics,
        }
      },
      limits,
      costs: createRateLimiter({
        points: limits.maxCost,
        durationMs: Math.ceil((limits.maxCost / limits.costPerSecond) * 1000),
        message: 'The session has asked for too much.',
      }),
      timeouts,
      cors: config.cors,
      introspection: config.introspection,
      persistedDocuments: config.persistedDocuments,
      graphiql: config.graphiql
        ? createGraphiQL({ demoHeaders: dependencies.graphiqlHeaders })
        : undefined,
      clock,
      newId,
      random,
      logger,
      refusals,
      metrics,
      tracer,
      async readiness() {
        if (draining.signal.aborted || heap.isNearLimit) return 'not ready'
        if (!(await storeReadiness.isReady())) return 'not ready'
        if (config.probe.requiredForReady && !isolation.isProven()) return 'not ready'
        return engine.isDegraded() ? 'degraded' : 'ready'
      },
      heap,
      cookie: config.cookie,
      trustProxy: config.trustProxy,
      guests: guests &&
        config.guests && {
          issue: (subject) => guests.issue(subject),
          perAddress: perMinute(config.guests.perMinutePerAddress, tooManyGuests),
          inAll: perMinute(config.guests.perMinute, tooManyGuests),
        },
    }),
  )
  await sessions.recover()
  const owned = stack.move() // success: the gateway owns them now

  async function close(): Promise<void> {
    if (draining.signal.aborted) return await owned.disposeAsync()
    draining.abort()
    using deadline = createDeadline(clock, timeouts.drainMs, () => new Error('the drain is over'))
    await engine.drain(deadline.signal)
    using letGo = createDeadline(clock, letGoMs, () => new Error('a stream did not take its end'))
    await Promise.race([server.drain(), aborted(letGo.signal)])
    await owned.disposeAsync()
  }

  return {
    fetch: (request) => server.fetch(request),
    handle: (req, res) => server.handle(req, res),
    serve: (req, res, take) => server.serve(req, res, take),
    async replaceApiKeys(keys) {
      authenticator.replaceApiKeys(keys)
      await server.checkCredentials()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const tooManyGuests = 'Too many guests came within a minute.'

function perMinute(points: number, message: string) {
  return createRateLimiter({ points, durationMs: 60_000, message })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, () => resolve()))
}

/** Jitter is not secret, but one source of randomness is enough. */
function secureRandom(): number {
  return randomInt(2 ** 32) / 2 ** 32
}
