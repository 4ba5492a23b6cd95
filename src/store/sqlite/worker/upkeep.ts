import type { DatabaseSync } from 'node:sqlite'
import type { Note } from '../../main-half/messages.ts'
import type { FileCheck } from './file-check.ts'
import { integer } from '../../engine/columns.ts'

/** Pages of the write-ahead log, 4 MiB: so much is moved to the file in a few ms. */
const checkpointPages = 1_000
/** Pages that the log may come to while the file is checked: 64 MiB. */
const maxPages = 16_384
/** Between two times that the log is cut off, in ms. */
const pauseMs = 1_000

export interface UpkeepParts {
  readonly db: DatabaseSync
  readonly check: FileCheck
  readonly note: (note: Note) => void
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Takes away a piece of what was deleted, in a transaction; true: there may be more. */
export type Sweep = () => boolean

/** What the store does for itself between calls, in pieces of a few ms. */
export interface Upkeep {
  /** Conversations were deleted, and wait to be swept. */
  deleted(): void
  /** Rows that had outlived their time are gone: no trace of them is to be left in the write-ahead log. */
  removed(): void
  /** Does one piece, if there is any; answers in how many ms to come again, undefined: only after more calls. */
  piece(sweep: Sweep): number | undefined
  /** Moves all that is committed to the file, and cuts the log off. */
  cutOff(): void
  /** Sweeps and cuts off all that is wanted, until a time of `now`. */
  end(sweep: Sweep, by: number): void
}

export function createUpkeep(parts: UpkeepParts): Upkeep {
  const { db, check, note, now } = parts
  const state = db.prepare('PRAGMA wal_checkpoint(NOOP)')
  const passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  const truncate = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
  // What the process before this one had deleted, and not yet swept.
  let isSweeping = true
  let mustCut = false
  let cutAfter = 0
  /** The last time it failed, which is told once. */
  let isFailing = false

  function cutOff(): void {
    check.interrupt()
    if (truncate.get()?.['busy'] !== 0) throw new Error('the write-ahead log is in use')
    mustCut = false
    cutAfter = now() + pauseMs
  }

  function goOn(sweep: Sweep): void {
    isSweeping = sweep()
    if (isSweeping) mustCut = true
  }

  /** Moves what was written to the file, a little at a time, so that what waits behind it does not wait for long. */
  function checkpoint(): void {
    const found = state.get()
    const pages = integer(found?.['log'] ?? 0)
    if (check.isReading && pages < maxPages) return
    if (pages - integer(found?.['checkpointed'] ?? 0) < checkpointPages) return
    check.interrupt()
    passive.get()
  }

  function step(sweep: Sweep): number | undefined {
    checkpoint()
    if (isSweeping) {
      goOn(sweep)
      return 0
    }
    if (!mustCut) return undefined
    if (check.isReading) return pauseMs
    const left = cutAfter - now()
    if (left > 0) return left
    cutOff()
    return undefined
  }

  return {
    cutOff,
    deleted() {
      isSweeping = true
    },
    removed() {
      mustCut = true
    },
    piece(sweep) {
      try {
        const next = step(sweep)
        isFailing = false
        return next
      } catch (error) {
        const detail = { cause: error instanceof Error ? error.message : '' }
        if (!isFailing) note({ level: 'warn', message: unfinished, detail })
        isFailing = true
        return pauseMs
      }
    },
    end(sweep, by) {
      while (isSweeping && now() < by) goOn(sweep)
      cutOff()
    },
  }
}

const unfinished = 'what was deleted could not be taken out of the files yet'
