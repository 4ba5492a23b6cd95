import { alone } from '../kit/fakes/instances.ts'
import { generateKeyPairSync } from 'node:crypto'
import type { AssistantSettings } from '../../src/config/sections/assistant.ts'
import { limitsSchema } from '../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../src/config/sections/timeouts.ts'
import { createCozeClient } from '../../src/coze/client.ts'
import type { AssistantId, AssistantInfo, Session, StrategyKind } from '../../src/domain.ts'
import { Secret } from '../../src/lib/secret.ts'
import type { SharedRateLimiter } from '../../src/rate/shared-limiter.ts'
import { createEqualShare } from '../../src/reply/quota-share.ts'
import type { AssistantAccess } from '../../src/reply/assistant-access.ts'
import { createReplyEngine } from '../../src/reply/engine.ts'
import type { SessionCaller, SessionConversations } from '../../src/session/conversations.ts'
import type { SessionReplies } from '../../src/session/replies.ts'
import { createSessions } from '../../src/session/sessions.ts'
import type { Ledger } from '../../src/store/ledger.ts'
import { createAssistants } from '../../src/strategy/assistants.ts'
import type { Choice, OutOfService } from '../../src/strategy/select.ts'
import type { ChatStrategy } from '../../src/strategy/strategy.ts'
import { isolationTargets } from '../../src/strategy/targets.ts'
import type { SeededBug } from './bugs/seeded-bug.ts'
import { createIsolation, type Isolation } from './isolation.ts'
import { sessionIdOf, sessionNameOf } from './people.ts'
import type { ProcessClock } from './timeline.ts'
import { oauthApp, writeAssertion } from './upstream/tokens.ts'
import { personalToken } from './upstream/world.ts'
import type { World } from './world.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'

/** One life of a gateway: the real engine, token resolver and strategies on virtual parts. */
export interface GatewayProcess {
  readonly clock: ProcessClock
  readonly ledger: Ledger
  readonly isolation: Isolation
  /** Before the first request. */
  recover(): Promise<void>
  /** What the server does for each request: opens the caller's session. */
  session(person: string): Promise<Session>
  replies(person: string): Promise<SessionReplies>
  conversations(person: string): Promise<SessionConversations>
  /** Dies at once: nothing of it happens any more. */
  kill(): void
  /** Accepts nothing more and lets what runs finish, until the signal aborts. */
  drain(signal: AbortSignal): Promise<void>
  /** Ends the engine in order. */
  end(): Promise<void>
  /** Lets go of what the runtime keeps for signals that never abort. After the last look. */
  bury(): void
  /** Resolves when it is dead. */
  readonly died: Promise<void>
  /** Writes what only memory has, as an orderly end does. */
  flush(): Promise<void>
}

export const assistantIds = ['flow', 'named', 'bot'] as const

export const timeouts = timeoutsSchema.parse({
  connectMs: 1_000,
  callMs: 5_000,
  firstEventMs: 10_000,
  idleBotMs: 8_000,
  idleWorkflowMs: 12_000,
  totalMs: 40_000,
  rateLimitWaitMs: 5_000,
  busyWaitMs: 4_000,
  recoverMs: 20_000,
  queueExpiryMs: 60_000,
  actionMs: 15_000,
  circuitMs: 5_000,
})
export const limits = {
  ...limitsSchema.parse({
    maxQueued: 4,
    maxReplyBytes: 16_384,
    maxReplyEvents: 300,
    messagesPerMinute: 100_000,
  }),
  // Less than a configuration may say: answers are short here, and an event that is too large is met often.
  maxEventBytes: 4_096,
}

/** Only its form is looked at: the simulation signs otherwise. */
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

export function startGateway(world: World, bug: SeededBug): GatewayProcess {
  const clock = world.timeline.process()
  const store = world.disk.open(Object.assign(clock, { answerMs: world.answerMs }))
  const random = world.random.fork('gateway')
  const ledger = bug.ledger?.(store.ledger, store.log) ?? store.ledger
  const log = bug.log?.(store.log, store.ledger) ?? store.log
  const metrics = uncounted
  const realClient = createCozeClient({
    clock,
    random: () => random.next(),
    metrics,
    tracer: untraced,
    onFailure: () => undefined,
    dispatcher: world.network.port(clock),
    timeouts,
    limits,
  })
  const client = bug.client?.(realClient) ?? realClient
  const [first, ...rest] = assistantIds.map(infoOf)
  if (first === undefined) throw new TypeError('there is no assistant')
  const settings = assistantIds.map((id) => settingsOf(id, world))
  const targets = isolationTargets(settings)
  const isolation = createIsolation(world, bug, { records: store.isolation, targets, clock })
  const assistants = createAssistants(settings, {
    client,
    clock,
    random: () => random.next(),
    newId: world.newId,
    metrics,
    timeouts,
    limits,
    sign: async (claims) => writeAssertion(claims),
    verdictOf: (target) => isolation.verdictOf(target),
  })
  const seeded = new Map<ChatStrategy, ChatStrategy>()
  /** The same one for the same one: the engine compares them. */
  function dress<C extends Choice | OutOfService>(id: AssistantId, choice: C): C {
    if (choice.strategy === undefined) return choice
    const own = isolation.watched(id, choice.strategy)
    const strategy = seeded.get(own) ?? bug.strategy?.(own) ?? own
    seeded.set(own, strategy)
    return { ...choice, strategy }
  }
  function strategyOf(id: AssistantId, begunBy: StrategyKind | undefined): Choice | undefined {
    const choice = assistants.strategyOf(id, begunBy)
    return choice && dress(id, choice)
  }
  function serve(id: AssistantId, begunBy: StrategyKind | undefined) {
    const choice = assistants.serve(id, begunBy)
    return choice && dress(id, choice)
  }

  const infos = [first, ...rest] as const
  const access: AssistantAccess = {
    strategyOf,
    serve,
    recordsOf: (id, kind) => assistants.recordsOf(id, kind),
  }
  const engine = createReplyEngine({
    ledger,
    log,
    instances: alone,
    clock,
    newId: world.newId,
    logger: world.logger,
    metrics,
    tracer: untraced,
    assistants: infos,
    ...access,
    onBreach: (breach) => isolation.breached(breach),
    quotas: new Map(settings.map(({ id, quota }) => [id, quota])),
    shareOf: (_id, quota) => createEqualShare(quota, () => 1),
    maxRunningPerSession: limits.maxRunningPerSession,
    circuitFailures: limits.circuitFailures,
    circuitMs: timeouts.circuitMs,
    historyLength: limits.maxHistoryMessages,
    maxReplyBytes: limits.maxReplyBytes,
    recoverMs: timeouts.recoverMs,
    actionMs: timeouts.actionMs,
    totalMs: timeouts.totalMs,
    queueExpiryMs: timeouts.queueExpiryMs,
    retentionMs: world.retentionMs,
    messageRetentionMs: undefined,
    cancelMs: 1_000,
  })
  const sessions = createSessions(engine, {
    ledger,
    log,
    outbox: bug.outbox?.(store.outbox) ?? store.outbox,
    clock,
    newId: world.newId,
    logger: world.logger,
    assistants: infos,
    ...access,
    isRestricted: () =>
      settings.some(({ id }) => assistants.serve(id, undefined)?.strategy === undefined),
    cursorKey: 'cursor key',
    limits,
    rates: { messages: unlimited, guestMessages: unlimited, uploads: unlimited },
    maxConversations: limits.maxConversationsPerSession,
    mediaTypes: [],
  })
  const death = Promise.withResolvers<void>()

  async function session(person: string): Promise<Session> {
    const name = (generation: number) => sessionNameOf(person, generation)
    const opened = await ledger.openSession(sessionIdOf(person), name, clock.now())
    return opened.session
  }

  async function end(): Promise<void> {
    await sessions[Symbol.asyncDispose]()
    await engine[Symbol.asyncDispose]()
  }

  return {
    clock,
    ledger,
    isolation,
    async recover() {
      await isolation.open()
      await sessions.recover()
    },
    session,
    async replies(person) {
      const replies = sessions.replies(await session(person), callerOf(person))
      return bug.replies?.(replies) ?? replies
    },
    conversations: async (person) =>
      sessions.conversations(await session(person), callerOf(person)),
    kill() {
      clock.kill()
      death.resolve()
    },
    drain: (signal) => engine.drain(signal),
    end,
    bury() {
      clock.kill()
      // Nothing of it is answered any more: there is no end to wait for.
      void end()
      void assistants[Symbol.asyncDispose]()
      void isolation[Symbol.asyncDispose]()
    },
    died: death.promise,
    flush: async () => store[Symbol.asyncDispose](),
  }
}

/** Time is virtual, and who asks too often is not what is looked for here. */
const unlimited: SharedRateLimiter = {
  take: async () => {},
  giveBack: () => undefined,
  state: async () => ({ limit: 1_000, remaining: 1_000, resetAfterMs: undefined }),
}

function callerOf(person: string): SessionCaller {
  return {
    kind: 'jwt',
    issuer: 'https://issuer.test',
    fingerprint: person,
    nameOf: (generation) => sessionNameOf(person, generation),
  }
}

function infoOf(id: string): AssistantInfo {
  return {
    id: id as AssistantId,
    name: id,
    parameterNames: [],
    metadataNames: [],
    acceptsAttachments: false,
    imageHosts: [],
  }
}

const oauth = {
  type: 'oauth',
  appId: oauthApp.appId,
  keyId: 'key',
  privateKey: new Secret(privateKey),
  accessTokenSeconds: 90,
  audience: oauthApp.host,
} as const
const sharedToken = { type: 'token', token: new Secret(personalToken) } as const

function settingsOf(
  id: (typeof assistantIds)[number],
  { onBreach, platform, configuredAs, maxRunning }: World,
): AssistantSettings {
  const common = {
    id: id as AssistantId,
    name: id,
    baseUrl: `https://${oauthApp.host}`,
    credentials: platform === 'cloud' ? oauth : sharedToken,
    // Only an app that finds out by itself how its conversations are obtained gets on with the wrong one.
    platform: id === 'flow' ? configuredAs : platform,
    quota: { maxRunning, startsPerSecond: 1000 },
    onBreach: onBreach === 'fallback' && id !== 'flow' ? 'quarantine' : onBreach,
    imageHosts: [],
    requireProof: false,
    probe: { answers: [] },
  } as const
  const bot = {
    botId: 'bot-1',
    customVariables: {},
    messageVariables: [],
    metadata: {},
    messageMetadata: [],
    attachments: false,
    sessionVariable: 'SESSION_NAME',
  }
  if (id === 'bot') return { ...common, strategy: 'bot', bot }
  const workflow = {
    workflowId: 'flow-1',
    appId: 'app-1',
    conversationKeying: id === 'named' ? 'name' : platform === 'cloud' ? 'create' : 'auto',
    parameters: {},
    messageParameters: [],
    metadata: {},
    messageMetadata: [],
    sessionParameter: 'SESSION_NAME',
  } as const
  return common.onBreach === 'fallback'
    ? { ...common, strategy: 'auto', workflow, fallback: bot }
    : { ...common, strategy: 'workflow', workflow }
}

/** Counts nothing, whatever there is to count. */
