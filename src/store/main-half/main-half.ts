import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import type { Outbox } from '../outbox.ts'
import { SessionLogs, type SessionLogLimits } from '../session-logs.ts'
import { type IsolationRecords, type Store, StoreOpenError } from '../store.ts'
import { type Engine, EngineClient, type EngineListener } from './engine-client.ts'
import { createLedger } from './ledger.ts'
import { Leases } from './leases.ts'
import { createReplyLog } from './log.ts'
import type { StoredOrphan } from './stored.ts'
import { TextWriter } from './text-writer.ts'

export interface MainHalfOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /** What is kept in memory of sessions. */
  readonly limits?: SessionLogLimits
  /** Called when the engine has died. Default: throws, as any uncaught exception of the process. */
  readonly onDied?: (error: Error) => void
}

/** The half that lives on the event loop: leases, texts and the ends of session logs, before an engine. */
export async function openMainHalf(
  start: (listener: EngineListener) => Engine,
  { clock, logger, metrics, limits, onDied = raise }: MainHalfOptions,
): Promise<Store> {
  const logs = new SessionLogs(limits)
  const onFailing = () => {
    writer.retry()
    logs.wakeBusy()
  }
  const client = new EngineClient(start, { clock, logger, metrics, onFailing, onDied })
  const writer = new TextWriter(client, clock)
  const leases = new Leases(client, writer, logs)
  await using stack = new AsyncDisposableStack() // a failure half-way ends the engine
  stack.use(client)
  await client.opened
  const orphans = await takeOver(client)
  const ledger = createLedger({ client, logs, leases, orphans })
  logger.info({ running: orphans.length }, 'store opened')
  const owned = stack.move()
  return {
    ledger,
    log: createReplyLog(client, logs),
    outbox: createOutbox(client),
    isolation: createIsolationRecords(client),
    ping: () => client.call('ping', { at: clock.now() }),
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
  const all: StoredOrphan[] = []
  try {
    for (;;) {
      const { orphans, hasMore } = await client.call('orphans', {})
      all.push(...orphans)
      if (!hasMore) return all
    }
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
