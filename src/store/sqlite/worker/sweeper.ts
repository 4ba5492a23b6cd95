import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { CommitPipe } from './commit.ts'
import type { Journal } from './journal.ts'
import type { Removal } from './removal.ts'

/** Takes what was deleted out of the tables bit by bit, then out of the journal and the write-ahead log. */
export interface Sweeper extends AsyncDisposable {
  /** Conversations were deleted, and wait in the table of deletions. */
  deleted(): void
  /** Rows that had outlived their time are gone. */
  trimmed(): void
}

export interface SweeperOptions {
  readonly db: DatabaseSync
  readonly pipe: CommitPipe
  readonly journal: Journal
  readonly removal: Removal
  readonly clock: Clock
  readonly logger: Logger
}

/** Between two sweeps, in ms: each one ends with a sync on the main thread. */
const pauseMs = 1_000
/** How long closing waits for what is left, in ms: the rest is done after the next opening. */
const closingMs = 2_000

export function createSweeper(options: SweeperOptions): Sweeper {
  const { db, pipe, journal, removal, clock, logger } = options
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
  /** How far the next sweep goes through the journal; undefined: none is asked for. */
  let wanted: 'needed' | 'end' | undefined
  let sweeping: Promise<void> | undefined
  let timer: Disposable | undefined
  /** The last sweep failed, which is told once. */
  let isFailing = false
  let endsAt = Number.POSITIVE_INFINITY

  function want(upTo: 'needed' | 'end'): void {
    if (wanted !== 'end') wanted = upTo
    if (sweeping === undefined) timer ??= clock.timer(0, begin)
  }

  function begin(): void {
    timer?.[Symbol.dispose]()
    timer = undefined
    const upTo = wanted
    if (upTo === undefined) return
    wanted = undefined
    sweeping = sweep(upTo)
      .catch((error: unknown) => {
        if (!isFailing) {
          logger.warn({ err: error }, 'what was deleted could not be taken out of the files yet')
        }
        isFailing = true
        wanted = upTo === 'end' ? 'end' : (wanted ?? upTo)
      })
      .finally(() => {
        sweeping = undefined
        if (wanted !== undefined) timer = clock.timer(pauseMs, begin)
      })
  }

  async function sweep(upTo: 'needed' | 'end'): Promise<void> {
    while (await pipe.atomic(() => removal.deletedConversations())) refuseWhenLate()
    let row: number | undefined = 0
    while (row !== undefined) {
      const from: number = row
      row = await pipe.atomic(() => journal.purge(from, upTo))
      refuseWhenLate()
    }
    // Nothing reads and nothing is written within this turn, so that the log can be cut off.
    if (checkpoint.get()?.['busy'] !== 0) throw new Error('the write-ahead log is in use')
    isFailing = false
  }

  function refuseWhenLate(): void {
    if (clock.monotonic() > endsAt) throw new Error('the store is closed')
  }

  return {
    deleted: () => want('end'),
    trimmed: () => want('needed'),
    async [Symbol.asyncDispose]() {
      endsAt = clock.monotonic() + closingMs
      await sweeping
      begin()
      await sweeping
      timer?.[Symbol.dispose]()
    },
  }
}
