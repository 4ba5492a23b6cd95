import { Worker } from 'node:worker_threads'
import { moduleBeside } from '../../../lib/module-beside.ts'
import { memoryFile } from './database.ts'

export type Checked = 'ok' | 'damaged'

/** How often a check is begun at most that writing interrupts: after that it is told that there was none. */
const maxAttempts = 5

/**
 * Checks the whole file, on a thread of its own: it reads the file itself, as the last checkpoint left it, while calls go on
 * in the write-ahead log. So the file must not be written meanwhile; where it has to be, the check begins anew.
 */
export interface FileCheck {
  /** Joins the check that is under way. Rejects when the file is written too much for it. */
  run(): Promise<Checked>
  /** The file is about to be written. */
  interrupt(): void
  readonly isReading: boolean
  end(): Promise<void>
}

export function createFileCheck(file: string): FileCheck {
  let running: Promise<Checked> | undefined
  let thread: Worker | undefined
  let isEnded = false

  /** Undefined: it was interrupted. */
  function attempt(): Promise<Checked | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Checked | undefined>()
    const worker = new Worker(moduleBeside(import.meta.url, './check-thread'), {
      workerData: file,
    })
    thread = worker
    worker.once('message', (checked: Checked) => resolve(checked))
    worker.once('error', reject)
    worker.once('exit', () => {
      if (thread === worker) thread = undefined
      resolve(undefined)
    })
    return promise
  }

  async function check(): Promise<Checked> {
    for (let attempts = 0; attempts < maxAttempts && !isEnded; attempts += 1) {
      const checked = await attempt()
      if (checked !== undefined) return checked
    }
    throw new Error('the file was written too often to be checked')
  }

  return {
    run() {
      if (file === memoryFile) return Promise.resolve('ok')
      running ??= check().finally(() => (running = undefined))
      return running
    },
    interrupt() {
      void thread?.terminate()
      thread = undefined
    },
    get isReading() {
      return thread !== undefined
    },
    async end() {
      isEnded = true
      await thread?.terminate()
    },
  }
}
