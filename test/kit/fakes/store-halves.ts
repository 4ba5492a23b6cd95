import type { DatabaseSync } from 'node:sqlite'
import { systemClock, type Clock } from '../../../src/lib/clock.ts'
import type { SessionLogLimits } from '../../../src/store/session-logs.ts'
import { openMainHalf } from '../../../src/store/main-half/main-half.ts'
import type { ToEngine } from '../../../src/store/main-half/messages.ts'
import type { EngineListener } from '../../../src/store/main-half/engine-client.ts'
import { openDatabase } from '../../../src/store/sqlite/worker/database.ts'
import { serveWorker } from '../../../src/store/sqlite/worker/serve.ts'
import type { Store } from '../../../src/store/store.ts'
import { randomId } from './ids.ts'
import { silentLogger } from './logger.ts'
import { uncounted } from './metrics.ts'

/** Both halves of the store on the thread of the test, which is quicker to open and can be looked into. */
export interface StoreHalves extends AsyncDisposable {
  readonly store: Store
  readonly db: DatabaseSync
  /** What the main half has posted. */
  readonly posted: readonly ToEngine[]
  /** Until it is disposed the worker takes nothing, as one that is busy with a long statement. */
  hold(): Disposable
  /** The worker ends as by an uncaught exception. */
  die(error: Error): void
}

export interface StoreHalvesOptions {
  readonly file: string
  readonly clock: Clock
  /** Called once calls are answered, before the worker does anything else: a kill may come here. */
  readonly onAnswered: () => void
  readonly limits: SessionLogLimits
  readonly onDied: (error: Error) => void
}

export async function openStoreHalves({
  file = ':memory:',
  clock = systemClock,
  onAnswered = () => undefined,
  ...options
}: Partial<StoreHalvesOptions> = {}): Promise<StoreHalves> {
  const newId = randomId
  const opened = await openDatabase({ file, sessionKeyCheck: 'check', busyTimeoutMs: 100 }, newId)
  const posted: ToEngine[] = []
  let waiting: ToEngine[] = []
  let isHeld = false
  let listener: EngineListener | undefined
  const server = serveWorker({
    opened,
    newId,
    // As messages between threads are.
    post(message) {
      listener?.message(structuredClone(message))
      if (message.type === 'answers') onAnswered()
    },
    check: { run: async () => 'ok', interrupt() {}, isReading: false, async end() {} },
    clock: systemClock,
    onClosed() {},
  })
  const store = await openMainHalf(
    (main) => {
      listener = main
      setImmediate(() => main.message({ type: 'opened', running: opened.running }))
      return {
        post(calls) {
          posted.push(calls)
          const copy = structuredClone(calls)
          if (isHeld) waiting.push(copy)
          else server.take(copy)
        },
        keepAlive() {},
        async terminate() {
          if (opened.db.isOpen) opened.db.close()
        },
      }
    },
    { clock, logger: silentLogger, metrics: uncounted, ...options },
  )
  return {
    store,
    db: opened.db,
    posted,
    hold() {
      isHeld = true
      return {
        [Symbol.dispose]() {
          isHeld = false
          for (const calls of waiting) server.take(calls)
          waiting = []
        },
      }
    },
    die: (error) => listener?.died(error),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
