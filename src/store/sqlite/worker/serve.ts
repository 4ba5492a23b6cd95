import type { Clock } from '../../../lib/clock.ts'
import type { NewId } from '../../../lib/id.ts'
import type { AnswerMessage, FromEngine, Note, ToEngine } from '../../main-half/messages.ts'
import type { OpenedDatabase } from './database.ts'
import { Erasing } from './erasure.ts'
import { toStoreError } from './failure.ts'
import type { FileCheck } from './file-check.ts'
import { createTable } from './table.ts'
import { isTextRead, TextReads } from './text-reads.ts'
import { createTransactions, type TableCall } from './transactions.ts'
import { createUpkeep } from './upkeep.ts'

/** How long closing goes on with what is left to be swept, in ms: the rest is done after the next opening. */
const closingMs = 2_000
/** How long texts are read before what came in the meantime is looked at, in ms. */
const maxReadMs = 2

export interface ServeParts {
  readonly opened: OpenedDatabase
  readonly newId: NewId
  readonly check: FileCheck
  readonly post: (message: FromEngine) => void
  readonly clock: Clock
  readonly onClosed: () => void
}

/** Answers calls in their order, and does the store's own work between them. */
export function serveWorker(parts: ServeParts): { take(calls: ToEngine): void } {
  const { opened, newId, check, post, clock, onClosed } = parts
  const { db } = opened
  const note = (told: Note) => post({ type: 'note', ...told })
  const now = () => clock.monotonic()
  const upkeep = createUpkeep({ db, check, note, now })
  const { table, events, removal, erasure } = createTable({
    db,
    newId,
    now,
    onDeleted: () => upkeep.deleted(),
    onRemoved: () => upkeep.removed(),
  })
  const cutOff = () => upkeep.cutOff()
  const transactions = createTransactions({ db, table, events, note, cutOff, now })
  const waiting: TableCall[] = []
  const reads = new TextReads()
  /** Calls to erase a session of which pieces are left. */
  const erasings = new Map<number, Erasing>()
  /** The call to close, which nothing follows. */
  let closing: number | undefined
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
    if (waiting.length > 0) {
      const { answers, commitMs } = transactions.run(waiting)
      post({ type: 'answers', answers: answers.filter((one) => !isErasing(one)), commitMs })
    }
    readTexts()
    const isIdle = waiting.length === 0 && reads.isEmpty
    if (isIdle && closing !== undefined) {
      close(closing)
      return
    }
    look()
    if (!isIdle) schedule()
  }

  function readTexts(): void {
    const startedAt = now()
    const answers: AnswerMessage[] = []
    let at = startedAt
    do {
      const call = reads.take(waiting[0])
      if (call === undefined) break
      answers.push(transactions.read(call))
      const endedAt = now()
      reads.done(call, endedAt - at)
      at = endedAt
    } while (at - startedAt < maxReadMs)
    if (answers.length > 0) post({ type: 'answers', answers, commitMs: 0 })
  }

  function isErasing(answered: AnswerMessage): boolean {
    if (answered.type !== 'done' || !(answered.value instanceof Erasing)) return false
    erasings.set(answered.id, answered.value)
    return true
  }

  /** What was erased is gone, whether all of it is swept yet or not: a disk that refuses keeps no answer. */
  function answerErasings(which: (erasing: Erasing) => boolean): void {
    for (const [id, erasing] of erasings) {
      if (!which(erasing)) continue
      erasings.delete(id)
      answer(id, erasing.result)
    }
  }

  function sweep(): boolean {
    try {
      const erased = transactions.work(() => erasure.sweep())
      if (erased === undefined) return transactions.work(() => removal.sweep())
      answerErasings((erasing) => erasing.add(erased))
      return true
    } catch (error) {
      answerErasings(() => true)
      throw error
    }
  }

  /** Does a piece of the store's own work. */
  function look(): void {
    timer?.[Symbol.dispose]()
    const inMs = upkeep.piece(sweep)
    if (inMs === 0) schedule()
    else if (inMs !== undefined) timer = clock.timer(inMs, schedule)
  }

  async function checkFile(id: number): Promise<void> {
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

  function close(id: number): void {
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
    answerErasings(() => true)
    void check.end()
    db.close()
    answer(id, undefined)
    onClosed()
  }

  look()
  return {
    take(calls) {
      for (const call of calls) {
        if (call.method === 'close') closing = call.id
        else if (call.method === 'checkFile') void checkFile(call.id)
        else if (isTextRead(call)) reads.add(call)
        else waiting.push(call)
      }
      schedule()
    },
  }
}
