import { Worker } from 'node:worker_threads'
import type { FromWorker, WorkerOptions } from './wire.ts'
import type { WorkerListener, WorkerThread } from './worker-client.ts'

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
