import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { StoreError } from '../store.ts'
import { resultCode, toStoreError } from './failure.ts'

/** What a work may ask for besides the database: memory changes only when its transaction stands. */
export interface Transaction {
  /** Runs once the work is committed. */
  committed(run: () => void): void
  /** Runs once the work is on disk. */
  synced(run: () => void): void
  /** Takes a committed work back, in a later transaction, when the disk failed and the work was reported as failed. */
  undo(run: () => void): void
}

/** Writes that wait for a commit without asking for it; written ahead of the works of every transaction. */
export interface Backlog {
  /** Writes all that waits. Answers what to do once that is committed. */
  write(): () => void
}

export interface CommitOptions {
  readonly db: DatabaseSync
  readonly clock: Clock
  readonly logger: Logger
  readonly backlog: Backlog
  /** Brings every commit so far to disk; undefined where there is no disk. */
  readonly sync: (() => Promise<void>) | undefined
  /** Hears of every commit and sync that failed, once its works are rejected. */
  readonly onFailed: () => void
  /** Hears how long each took, in ms. */
  readonly onWritten: Metrics['storeWritten']
}

/** How long deltas may wait for company, in ms. */
const groupMs = 10
const retryMs = 250
/** Works in one transaction: a transaction stalls the event loop. */
const maxWorks = 64

interface Job {
  /** Its promise is about the disk, not only about the database. */
  readonly needsSync: boolean
  run(transaction: Transaction): void
  resolve(): void
  reject(error: unknown): void
  readonly committed: (() => void)[]
  readonly synced: (() => void)[]
  undo: (() => void) | undefined
}

/**
 * The one way to write. Works of one turn share a transaction, and what is committed shares a sync of the write-ahead
 * log on libuv's thread pool, so that a slow disk never stalls the event loop:
 *
 * ```
 *   works ──► turn: BEGIN, backlog, SAVEPOINT work …, COMMIT ──► sync ──► resolve ──► turn …
 *   deltas ─► backlog ─► timer: BEGIN, backlog, COMMIT
 * ```
 * Works that arrive during a sync wait for its end and then share the next transaction. Works that are only atomic cause
 * no sync; where they share a transaction with durable ones, they wait for its sync, and fail with it, as well. After a
 * failed sync nobody knows what the disk holds, so nothing is accepted until a checkpoint has written and synced
 * everything once more.
 */
export interface CommitPipe extends AsyncDisposable {
  /** Resolves with what `work` answers once that is on disk. Rejects with {@link StoreError}, or with what `work` throws. */
  durable<T>(work: (transaction: Transaction) => T): Promise<T>
  /** The same, but may resolve before it is on disk: for what a crash may take back. */
  atomic<T>(work: (transaction: Transaction) => T): Promise<T>
  /** Undefined when all that is durable is on disk, else a promise for that. */
  settled(): Promise<void> | undefined
  /** Commits the backlog soon. */
  soon(): void
  /** Resolves when the backlog is committed. Rejects with {@link StoreError}. */
  flushed(): Promise<void>
  /** The last commit or sync failed. */
  readonly isFailing: boolean
}

export function createCommitPipe(options: CommitOptions): CommitPipe {
  const { db, clock, logger, backlog, sync, onFailed, onWritten } = options
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const rollback = db.prepare('ROLLBACK')
  const savepoint = db.prepare('SAVEPOINT work')
  const release = db.prepare('RELEASE work')
  const undoWork = db.prepare('ROLLBACK TO work')

  let jobs: Job[] = []
  let flushes: PromiseWithResolvers<void>[] = []
  /** Jobs that are committed and wait for the sync under way. */
  let syncing: Job[] | undefined
  let isScheduled = false
  let timer: Disposable | undefined
  let isFailing = false
  /** A sync failed, and no checkpoint has succeeded since. */
  let isSuspect = false
  let undos: (() => void)[] = []
  let lateSynced: (() => void)[] = []
  let isClosed = false

  function schedule(): void {
    if (isScheduled || syncing !== undefined) return
    isScheduled = true
    // Not a microtask: all that one poll of the event loop brought in shares the transaction.
    setImmediate(turn)
  }

  function turn(): void {
    isScheduled = false
    const done = transact(jobs.splice(0, maxWorks))
    if (sync === undefined || !done.some((job) => job.needsSync)) {
      finish(done)
      if (jobs.length > 0) schedule()
      return
    }
    syncing = done
    const startedAt = clock.monotonic()
    sync().then(
      () => {
        onWritten('sync', clock.monotonic() - startedAt)
        const synced = syncing ?? []
        syncing = undefined
        finish(synced)
        if (jobs.length > 0) schedule()
      },
      (error: unknown) => {
        const failed = syncing ?? []
        syncing = undefined
        failSync(failed, error)
        if (jobs.length > 0) schedule()
      },
    )
  }

  /** One transaction. Answers the jobs that are committed; all others are rejected. */
  function transact(batch: Job[]): Job[] {
    timer?.[Symbol.dispose]()
    timer = undefined
    const waiting = flushes.splice(0)
    const done: Job[] = []
    const startedAt = clock.monotonic()
    let written: () => void
    try {
      if (isSuspect) repair()
      begin.run()
      written = backlog.write()
      for (const undo of undos) undo()
      for (const job of batch) if (runJob(job)) done.push(job)
      commit.run()
    } catch (error) {
      if (db.isTransaction) rollback.run()
      failCommit([...batch, ...waiting], error)
      return []
    }
    onWritten('commit', clock.monotonic() - startedAt)
    undos = []
    isFailing = false
    written()
    for (const job of done) for (const run of job.committed) run()
    for (const flush of waiting) flush.resolve()
    return done
  }

  function runJob(job: Job): boolean {
    savepoint.run()
    try {
      job.run({
        committed: (run) => job.committed.push(run),
        synced: (run) => job.synced.push(run),
        undo: (run) => (job.undo = run),
      })
    } catch (error) {
      // A failing device is everybody's failure; anything else is this work's alone.
      if (!db.isTransaction || resultCode(error) !== 'other') throw error
      undoWork.run()
      release.run()
      job.reject(error)
      return false
    }
    release.run()
    return true
  }

  function repair(): void {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    isSuspect = false
    for (const run of lateSynced.splice(0)) run()
    logger.info({}, 'store writes again')
  }

  function finish(done: readonly Job[]): void {
    for (const job of done) {
      for (const run of job.synced) run()
      job.resolve()
    }
  }

  function failCommit(waiting: readonly { reject(error: unknown): void }[], cause: unknown): void {
    const error = toStoreError(cause)
    if (!isFailing) logger.error({ err: error, kind: error.kind }, 'store commit failed')
    isFailing = true
    for (const each of waiting) each.reject(error)
    onFailed()
    retry()
  }

  function failSync(failed: readonly Job[], cause: unknown): void {
    const error = toStoreError(cause)
    logger.error({ err: error, kind: error.kind }, 'store sync failed')
    isFailing = true
    isSuspect = true
    for (const job of failed) {
      if (job.undo !== undefined) undos.push(job.undo)
      else lateSynced.push(...job.synced)
      job.reject(error)
    }
    onFailed()
    retry()
  }

  function retry(): void {
    if (isClosed) return
    timer ??= clock.timer(retryMs, () => {
      timer = undefined
      schedule()
    })
  }

  function enqueue(job: Job): void {
    if (isClosed) {
      job.reject(new StoreError('unavailable', 'the store is closed'))
      return
    }
    jobs.push(job)
    schedule()
  }

  function durable<T>(work: (transaction: Transaction) => T): Promise<T> {
    return write(work, true)
  }

  function write<T>(work: (transaction: Transaction) => T, needsSync: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      let settle: () => void
      const run = (transaction: Transaction) => {
        const value = work(transaction)
        settle = () => resolve(value)
      }
      enqueue(createJob({ needsSync, run, resolve: () => settle(), reject }))
    })
  }

  return {
    durable,
    atomic: (work) => write(work, false),
    settled() {
      if (syncing === undefined) return isSuspect ? durable(() => undefined) : undefined
      const joined = syncing
      return new Promise((resolve, reject) => {
        joined.push(createJob({ needsSync: true, run() {}, resolve, reject }))
      })
    },
    soon() {
      if (isScheduled || isClosed) return
      timer ??= clock.timer(isFailing ? retryMs : groupMs, () => void transact([]))
    },
    flushed() {
      const flush = Promise.withResolvers<void>()
      flushes.push(flush)
      this.soon()
      return flush.promise
    },
    get isFailing() {
      return isFailing
    },
    async [Symbol.asyncDispose]() {
      if (isClosed) return
      const last = durable(() => undefined)
      isClosed = true
      try {
        await last
      } finally {
        timer?.[Symbol.dispose]()
      }
    },
  }
}

function createJob(job: Pick<Job, 'needsSync' | 'run' | 'resolve' | 'reject'>): Job {
  return { ...job, committed: [], synced: [], undo: undefined }
}
