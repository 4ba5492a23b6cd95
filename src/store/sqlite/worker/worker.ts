import { MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../../lib/clock.ts'
import { createRandomIds } from '../../../lib/id.ts'
import { StoreOpenError } from '../../store.ts'
import type { FromEngine, ToEngine } from '../../main-half/messages.ts'
import { damaged, openDatabase, type WorkerOptions } from './database.ts'
import { createFileCheck } from './file-check.ts'
import { serveWorker } from './serve.ts'

/** When a file that was opened is checked as a whole, in ms. */
const checkAfterMs = 1_000

/** The thread that owns the database. */
async function start(port: MessagePort, options: WorkerOptions): Promise<void> {
  const post = (message: FromEngine) => port.postMessage(message)
  const newId = createRandomIds()
  const check = createFileCheck(options.file)
  const clock = systemClock
  try {
    const opened = await openDatabase(options, newId)
    const server = takeUp(
      () => serveWorker({ opened, newId, check, post, clock, onClosed }),
      options.file,
    )
    post({ type: 'opened', running: opened.running })
    port.on('message', (calls: ToEngine) => {
      server.take(calls)
      // Under Deno a worker's port to its parent is no `MessagePort`, and gives its messages one by one.
      if (!(port instanceof MessagePort)) return
      for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
        server.take(more.message)
      }
    })
    if (!opened.isRewritten) note('warn', unwritten)
  } catch (error) {
    post({ type: 'refused', message: error instanceof Error ? error.message : String(error) })
    port.close()
    return
  }
  const timer = clock.timer(checkAfterMs, () => void checkAll())

  function onClosed(): void {
    timer[Symbol.dispose]()
    port.close()
  }

  function note(level: 'warn' | 'error', message: string): void {
    post({ type: 'note', level, message, detail: {} })
  }

  async function checkAll(): Promise<void> {
    try {
      if ((await check.run()) === 'damaged') note('error', damaged(options.file))
    } catch {
      note('warn', 'the database could not be checked: it is written all the time')
    }
  }
}

/** A file that looks right may still hold what nobody here has written. */
function takeUp<T>(open: () => T, file: string): T {
  try {
    return open()
  } catch (cause) {
    throw new StoreOpenError(damaged(file), { cause })
  }
}

const unwritten =
  'the database could not be rewritten: texts deleted by earlier versions may be in it'

if (parentPort !== null) void start(parentPort, workerData)
