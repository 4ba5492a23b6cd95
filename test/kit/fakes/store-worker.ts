import { systemClock, type Clock } from '../../../src/lib/clock.ts'
import type { ArgsOf, Method, ResultOf } from '../../../src/store/main-half/calls.ts'
import type { WrittenEvent } from '../../../src/store/main-half/stored.ts'
import type {
  AnswerMessage,
  CallMessage,
  FromEngine,
  Note,
} from '../../../src/store/main-half/messages.ts'
import { openDatabase, type OpenedDatabase } from '../../../src/store/sqlite/worker/database.ts'
import { createFileCheck, type FileCheck } from '../../../src/store/sqlite/worker/file-check.ts'
import { serveWorker } from '../../../src/store/sqlite/worker/serve.ts'
import { StoreError } from '../../../src/store/store.ts'
import { randomId } from './ids.ts'

/** The half of the store that owns the database, on the thread of the test. */
export interface StoreWorker extends AsyncDisposable {
  readonly opened: OpenedDatabase
  readonly notes: readonly Note[]
  /** What was written by all calls so far. */
  readonly events: readonly WrittenEvent[]
  call<M extends Method>(method: M, args: ArgsOf<M>): Promise<ResultOf<M>>
}

export interface StoreWorkerOptions {
  readonly clock: Clock
  readonly check: FileCheck
}

export async function openStoreWorker(
  file = ':memory:',
  { clock = systemClock, check = createFileCheck(file) }: Partial<StoreWorkerOptions> = {},
): Promise<StoreWorker> {
  const newId = randomId
  const opened = await openDatabase({ file, sessionKeyCheck: 'check', busyTimeoutMs: 100 }, newId)
  const waiting = new Map<number, (answer: AnswerMessage) => void>()
  const notes: Note[] = []
  const events: WrittenEvent[] = []
  let isClosed = false
  let lastId = 0

  function post(message: FromEngine): void {
    // As a message between threads is.
    const copy = structuredClone(message)
    if (copy.type === 'note') notes.push(copy)
    if (copy.type !== 'answers') return
    for (const answer of copy.answers) {
      if (answer.type === 'done') events.push(...answer.events)
      waiting.get(answer.id)?.(answer)
      waiting.delete(answer.id)
    }
  }

  const server = serveWorker({
    opened,
    newId,
    check,
    post,
    clock,
    onClosed: () => (isClosed = true),
  })

  function call<M extends Method>(method: M, args: ArgsOf<M>): Promise<ResultOf<M>> {
    const { promise, resolve, reject } = Promise.withResolvers<ResultOf<M>>()
    lastId += 1
    waiting.set(lastId, (answer) => {
      if (answer.type === 'done') resolve(answer.value as ResultOf<M>)
      else if (answer.kind === undefined) reject(new TypeError(answer.message))
      else reject(new StoreError(answer.kind, answer.message))
    })
    const message = structuredClone({ id: lastId, method, args })
    server.take([message as CallMessage])
    return promise
  }

  return {
    opened,
    notes,
    events,
    call,
    async [Symbol.asyncDispose]() {
      if (!isClosed) await call('close', {})
    },
  }
}
