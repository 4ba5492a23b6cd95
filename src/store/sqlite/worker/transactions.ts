import type { DatabaseSync } from 'node:sqlite'
import type { StoreError } from '../../store.ts'
import type { ArgsOf, Method, EngineCalls } from '../../main-half/calls.ts'
import type { AnswerMessage, CallOf, Note } from '../../main-half/messages.ts'
import type { SessionErasure } from './erasure.ts'
import type { Events } from './events.ts'
import { resultCode, toStoreError } from './failure.ts'

/** The calls that a transaction answers. The others are about the file, and are answered when that is done. */
export type Table = Omit<EngineCalls, FileMethod | 'eraseSession'> &
  Pick<SessionErasure, 'eraseSession'>
export type FileMethod = 'checkFile' | 'close'
export type TableMethod = Exclude<Method, FileMethod>
export type TableCall = CallOf<TableMethod>

/** A transaction takes no further call after so many ms, so that the first of them does not wait for all. */
const maxMs = 8

export interface TransactionsParts {
  readonly db: DatabaseSync
  readonly table: Table
  readonly events: Events
  readonly note: (note: Note) => void
  /** Moves all that is committed from the write-ahead log to the file, and cuts the log off. */
  readonly cutOff: () => void
  /** Monotonic, in ms. */
  readonly now: () => number
}

/**
 * The one way to write: calls that wait together share a transaction, with a savepoint for each, and are answered once its
 * COMMIT, which is the sync, has succeeded. When it fails, nothing of any of them remains; those that would have written are
 * told so, and the others are answered all the same.
 */
export interface Transactions {
  /** Takes calls from the front of `queue`, at least one, and answers them. */
  run(queue: TableCall[]): {
    readonly answers: readonly AnswerMessage[]
    readonly commitMs: number
  }
  /** Answers a call that writes nothing, outside of any transaction. */
  read(call: TableCall): AnswerMessage
  /** A piece of work of the store's own. @throws {@link StoreError}; then nothing of it remains. */
  work<T>(piece: () => T): T
}

export function createTransactions(parts: TransactionsParts): Transactions {
  const { db, table, events, note, cutOff, now } = parts
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const savepoint = db.prepare('SAVEPOINT call')
  const release = db.prepare('RELEASE call')
  const undo = db.prepare('ROLLBACK TO call')
  /** The last transaction failed, which is told once. */
  let isFailing = false
  /** A COMMIT failed: it may stand in the write-ahead log as if it had not, and a crash would bring it back. */
  let isSuspect = false

  function start(): void {
    if (isSuspect) cutOff()
    isSuspect = false
    begin.run()
  }

  function finish(): number {
    const startedAt = now()
    try {
      commit.run()
    } catch (error) {
      // Where there was no room for it, its end was not written.
      isSuspect = resultCode(error) !== 'full'
      throw error
    }
    if (isFailing) note({ level: 'info', message: 'store writes again', detail: {} })
    isFailing = false
    return now() - startedAt
  }

  function fail(cause: unknown): StoreError {
    if (db.isTransaction) rollback.run()
    events.taken()
    const error = toStoreError(cause)
    if (!isFailing) {
      const detail = { kind: error.kind, cause: cause instanceof Error ? cause.message : '' }
      note({ level: 'error', message: 'store commit failed', detail })
    }
    isFailing = true
    return error
  }

  function done(call: TableCall): AnswerMessage {
    return { id: call.id, type: 'done', value: perform(table, call), events: events.taken() }
  }

  function answer(call: TableCall): AnswerMessage {
    savepoint.run()
    try {
      const answered = done(call)
      release.run()
      return answered
    } catch (error) {
      // A failing device is everybody's failure, and no transaction goes on after a damaged page.
      if (!db.isTransaction || resultCode(error) !== 'other') throw error
      undo.run()
      release.run()
      return toBug(call, error)
    }
  }

  /** `failure`: why nothing can be written now. */
  function read(call: TableCall, failure?: StoreError): AnswerMessage {
    try {
      return done(call)
    } catch (error) {
      if (isOfCall(error)) return toBug(call, error)
      events.taken()
      const { kind, message } = failure ?? toStoreError(error)
      return { id: call.id, type: 'failed', kind, message }
    }
  }

  function toBug({ id }: TableCall, error: unknown): AnswerMessage {
    events.taken()
    // SQLite looks at a page once, when it reads it: what it has found damaged it would take for whole the next time.
    if (resultCode(error) === 'corrupt') db.exec('PRAGMA shrink_memory')
    const message = error instanceof Error ? error.message : String(error)
    return { id, type: 'failed', kind: undefined, message }
  }

  return {
    run(queue) {
      const taken: TableCall[] = []
      const answers: AnswerMessage[] = []
      const startedAt = now()
      try {
        start()
        do {
          const call = queue.shift()
          if (call === undefined) break
          taken.push(call)
          answers.push(answer(call))
        } while (now() - startedAt < maxMs)
        return { answers, commitMs: finish() }
      } catch (cause) {
        const damaged = answers.length < taken.length ? taken.at(-1) : undefined
        if (damaged !== undefined && resultCode(cause) === 'corrupt') {
          if (db.isTransaction) rollback.run()
          // Those before it are done again, without it.
          queue.unshift(...taken.slice(0, -1))
          return { answers: [toBug(damaged, cause)], commitMs: 0 }
        }
        const error = fail(cause)
        if (taken.length === 0) taken.push(...queue.splice(0))
        // Not prepared before: SQLite does what these say when it reads them.
        db.exec('PRAGMA query_only = ON')
        const unwritten = taken.map((call) => read(call, error))
        db.exec('PRAGMA query_only = OFF')
        return { answers: unwritten, commitMs: now() - startedAt }
      }
    },
    read: (call) => read(call),
    work(piece) {
      try {
        start()
        const value = piece()
        finish()
        return value
      } catch (error) {
        throw fail(error)
      }
    },
  }
}

/** A bug, or a damaged page, and not the device. */
function isOfCall(error: unknown): boolean {
  const code = resultCode(error)
  return code === 'other' || code === 'corrupt'
}

function perform<M extends TableMethod>(
  calls: { readonly [K in M]: (args: ArgsOf<K>) => unknown },
  { method, args }: CallOf<M>,
): unknown {
  return calls[method](args)
}
