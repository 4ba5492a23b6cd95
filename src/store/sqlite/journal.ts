import type { DatabaseSync } from 'node:sqlite'
import type { DeltaKind } from '../../domain.ts'
import { integer, json } from './columns.ts'
import type { Backlog } from './commit.ts'
import type { DeltaEvent } from './deltas.ts'
import type { RunningReply, RunningReplies } from './running.ts'

/** Code units that may wait for a commit before appending has to wait. */
const maxPendingLength = 1024 * 1024
/** Journal rows deleted in one transaction: bounded, so that no commit is long. */
const pruneRows = 256
/** Journal rows looked at in one call of `purge`: a call is part of one transaction. */
const purgeRows = 32

/** One delta as the journal keeps it. */
type Entry = readonly [reply: number, seq: number, kind: DeltaKind, offset: number, text: string]
interface JournalRow {
  readonly epoch: number
  readonly deltas: readonly Entry[]
}

/**
 * The deltas of running replies on disk, for recovery alone: everything else reads them from memory. A row holds all
 * that one commit brings, whoever it belongs to.
 */
export interface Journal extends Backlog {
  add(reply: RunningReply, event: DeltaEvent): void
  readonly isFull: boolean
  /**
   * Takes the deltas of ended replies out of some rows, from one on. `needed` stops where those begin that a running reply
   * still needs: what ended lately may be among them. Answers the row to go on with; undefined: there is none.
   */
  purge(from: number, upTo: 'needed' | 'end'): number | undefined
  /** Gives every delta that is kept, oldest first: those of ended replies as well. */
  scan(
    take: (
      row: number,
      reply: number,
      delta: Omit<DeltaEvent, 'replyId' | 'conversationId'>,
    ) => void,
  ): void
}

export function createJournal(db: DatabaseSync, epoch: number, running: RunningReplies): Journal {
  const insert = db.prepare('INSERT INTO journal (id, deltas) VALUES (?, ?)')
  const prune = db.prepare('DELETE FROM journal WHERE id < ?')
  const selectSome = db.prepare(
    `SELECT id, deltas FROM journal WHERE id >= ? AND id < ? ORDER BY id LIMIT ${purgeRows}`,
  )
  const remove = db.prepare('DELETE FROM journal WHERE id = ?')
  const change = db.prepare('UPDATE journal SET deltas = ? WHERE id = ?')
  const bounds = db
    .prepare(
      `SELECT coalesce((SELECT min(id) FROM journal), 1) AS low,
         coalesce((SELECT max(id) FROM journal), 0) + 1 AS next`,
    )
    .get()
  let nextRow = integer(bounds?.['next'])
  let prunedTo = integer(bounds?.['low'])
  let pending: Entry[] = []
  let pendingReplies = new Set<RunningReply>()
  let pendingLength = 0

  function firstNeeded(): number {
    let first = nextRow
    for (const { journalFrom } of running.values()) {
      if (journalFrom !== undefined && journalFrom < first) first = journalFrom
    }
    return first
  }

  return {
    add(reply, { seq, kind, offset, text }) {
      pending.push([reply.row, seq, kind, offset, text])
      pendingLength += text.length
      if (reply.journalFrom === undefined) pendingReplies.add(reply)
    },
    get isFull() {
      return pendingLength > maxPendingLength
    },
    purge(from, upTo) {
      const end = upTo === 'end' ? nextRow : firstNeeded()
      const rows = selectSome.all(from, end)
      const needed = new Set(Array.from(running.values(), ({ row }) => row))
      for (const row of rows) {
        const { deltas, ...rest } = json<JournalRow>(row['deltas'])
        const kept = deltas.filter(([reply]) => needed.has(reply))
        if (kept.length === deltas.length) continue
        if (kept.length === 0) remove.run(integer(row['id']))
        else change.run(JSON.stringify({ ...rest, deltas: kept }), integer(row['id']))
      }
      const last = rows.at(-1)
      return last === undefined ? undefined : integer(last['id']) + 1
    },
    write() {
      let pruned = prunedTo
      // Looked at rarely: it asks every reply that runs.
      if (nextRow - prunedTo > pruneRows) {
        pruned = Math.min(firstNeeded(), prunedTo + 2 * pruneRows)
        if (pruned > prunedTo) prune.run(pruned)
      }
      const row = nextRow
      const isEmpty = pending.length === 0
      if (!isEmpty) insert.run(row, JSON.stringify({ epoch, deltas: pending } satisfies JournalRow))
      return () => {
        prunedTo = pruned
        if (isEmpty) return
        nextRow = row + 1
        for (const reply of pendingReplies) reply.journalFrom = row
        pending = []
        pendingReplies = new Set()
        pendingLength = 0
      }
    },
    scan(take) {
      for (const row of db.prepare('SELECT id, deltas FROM journal ORDER BY id').iterate()) {
        const entry = json<JournalRow>(row['deltas'])
        for (const [reply, seq, kind, offset, text] of entry.deltas) {
          take(integer(row['id']), reply, {
            type: 'delta',
            epoch: entry.epoch,
            seq,
            kind,
            offset,
            text,
          })
        }
      }
    },
  }
}
