import { open } from 'node:fs/promises'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { StoreOpenError, type Store } from '../store.ts'
import { createCommitPipe } from './commit.ts'
import { damaged, memoryFile, openDatabase, type OpenedDatabase } from './database.ts'
import { createIsolationRecords } from './isolation-records.ts'
import { createJournal } from './journal.ts'
import { createSqliteLedger } from './ledger.ts'
import { createSqliteLog } from './log.ts'
import { recoverRunning } from './recovery.ts'
import { createRemoval } from './removal.ts'
import type { RunningReplies } from './running.ts'
import { createSessionLogs, type SessionLogLimits } from './session-logs.ts'
import { createSweeper } from './sweeper.ts'

export interface SqliteStoreOptions {
  /** A path, whose folder is created, or `:memory:`. One gateway at a time may have it open. */
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /** A digest of the session key: stored at creation, compared at every opening. */
  readonly sessionKeyCheck: string
  /** How long to wait for another gateway to let go of the file, in ms. Default 5000. The process does nothing else then. */
  readonly busyTimeoutMs?: number
}

/** Opens the embedded store. @throws {@link StoreOpenError} */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { file, sessionKeyCheck, busyTimeoutMs = 5000 } = options
  const opened = await openDatabase({ file, sessionKeyCheck, busyTimeoutMs })
  await using stack = new AsyncDisposableStack() // a failure half-way closes what is already open
  stack.defer(() => opened.db.close())
  const disk = file === memoryFile ? undefined : stack.use(await openDisk(file))
  const store = takeUp(opened, { ...options, disk })
  stack.move() // success: the store owns them now
  return store
}

/** A file that passed the check of its structure may still hold what nobody here has written. */
function takeUp(opened: OpenedDatabase, options: StoreOptions & { readonly file: string }): Store {
  try {
    return createSqliteStore(opened, options)
  } catch (cause) {
    throw new StoreOpenError(damaged(options.file), { cause })
  }
}

/** What brings commits to disk. */
export interface Disk extends AsyncDisposable {
  sync(): Promise<void>
}

/**
 * Syncs the write-ahead log by a descriptor of our own, on libuv's thread pool. The file stays the same one as long as
 * the database is open, and SQLite itself syncs what a checkpoint moves out of it. It has no locks that closing our
 * descriptor could drop.
 */
async function openDisk(file: string): Promise<Disk> {
  try {
    const wal = await open(`${file}-wal`, 'r+')
    return { sync: () => wal.datasync(), [Symbol.asyncDispose]: () => wal.close() }
  } catch (cause) {
    throw new StoreOpenError(`the write-ahead log of ${file} cannot be opened`, { cause })
  }
}

interface StoreOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /** Undefined where there is none. */
  readonly disk: Disk | undefined
  readonly limits?: SessionLogLimits
}

/** The store on a database that is open; owns it and the disk from now on. */
export function createSqliteStore(opened: OpenedDatabase, options: StoreOptions): Store {
  const { db, epoch, isRewritten } = opened
  const { clock, logger, metrics, disk } = options
  const running: RunningReplies = new Map()
  const logs = createSessionLogs(db, epoch, running, options.limits)
  const journal = createJournal(db, epoch, running)
  recoverRunning(db, logs, running, journal)
  const sync = disk && (() => disk.sync())
  const pipe = createCommitPipe({
    db,
    clock,
    logger,
    backlog: journal,
    sync,
    onFailed: () => logs.wakeBusy(),
    onWritten: metrics.storeWritten,
  })
  const removal = createRemoval(db, clock)
  const sweeper = createSweeper({ db, pipe, journal, removal, clock, logger })
  // What the process before this one had deleted, and not yet taken away.
  sweeper.deleted()
  const touch = db.prepare(
    `INSERT INTO meta (name, value) VALUES ('ping', ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
  )
  if (!isRewritten) {
    logger.warn(
      {},
      'the database could not be rewritten: texts deleted by earlier versions may be in it',
    )
  }
  logger.info({ epoch, running: running.size }, 'store opened')
  return {
    ledger: createSqliteLedger({ db, epoch, pipe, logs, running, removal, sweeper }),
    log: createSqliteLog({ db, pipe, logs, running, journal, sweeper }),
    isolation: createIsolationRecords(db, pipe),
    async ping() {
      await pipe.durable(() => touch.run(clock.now()))
    },
    async [Symbol.asyncDispose]() {
      if (!db.isOpen) return
      try {
        await sweeper[Symbol.asyncDispose]()
        await pipe[Symbol.asyncDispose]()
      } finally {
        await disk?.[Symbol.asyncDispose]()
        db.close()
      }
    },
  }
}
