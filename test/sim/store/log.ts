import type { EventPlace, Position, SessionId } from '../../../src/domain.ts'
import type { EventFilter, LogItem, ReplyLog } from '../../../src/store/log.ts'
import { StoreError } from '../../../src/store/store.ts'
import type { Commits } from './commits.ts'
import type { Leases } from './leases.ts'
import { isKnown, itemsAfter, matches, runningAt, shownOf, withText } from './positions.ts'
import { beforeAll, isOpen, type LogRow, logOf, type ReplyRow, type State } from './state.ts'

export function createMemoryLog(
  commits: Commits,
  leases: Leases,
  listen: ReplyLog['listen'],
): ReplyLog {
  const share = createSharing()
  const textOf = (row: ReplyRow) => shownOf(row, leases.textOf(row))

  return {
    read(sessionId, after, filter, maxLength) {
      const { state } = commits
      const log = logOf(state, sessionId)
      const isExpired =
        !isRemembered(log, after, state) || lacks(state, log, sessionId, after, filter)
      if (isExpired && state.flaw !== 'reads-on-when-expired') return 'expired'
      const items: LogItem[] = []
      let length = 0
      for (const item of itemsAfter(state, sessionId, after, filter, textOf)) {
        const more = 'text' in item.event ? item.event.text.length : 0
        if (items.length > 0 && more > 0 && length + more > maxLength) break
        length += more
        items.push(share(item))
      }
      if (items.length === 0 && commits.isFailing && leases.isRunningIn(sessionId)) {
        throw new StoreError('unavailable', 'what comes next cannot be written now')
      }
      return items
    },
    end: (sessionId) =>
      commits.read((state): Position => {
        const place = endOf(logOf(state, sessionId))
        let end: Position = { ...place, texts: [] }
        for (const row of runningAt(state, sessionId, place.seq)) {
          const { answer, reasoning, revisions } = textOf(row)
          const revision = revisions.at(-1)?.name
          if (revision === undefined || answer.length + reasoning.length === 0) continue
          const offsets = { answer: answer.length, reasoning: reasoning.length }
          end = withText(end, { replyId: row.id, revision, ...offsets })
        }
        return end
      }),
    start: (sessionId, replyId) =>
      commits.read((state) => {
        const row = state.replies.get(replyId)
        if (row?.sessionId !== sessionId) return undefined
        const log = logOf(state, sessionId)
        const { firstEvent } = row
        if (firstEvent === undefined) return { ...endOf(log), texts: [] }
        if (firstEvent.seq <= log.trimmedTo.seq) return 'expired'
        return { ...endOf(log, firstEvent.seq), texts: [] }
      }),
    check: (sessionId, position) =>
      commits.read((state) => {
        const log = logOf(state, sessionId)
        const isExpired = isGone(log, position, state) || position.seq < log.trimmedTo.seq
        return isExpired ? 'expired' : 'ok'
      }),
    listen,
    trim: (endedBefore) => commits.write('trim', (state) => trim(state, endedBefore)),
  }
}

/** A reader goes on at an event that was trimmed under it, where it has missed nothing. */
function isRemembered(log: LogRow, { seq, check }: EventPlace, state: State): boolean {
  if (isKnown(log, { seq, check }, state)) return true
  if (state.flaw === 'forgets-trimmed-check') return false
  return log.gone.some((event) => event.seq === seq && event.check === check)
}

/** Its event is gone or another one, or the log does not reach it. */
function isGone(log: LogRow, place: EventPlace, state: State): boolean {
  return !isKnown(log, place, state)
}

/** The last place that the log has, before a number. */
function endOf({ events, stubs, trimmedTo }: LogRow, before = Infinity): EventPlace {
  const { seq, check } = [beforeAll, trimmedTo, ...stubs, ...events]
    .filter((place) => place.seq < before)
    .reduce((last, place) => (place.seq > last.seq ? place : last))
  return { seq, check }
}

/** Whether any event that the filter lets through is gone after a position. */
function lacks(
  state: State,
  { trimmedTo }: LogRow,
  sessionId: SessionId,
  after: Position,
  filter: EventFilter,
): boolean {
  if (after.seq >= trimmedTo.seq) return false
  if (filter.replyId === undefined && filter.conversationId === undefined) return true
  return [...state.replies.values()].some(
    (row) =>
      row.sessionId === sessionId &&
      matches(filter, { replyId: row.id, conversationId: row.conversationId }) &&
      row.firstEvent !== undefined &&
      row.lastEvent !== undefined &&
      row.firstEvent.seq <= trimmedTo.seq &&
      row.lastEvent.seq > after.seq,
  )
}

/** What goes is always a prefix of a session's log. */
function trim(state: State, endedBefore: number): number {
  let count = 0
  for (const [sessionId, log] of state.logs) {
    const mine = [...state.replies.values()].filter(
      (row) => row.sessionId === sessionId && row.firstEvent !== undefined && !row.isTrimmed,
    )
    const isOld = (row: ReplyRow) => !isOpen(row) && (row.told.endedAt ?? 0) < endedBefore
    const kept = Math.min(
      ...mine.filter((row) => !isOld(row)).map(({ firstEvent }) => firstEvent?.seq ?? Infinity),
    )
    const gone = log.events.filter(({ seq }) => seq < kept)
    const last = gone.at(-1)
    if (last === undefined) continue
    log.events = log.events.slice(gone.length)
    log.gone = [...log.gone, ...gone]
    const check = state.flaw === 'forgets-trimmed-check' ? 'gone' : last.check
    log.trimmedTo = { seq: last.seq, check }
    log.stubs = log.stubs.filter(({ seq }) => seq > last.seq)
    for (const row of mine) {
      if (!isOld(row) || (row.lastEvent?.seq ?? 0) > last.seq) continue
      row.isTrimmed = true
      count += 1
    }
  }
  return count
}

/** Readers that are sent the same are given the same objects. */
function createSharing(): (item: LogItem) => LogItem {
  const shared = new Map<string, LogItem>()
  return (item) => {
    const key = JSON.stringify(item)
    const known = shared.get(key)
    if (known !== undefined) return known
    if (shared.size > 1_000) shared.clear()
    shared.set(key, item)
    return item
  }
}
