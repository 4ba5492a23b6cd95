import { isBuiltin } from 'node:module'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { type IsolationRecords, StoreOpenError, type Store } from '../store.ts'
import type { Outbox } from '../outbox.ts'
import { SessionLogs, type SessionLogLimits } from '../session-logs.ts'
import { createSqliteLedger } from './ledger.ts'
import { Leases } from './leases.ts'
import { createSqliteLog } from './log.ts'
import type { StoredOrphan } from './stored.ts'
import { TextWriter } from './text-writer.ts'
import { WorkerClient, type WorkerListener, type WorkerThread } from './worker-client.ts'
import type { FromWorker, WorkerOptions } from './wire.ts'

export interface SqliteStoreOptions extends MainHalfOptions {
  /** A path, whose folder is created, or `:memory:`. One gateway at a time may have it open. */
  readonly file: string
  /** A digest of the session key: stored at creation, compared at every opening. */
  readonly sessionKeyCheck: string
  /** How long to wait for another gateway to let go of the file, in ms. Default 5000. */
  readonly busyTimeoutMs?: number
}

/** Opens the embedded store. @throws {@link StoreOpenError} */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  if (!isBuiltin('node:sqlite')) throw new StoreOpenError(noSqlite)
  const { file, sessionKeyCheck, busyTimeoutMs = 5000 } = options
  const worker = { file, sessionKeyCheck, busyTimeoutMs }
  return await openMainHalf((listener) => startWorkerThread(worker, listener), options)
}

const noSqlite =
  'this runtime has no "node:sqlite": run the gateway with Node.js 24 or later, or with a Deno or Bun that has it'

interface MainHalfOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /** What is kept in memory of sessions. */
  readonly limits?: SessionLogLimits
  /** Called when the worker has died. Default: throws, as any uncaught exception of the process. */
  readonly onDied?: (error: Error) => void
}

/** The half that lives on the event loop: leases, texts and the ends of session logs, before a worker. */
export async function openMainHalf(
  start: (listener: WorkerListener) => WorkerThread,
  { clock, logger, metrics, limits, onDied = raise }: MainHalfOptions,
): Promise<Store> {
  const logs = new SessionLogs(limits)
  const onFailing = () => {
    writer.retry()
    logs.wakeBusy()
  }
  const client = new WorkerClient(start, { clock, logger, metrics, onFailing, onDied })
  const writer = new TextWriter(client, clock)
  const leases = new Leases(client, writer, logs)
  await using stack = new AsyncDisposableStack() // a failure half-way ends the worker
  stack.use(client)
  await client.opened
  const orphans = await takeOver(client)
  const ledger = createSqliteLedger({ client, logs, leases, orphans })
  logger.info({ running: orphans.length }, 'store opened')
  const owned = stack.move()
  return {
    ledger,
    log: createSqliteLog(client, logs),
    outbox: createOutbox(client),
    isolation: createIsolationRecords(client),
    ping: () => client.call('ping', { at: clock.now() }),
    async [Symbol.asyncDispose]() {
      writer.close()
      await owned.disposeAsync()
    },
  }
}

function raise(error: Error): never {
  throw error
}

async function takeOver(client: WorkerClient): Promise<readonly StoredOrphan[]> {
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

function createOutbox(client: WorkerClient): Outbox {
  return {
    take: (options) => client.call('takeOwed', options),
    settle: (ids) => client.call('settleOwed', { ids }),
    postpone: (id, dueAt) => client.call('postponeOwed', { id, dueAt }),
    nextDue: () => client.call('nextOwed', {}),
  }
}

function createIsolationRecords(client: WorkerClient): IsolationRecords {
  return {
    list: () => client.call('isolationRecords', {}),
    recordProof: (target, proof) => client.call('recordProof', { target, proof }),
    recordBreach: (target, evidence) => client.call('recordBreach', { target, evidence }),
    clearBreaches: (assistantId) => client.call('clearBreaches', { assistantId }),
  }
}

/** Starts the thread that owns the database. */
export function startWorkerThread(options: WorkerOptions, listener: WorkerListener): WorkerThread {
  const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {
    name: 'store',
    workerData: options,
  })
  worker.on('message', (message: FromWorker) => listener.message(message))
  worker.on('error', (error: unknown) =>
    listener.died(error instanceof Error ? error : new Error(String(error))),
  )
  worker.on('exit', (code) =>
    listener.died(new Error(`the worker of the store has ended with code ${code}`)),
  )
  return {
    post: (calls) => worker.postMessage(calls),
    keepAlive: (isKept) => (isKept ? worker.ref() : worker.unref()),
    async terminate() {
      await worker.terminate()
    },
  }
}
