import { limitsSchema, type Limits } from '../../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../../src/config/sections/timeouts.ts'
import type {
  AssistantId,
  AssistantInfo,
  ReplyEvent,
  ReplyId,
  SessionId,
  SessionName,
} from '../../../src/domain.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { createReplyEngine, type ReplyEngineOptions } from '../../../src/reply/engine.ts'
import type { AssistantAccess } from '../../../src/reply/assistant-access.ts'
import type { SessionCaller, StartConversationRequest } from '../../../src/session/conversations.ts'
import type { SendMessageRequest } from '../../../src/session/acceptance.ts'
import type { SessionReplies } from '../../../src/session/replies.ts'
import { createSessions, type SessionsOptions } from '../../../src/session/sessions.ts'
import { openSqliteStore } from '../../../src/store/sqlite/store.ts'
import type { Store } from '../../../src/store/store.ts'
import { type DiskWeather, fairWeather } from '../../sim/store/commits.ts'
import { createMemoryDisk } from '../../sim/store/store.ts'
import { followReply } from '../history/follow-reply.ts'
import { createReader } from '../history/reader.ts'
import { toSeen } from '../history/seen.ts'
import { randomId } from './ids.ts'
import { perMinute } from './rates.ts'
import { createScriptedRecords } from './records.ts'
import { createScriptedStrategy, type ScriptedStrategy } from './strategy.ts'
import { uncounted, untraced } from './metrics.ts'

export const assistantId = 'helper' as AssistantId
export const assistant: AssistantInfo = {
  id: assistantId,
  name: 'Helper',
  parameterNames: ['city'],
  metadataNames: ['ticket'],
  acceptsAttachments: true,
  imageHosts: [],
}

export interface OpenEngineOptions
  extends
    Omit<Partial<ReplyEngineOptions>, 'limits' | 'assistants'>,
    Omit<Partial<SessionsOptions>, 'limits'> {
  readonly kind?: 'workflow' | 'bot'
  readonly strategy?: ScriptedStrategy
  /** A store that outlives the engine. Default: one of its own, in memory. */
  readonly store?: Store
  readonly limits?: Partial<Limits>
}

/** The engine over a scripted upstream and a real store, with a session of one caller. */
export async function openEngine(options: OpenEngineOptions = {}) {
  const { kind = 'bot', strategy = createScriptedStrategy(kind), clock = systemClock } = options
  const limits = { ...limitsSchema.parse({}), maxQueued: 2, ...options.limits }
  const timeouts = timeoutsSchema.parse({ recoverMs: 60_000, queueExpiryMs: 60_000 })
  const stack = new AsyncDisposableStack()
  const store = options.store ?? stack.use(await openMemoryStore())
  const lines: Line[] = []
  const records = createScriptedRecords()
  const access: AssistantAccess = {
    strategyOf: (id) => (id === assistantId ? strategy.choice : undefined),
    serve: (id) => (id === assistantId ? strategy.choice : undefined),
    recordsOf: (id) => (id === assistantId ? records : undefined),
  }
  const engine = stack.use(
    createReplyEngine({
      ledger: store.ledger,
      log: store.log,
      instances: store.instances,
      clock,
      newId: randomId,
      logger: linesLogger(lines),
      metrics: uncounted,
      tracer: untraced,
      ...access,
      onBreach: () => undefined,
      assistants: [assistant],
      quotas: new Map([[assistantId, { maxRunning: 1000, startsPerSecond: 1000 }]]),
      shareOf: (_id, quota) => createEqualShare(quota, () => 1),
      historyLength: 20,
      cancelMs: 60_000,
      retentionMs: 60_000,
      messageRetentionMs: undefined,
      maxRunningPerSession: limits.maxRunningPerSession,
      circuitFailures: limits.circuitFailures,
      maxReplyBytes: limits.maxReplyBytes,
      ...timeouts,
      ...options,
    }),
  )
  const sessions = stack.use(
    createSessions(engine, {
      ledger: store.ledger,
      log: store.log,
      outbox: store.outbox,
      clock,
      newId: randomId,
      logger: linesLogger(lines),
      ...access,
      isRestricted: () => false,
      assistants: [assistant],
      mediaTypes: ['image/*', 'text/plain'],
      cursorKey: 'key',
      rates: ratesOf(limits, clock),
      maxConversations: limits.maxConversationsPerSession,
      ...options,
      limits,
    }),
  )
  async function open(person: string, caller: Partial<SessionCaller> = {}) {
    const by = { ...callerOf(person), ...caller }
    const id = person as SessionId
    const { session } = await store.ledger.openSession(id, by.nameOf, 0)
    return {
      session,
      caller: by,
      own: store.ledger.session(session),
      replies: sessions.replies(session, by),
      conversations: sessions.conversations(session, by),
    }
  }
  const alice = await open('alice')
  return {
    engine,
    sessions,
    store,
    strategy,
    records,
    lines,
    open,
    ...alice,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** A simulated disk that outlives the stores that are opened on it, one after the other. */
export function newDisk(weather: DiskWeather = fairWeather): { open(): Store } {
  const disk = createMemoryDisk({ clock: systemClock, weather, newId: randomId })
  return {
    open: () =>
      disk.open({
        answerMs: () => 0,
        isAlive: true,
        enter: (run) => run(),
        timer: (ms, run) => systemClock.timer(ms, run),
      }),
  }
}

/** The embedded store, in memory. */
export function openMemoryStore(): Promise<Store> {
  return openSqliteStore({
    file: ':memory:',
    clock: systemClock,
    logger: linesLogger([]),
    metrics: uncounted,
    sessionKeyCheck: 'check',
  })
}

export function callerOf(person: string): SessionCaller {
  return {
    kind: 'jwt',
    issuer: 'https://issuer.test',
    fingerprint: `fingerprint-${person}`,
    nameOf: (generation) => `${person}-name-${generation}` as SessionName,
  }
}

interface Line {
  readonly level: keyof Logger
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

function linesLogger(lines: Line[]): Logger {
  const write = (level: keyof Logger) => (fields: Line['fields'], message: string) =>
    void lines.push({ level, fields, message })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function ratesOf(
  { messagesPerMinute, guestMessagesPerMinute, uploadsPerMinute }: Limits,
  clock: Clock,
) {
  const limitOf = (points: number) => perMinute(points, 'Too often.', clock)
  return {
    messages: limitOf(messagesPerMinute),
    guestMessages: limitOf(guestMessagesPerMinute),
    uploads: limitOf(uploadsPerMinute),
  }
}

export const message = (
  text: string,
  more: Partial<SendMessageRequest> = {},
): SendMessageRequest => ({
  text,
  assistantId: undefined,
  conversationId: undefined,
  attachmentIds: [],
  imageUrls: [],
  extras: { parameters: {}, metadata: {} },
  onBusy: 'QUEUE',
  idempotency: undefined,
  ...more,
})

export const newConversation = (title?: string): StartConversationRequest => ({
  assistantId: undefined,
  title,
  idempotency: undefined,
})

/** All events of a reply, up to its end. */
export async function readAll(replies: SessionReplies, replyId: ReplyId): Promise<ReplyEvent[]> {
  const events: ReplyEvent[] = []
  await follow(replies, replyId, (event) => void events.push(event), new AbortController().signal)
  return events
}

/** The first event of a type that a reply tells. */
export async function readUntil<Type extends ReplyEvent['type']>(
  replies: SessionReplies,
  replyId: ReplyId,
  type: Type,
  skip = 0,
): Promise<Extract<ReplyEvent, { type: Type }>> {
  const isWanted = (event: ReplyEvent): event is Extract<ReplyEvent, { type: Type }> =>
    event.type === type
  const stop = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<Extract<ReplyEvent, { type: Type }>>()
  let left = skip
  const take = (event: ReplyEvent) => {
    if (!isWanted(event)) return
    if (left === 0) resolve(event)
    left -= 1
  }
  const reading = follow(replies, replyId, take, stop.signal).then(
    () => reject(new Error(`the reply ended without "${type}"`)),
    () => undefined,
  )
  try {
    return await promise
  } finally {
    stop.abort()
    await reading
  }
}

/** Reads as a client does: what no client could make sense of fails the test. */
async function follow(
  replies: SessionReplies,
  replyId: ReplyId,
  take: (event: ReplyEvent) => void,
  until: AbortSignal,
): Promise<void> {
  const reader = createReader('a client', (_rule, problem) => {
    throw new Error(problem)
  })
  reader.open({ type: 'open', reader: '', connection: '', as: '', replyId }, () => undefined)
  const see = (event: ReplyEvent, cursor: string) => {
    reader.see(toSeen(event, cursor), true)
    take(event)
  }
  await followReply(replies, replyId, see, until)
}

export const typesOf = (events: readonly ReplyEvent[]) => events.map(({ type }) => type)
