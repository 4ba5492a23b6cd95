import type { Position, ReplyEvent, ReplyId, SessionId } from '../../../src/domain.ts'
import { type EventFilter, LostReplyError, type ReplyLog } from '../../../src/store/log.ts'
import { applyDelta, mergeBatch, splitDelta } from './deltas.ts'
import type { Pipe } from './pipe.ts'
import { addEvent, findRun } from './runs.ts'
import { comparePlaces, isOpen, type LogRow, logOf, type ReplyRow, type State } from './state.ts'

/** Positions and wake-ups: what of a log is not repeated with its operations. */
export interface LogPlaces {
  next(sessionId: SessionId): Position
  /** The event at this position is not durable yet: it and all after it wait to be shown. */
  hold(sessionId: SessionId, position: Position): void
  release(sessionId: SessionId, position: Position): void
  isHeld(sessionId: SessionId, position: Position): boolean
  readonly epoch: number
  wake(sessionId: SessionId): void
  listen(sessionId: SessionId, wake: () => void): Disposable
}

export function createMemoryLog(pipe: Pipe, places: LogPlaces): ReplyLog {
  function* shown(sessionId: SessionId, after: Position): Generator<ReplyEvent> {
    for (const event of logOf(pipe.state, sessionId).events) {
      if (places.isHeld(sessionId, event)) return
      if (comparePlaces(event, after) > 0) yield event
    }
  }

  function endOf(sessionId: SessionId): Position {
    let end: Position = { epoch: places.epoch, seq: 0 }
    const { trimmedTo, deletedTo } = logOf(pipe.state, sessionId)
    for (const gone of [trimmedTo, deletedTo]) if (comparePlaces(gone, end) > 0) end = gone
    for (const { epoch, seq } of shown(sessionId, end)) end = { epoch, seq }
    return end
  }

  function findReply(sessionId: SessionId, replyId: ReplyId): ReplyRow | undefined {
    const row = pipe.state.replies.get(replyId)
    return row?.sessionId === sessionId ? row : undefined
  }

  return {
    append(sessionId, replyId, fence, deltas) {
      const session = pipe.state.sessions.get(sessionId)
      if (session === undefined || findRun(pipe.state, session, replyId, fence) === undefined) {
        throw new LostReplyError('the reply does not run under this fence')
      }
      const pieces = deltas
        .flatMap(splitDelta)
        .map((delta) => ({ delta, position: places.next(sessionId) }))
      pipe.soft((state) => {
        const row = state.replies.get(replyId)
        // Only a crash separates a delta from its reply, and takes both.
        if (row === undefined) return
        for (const { delta, position } of pieces) {
          addEvent(state, row, position, { type: 'delta', ...delta })
          const name = delta.kind === 'ANSWER' ? 'text' : 'reasoning'
          row.told = { ...row.told, [name]: applyDelta(row.told[name], delta) }
        }
      })
      places.wake(sessionId)
      return pipe.isFailing ? pipe.flushed() : undefined
    },
    read(sessionId, after, filter, maxLength) {
      const log = logOf(pipe.state, sessionId)
      if (lacks(pipe.state, log, sessionId, after, filter)) return 'trimmed'
      return mergeBatch(shown(sessionId, after), filter, maxLength)
    },
    end: async (sessionId) => endOf(sessionId),
    async start(sessionId, replyId) {
      const row = findReply(sessionId, replyId)
      const end = endOf(sessionId)
      await pipe.settled()
      if (row === undefined) return undefined
      const { firstEvent } = row
      if (firstEvent === undefined) return end
      const { trimmedTo } = logOf(pipe.state, sessionId)
      if (comparePlaces(firstEvent, trimmedTo) <= 0) return 'trimmed'
      return { ...firstEvent, seq: firstEvent.seq - 1 }
    },
    async check(sessionId, position) {
      if (comparePlaces(position, endOf(sessionId)) > 0) return 'beyond'
      const { trimmedTo } = logOf(pipe.state, sessionId)
      return comparePlaces(position, trimmedTo) < 0 ? 'trimmed' : 'ok'
    },
    listen: (sessionId, wake) => places.listen(sessionId, wake),
    trim: (endedBefore) => pipe.hard((state) => trim(state, endedBefore)),
  }
}

/** Whether any event that the filter lets through is gone after a position. */
function lacks(
  state: State,
  { trimmedTo }: LogRow,
  sessionId: SessionId,
  after: Position,
  { replyId, conversationId }: EventFilter,
): boolean {
  if (comparePlaces(after, trimmedTo) >= 0) return false
  if (replyId === undefined && conversationId === undefined) return true
  return [...state.replies.values()].some(
    (row) =>
      row.sessionId === sessionId &&
      (replyId === undefined || row.id === replyId) &&
      (conversationId === undefined || row.conversationId === conversationId) &&
      row.firstEvent !== undefined &&
      row.lastEvent !== undefined &&
      comparePlaces(row.firstEvent, trimmedTo) <= 0 &&
      comparePlaces(row.lastEvent, after) > 0,
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
    const kept = mine
      .filter((row) => !isOld(row))
      .flatMap(({ firstEvent }) => firstEvent ?? [])
      .toSorted(comparePlaces)[0]
    const gone = log.events.filter((event) => kept === undefined || comparePlaces(event, kept) < 0)
    const last = gone.at(-1)
    if (last === undefined) continue
    log.events = log.events.slice(gone.length)
    log.gone = [...log.gone, ...gone]
    log.trimmedTo = { epoch: last.epoch, seq: last.seq }
    for (const row of mine) {
      if (!isOld(row) || row.lastEvent === undefined) continue
      if (comparePlaces(row.lastEvent, last) > 0) continue
      row.isTrimmed = true
      count += 1
    }
  }
  return count
}
