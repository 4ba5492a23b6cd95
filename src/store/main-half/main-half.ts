import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import type { Outbox } from '../outbox.ts'
import type { PeerChannel } from '../peers.ts'
import { SessionLogs, type SessionLogLimits } from '../session-logs.ts'
import { type IsolationRecords, type Store, StoreOpenError } from '../store.ts'
import { type Engine, EngineClient, type EngineListener } from './engine-client.ts'
import { Follower } from './follower.ts'
import { createLedger, takeOrphans } from './ledger.ts'
import { Leases } from './leases.ts'
import { createReplyLog } from './log.ts'
import type { StoredOrphan } from './stored.ts'
import { TextWriter } from './text-writer.ts'

export interface MainHalfOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /**
   * Other instances write in the database as well. A claim whose answer took longer than so many ms may have been taken by one
   * of them since: it is asked for before anything is sent under it. Undefined: there are none.
   */
  readonly confirmAfterMs?: number
  /** A faster way to those instances. Undefined: there is none. */
  readonly peers?: PeerChannel | undefined
  /** What is kept in memory of sessions. */
  readonly limits?: SessionLogLimits
  /**
   * How long an outage of the store is borne with, in ms: replies that run and their readers go on from memory. Default 0.
   */
  readonly bearMs?: number
  /** Called when the engine has died. Default: throws, as any uncaught exception of the process. */
  readonly onDied?: (error: Error) => void
}

/** The half that lives on the event loop: leases, texts and the ends of session logs, before an engine. */
export async function openMainHalf(
  start: (listener: EngineListener) => Engine,
  options: MainHalfOptions,
): Promise<Store> {
  const {
    clock,
    logger,
    metrics,
    confirmAfterMs,
    peers,
    limits,
    bearMs = 0,
    onDied = raise,
  } = options
  const isShared = confirmAfterMs !== undefined
  const logs = new SessionLogs(limits, isShared)
  const client = new EngineClient(start, {
    clock,
    logger,
    metrics,
    held: () => leases.fences(),
    onLost: (fences) => leases.lost(fences),
    bearMs,
    onFailing: () => writer.retry(),
    onGivenUp: () => logs.wakeBusy(),
    onDied,
  })
  const writer = new TextWriter(client, clock)
  const leases = new Leases(client, writer, logs, peers, clock, confirmAfterMs)
  await using stack = new AsyncDisposableStack() // a failure half-way ends the engine
  stack.use(client)
  await client.opened
  // Where others may run them, what is nobody's is looked for again and again.
  const orphans = isShared ? undefined : await takeOver(client)
  const follower = isShared
    ? stack.use(new Follower(client, logs, clock, logger, peers))
    : undefined
  if (peers !== undefined) {
    stack.use(
      peers.serve((replyId) => {
        const lease = leases.find(replyId)
        return lease && { sessionId: lease.session.id, text: lease.text }
      }),
    )
  }
  const ledger = createLedger({ client, logs, leases, follower, clock, orphans })
  logger.info({ running: orphans?.length }, 'store opened')
  const owned = stack.move()
  return {
    ledger,
    log: createReplyLog(client, logs, follower),
    outbox: createOutbox(client),
    isolation: createIsolationRecords(client),
    instances: {
      isShared,
      get live() {
        return client.live
      },
      takeDuty: (name, everyMs) => client.call('takeDuty', { name, everyMs }),
    },
    clock: {
      now: () => client.now,
      monotonic: () => clock.monotonic(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      timer: (ms, run) => clock.timer(ms, run),
    },
    ping: () => client.call('ping', { at: client.now }),
    durability: () => client.call('durability', {}),
    async [Symbol.asyncDispose]() {
      writer.close()
      await owned.disposeAsync()
    },
  }
}

function raise(error: Error): never {
  throw error
}

async function takeOver(client: EngineClient): Promise<readonly StoredOrphan[]> {
  try {
    return await takeOrphans(client)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    throw new StoreOpenError(
      `what ran when the database was last in use cannot be taken over: ${reason}; mend that or restore it from a backup`,
      { cause },
    )
  }
}

function createOutbox(client: EngineClient): Outbox {
  return {
    take: (options) => client.call('takeOwed', options),
    settle: (ids) => client.call('settleOwed', { ids }),
    postpone: (id, dueAt) => client.call('postponeOwed', { id, dueAt }),
    nextDue: () => client.call('nextOwed', {}),
  }
}

function createIsolationRecords(client: EngineClient): IsolationRecords {
  return {
    list: () => client.call('isolationRecords', {}),
    recordProof: (target, proof) => client.call('recordProof', { target, proof }),
    recordBreach: (target, evidence) => client.call('recordBreach', { target, evidence }),
    clearBreaches: (assistantId) => client.call('clearBreaches', { assistantId }),
  }
}
