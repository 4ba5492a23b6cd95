import { isBuiltin } from 'node:module'
import { Worker } from 'node:worker_threads'
import { moduleBeside } from '../../lib/module-beside.ts'
import type { Engine, EngineListener } from '../main-half/engine-client.ts'
import { type MainHalfOptions, openMainHalf } from '../main-half/main-half.ts'
import type { FromEngine } from '../main-half/messages.ts'
import { type Store, StoreOpenError } from '../store.ts'
import type { WorkerOptions } from './worker/database.ts'

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

/** Starts the thread that owns the database. */
export function startWorkerThread(options: WorkerOptions, listener: EngineListener): Engine {
  const worker = new Worker(moduleBeside(import.meta.url, './worker/worker'), {
    name: 'store',
    workerData: options,
  })
  worker.on('message', (message: FromEngine) => listener.message(message))
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
