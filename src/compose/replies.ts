import type { Config } from '../config/config.ts'
import type { AssistantInfo } from '../domain.ts'
import { createEqualShare } from '../reply/quota-share.ts'
import { createReplyEngine, type ReplyEngine } from '../reply/engine.ts'
import { createSessions, type Sessions } from '../session/sessions.ts'
import type { Assistants } from '../strategy/assistants.ts'
import type { Dependencies } from './dependencies.ts'
import type { SharedLane } from './lane.ts'
import type { Persistence } from './persistence.ts'
import type { PerMinute } from './rates.ts'

export interface RepliesParts {
  readonly persistence: Persistence
  readonly assistants: Assistants
  /** The first is the default. */
  readonly infos: readonly [AssistantInfo, ...AssistantInfo[]]
}

/** The time limit for the upstream to confirm a cancel, in ms. */
const cancelMs = 3_000
const hourMs = 3_600_000

/** The engine that runs replies, within the limits of the configuration. */
export function createReplies(
  { assistants: settings, limits, timeouts }: Config,
  { clock, newId, logger, metrics, tracer }: Dependencies,
  {
    persistence,
    assistants,
    infos,
    lane,
  }: RepliesParts & { readonly lane: Pick<SharedLane, 'quota'> | undefined },
): ReplyEngine {
  const { store, verdicts } = persistence
  const instances = () => store.instances.live
  return createReplyEngine({
    ledger: store.ledger,
    log: store.log,
    instances: store.instances,
    clock,
    newId,
    logger,
    metrics,
    tracer,
    ...assistants,
    assistants: infos,
    onBreach: (breach) => verdicts.breached(breach),
    quotas: new Map(settings.map(({ id, quota }) => [id, quota])),
    shareOf(id, quota) {
      const equal = createEqualShare(quota, instances)
      return lane?.quota({ id, quota, equal, instances }) ?? equal
    },
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
  })
}

/** The sessions over that engine. */
export function createSessionsOver(
  engine: ReplyEngine,
  { assistants: settings, limits, session, uploads }: Config,
  { clock, newId, logger }: Dependencies,
  { persistence, assistants, infos, perMinute }: RepliesParts & { readonly perMinute: PerMinute },
): Sessions {
  const { ledger, log, outbox } = persistence.store
  const tooManyMessages = 'Too many messages within a minute.'
  return createSessions(engine, {
    ledger,
    log,
    outbox,
    clock,
    newId,
    logger,
    ...assistants,
    assistants: infos,
    isRestricted: () =>
      settings.some(({ id }) => assistants.serve(id, undefined)?.strategy === undefined),
    rates: {
      messages: perMinute('messages', limits.messagesPerMinute, tooManyMessages),
      guestMessages: perMinute('guest-messages', limits.guestMessagesPerMinute, tooManyMessages),
      uploads: perMinute('uploads', limits.uploadsPerMinute, 'Too many uploads within a minute.'),
    },
    limits,
    maxConversations: limits.maxConversationsPerSession,
    mediaTypes: uploads.mediaTypes,
    cursorKey: session.key.reveal(),
  })
}
