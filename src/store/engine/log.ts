import type { EventPlace } from '../../domain.ts'
import { integerOrNull, type StoredRow } from './columns.ts'

/** The number of a reply's first event, gone or not; null: it has none. */
export const firstEventOf = (reply: StoredRow) =>
  integerOrNull(reply['started_seq'] ?? null) ?? integerOrNull(reply['ended_seq'] ?? null)

export function isTrimmed(reply: StoredRow, trimmedTo: number): boolean {
  const first = firstEventOf(reply)
  return reply['trimmed'] === 1 || (first !== null && first <= trimmedTo)
}

/** What is read of a session that was never opened. */
export function readNothing(after: EventPlace) {
  if (after.seq !== 0 || after.check !== '') return 'expired'
  return { events: [], readTo: after, isEnd: true, running: [], replies: [] }
}
