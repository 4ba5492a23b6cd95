import type { Clock } from '../../../lib/clock.ts'
import type { NewId } from '../../../lib/id.ts'
import type { CallOf, FromWorker, Note, ToWorker } from '../wire.ts'
import type { OpenedDatabase } from './database.ts'
import { toStoreError } from './failure.ts'
import type { FileCheck } from './file-check.ts'
import { createTable } from './table.ts'
import { createTransactions, type FileMethod, type TableCall } from './transactions.ts'
import { createUpkeep } from './upkeep.ts'

/** How long closing goes on with what is left to be swept, in ms: the rest is done after the next opening. */
const closingMs = 2_000

type FileCall = CallOf<FileMethod>

export interface ServeParts {
  readonly opened: OpenedDatabase
  readonly newId: NewId
  readonly check: FileCheck
  readonly post: (message: FromWorker) => void
  readonly clock: Clock
  readonly onClosed: () => void
}

/** Answers calls in their order, and does the store's own work between them. */
export function serve(parts: ServeParts): { take(calls: ToWorker): void } {
  const { opened, newId, check, post, clock, onClosed } = parts
  const { db } = opened
  const note = (told: Note) => post({ type: 'note', ...told })
  const now = () => clock.monotonic()
  const upkeep = createUpkeep({ db, check, note, now })
  const { table, events, removal } = createTable({
    db,
    newId,
    now,
    onDeleted: () => upkeep.deleted(),
    onRemoved: () => upkeep.removed(),
  })
  const cutOff = () => upkeep.cutOff()
  const transactions = createTransactions({ db, table, events, note, cutOff, now })
  const sweep = () => transactions.work(() => removal.sweep())
  /** Calls of the table that stand together, and between them those about the file. */
  const waiting: (TableCall[] | FileCall)[] = []
  let isScheduled = false
  let timer: Disposable | undefined

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    // Not a microtask: all that waits at the port comes first.
    setImmediate(turn)
  }

  function turn(): void {
    isScheduled = false
    const next = waiting[0]
    if (next === undefined) {
      look()
    } else if (!Array.isArray(next)) {
      waiting.shift()
      if (next.method === 'close') {
        close(next)
        return
      }
      void answerCheck(next)
    } else {
      const { answers, commitMs } = transactions.run(next)
      post({ type: 'answers', answers, commitMs })
      if (next.length === 0) waiting.shift()
      look()
    }
    if (waiting.length > 0) schedule()
  }

  /** Does a piece of the store's own work. */
  function look(): void {
    timer?.[Symbol.dispose]()
    const inMs = upkeep.piece(sweep)
    if (inMs === 0) schedule()
    else if (inMs !== undefined) timer = clock.timer(inMs, schedule)
  }

  async function answerCheck({ id }: FileCall): Promise<void> {
    try {
      // What is checked is the file, and what was written lately is not in it yet.
      upkeep.cutOff()
      answer(id, await check.run())
    } catch (error) {
      const { kind, message } = toStoreError(error)
      post({ type: 'answers', answers: [{ id, type: 'failed', kind, message }], commitMs: 0 })
    }
  }

  function answer(id: number, value: unknown): void {
    post({ type: 'answers', answers: [{ id, type: 'done', value, events: [] }], commitMs: 0 })
  }

  function close({ id }: FileCall): void {
    timer?.[Symbol.dispose]()
    try {
      upkeep.end(sweep, now() + closingMs)
    } catch (error) {
      const detail = { cause: error instanceof Error ? error.message : '' }
      note({
        level: 'warn',
        message: 'the store was closed with work left for the next start',
        detail,
      })
    }
    void check.end()
    db.close()
    answer(id, undefined)
    onClosed()
  }

  look()
  return {
    take(calls) {
      for (const call of calls) {
        const last = waiting.at(-1)
        if (call.method === 'close' || call.method === 'checkFile') waiting.push(call)
        else if (Array.isArray(last)) last.push(call)
        else waiting.push([call])
      }
      schedule()
    },
  }
}
