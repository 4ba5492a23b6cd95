import type { DatabaseSync } from 'node:sqlite'
import type { Delta, Position, ReplyId, SessionId } from '../../domain.ts'
import type { Fence } from '../ledger.ts'
import { StoreError } from '../store.ts'
import { LostReplyError, type EventFilter, type ReadResult, type ReplyLog } from '../log.ts'
import { Batch } from './batch.ts'
import { integerOrNull } from './columns.ts'
import type { CommitPipe } from './commit.ts'
import { splitDelta, type DeltaEvent } from './deltas.ts'
import { selectEvent, toEvent } from './event-rows.ts'
import type { Journal } from './journal.ts'
import { toPlace, toPosition, type Place } from './place.ts'
import { growText, type RunningReplies, type RunningReply } from './running.ts'
import type { SessionLogs } from './session-logs.ts'
import type { Sweeper } from './sweeper.ts'
import { createTrim } from './trim.ts'

export interface LogParts {
  readonly db: DatabaseSync
  readonly pipe: CommitPipe
  readonly logs: SessionLogs
  readonly running: RunningReplies
  readonly journal: Journal
  readonly sweeper: Sweeper
}

export function createSqliteLog(parts: LogParts): ReplyLog {
  const { db, pipe, logs, running, journal, sweeper } = parts
  const stored = createStoredEvents(db)
  const trim = createTrim(db, logs)

  function appendOne(reply: RunningReply, { kind, offset, text }: Delta): void {
    const { log, replyId, conversationId } = reply
    const { epoch } = log
    const seq = log.nextSeq()
    const event: DeltaEvent = {
      epoch,
      seq,
      replyId,
      conversationId,
      type: 'delta',
      kind,
      offset,
      text,
    }
    growText(reply, event)
    journal.add(reply, event)
    log.show(event)
  }

  function append(
    sessionId: SessionId,
    replyId: ReplyId,
    fence: Fence,
    deltas: readonly Delta[],
  ): Promise<void> | undefined {
    const reply = running.get(replyId)
    if (reply === undefined || reply.fence !== fence || reply.log.sessionId !== sessionId) {
      throw new LostReplyError('the reply does not run under this fence')
    }
    for (const delta of deltas) for (const piece of splitDelta(delta)) appendOne(reply, piece)
    reply.log.wake()
    if (pipe.isFailing || journal.isFull) return pipe.flushed()
    pipe.soon()
    return undefined
  }

  function read(
    sessionId: SessionId,
    after: Position,
    filter: EventFilter,
    maxLength: number,
  ): ReadResult {
    const log = logs.open(sessionId)
    const place = toPlace(after)
    if (place < log.trimmedTo && stored.lacks(sessionId, place, log.trimmedTo, filter)) {
      return 'trimmed'
    }
    const batch = new Batch(filter, maxLength)
    const isRead =
      place >= log.memoryFrom || stored.read(sessionId, place, log.memoryFrom, filter, batch)
    if (isRead) log.read(place, (event) => batch.take(event))
    logs.settle(log)
    // The end that a reader waits for cannot be written now: it resumes later, and meets no end that is not stored.
    if (batch.events.length === 0 && pipe.isFailing && !log.isQuiet) throw unwritten()
    return batch.events
  }

  return {
    append,
    read,
    async end(sessionId) {
      const log = logs.open(sessionId)
      logs.settle(log)
      return toPosition(log.end)
    },
    async start(sessionId, replyId) {
      const log = logs.open(sessionId)
      const span = stored.has(replyId) ? stored.span(sessionId, replyId) : undefined
      const end = log.end
      logs.settle(log)
      await pipe.settled()
      if (span === undefined) return undefined
      if (span.first === null) return toPosition(end)
      return span.first <= log.trimmedTo ? 'trimmed' : toPosition(span.first - 1)
    },
    async check(sessionId, position) {
      const log = logs.open(sessionId)
      logs.settle(log)
      const place = toPlace(position)
      if (place > log.end) return 'beyond'
      return place < log.trimmedTo ? 'trimmed' : 'ok'
    },
    listen: (sessionId, wake) => logs.listen(sessionId, wake),
    trim: (endedBefore) =>
      pipe.durable((transaction) => {
        const count = trim(endedBefore, transaction)
        if (count > 0) transaction.committed(() => sweeper.trimmed())
        return count
      }),
  }
}

function unwritten(): StoreError {
  return new StoreError('unavailable', 'what comes next cannot be written now')
}

/** The index has all of it: to read it from the row would be to walk over the whole text of the reply. */
export const selectSpan = `
  SELECT r.first_event, r.last_event FROM replies r INDEXED BY replies_span
  JOIN sessions s ON s.id = r.session WHERE s.key = ? AND r.key = ?`

/** What readers need of the table: the events that are not in memory any more. */
function createStoredEvents(db: DatabaseSync) {
  const select = (condition: string) =>
    db.prepare(`
      ${selectEvent} JOIN sessions s ON s.id = e.session
      WHERE s.key = ? AND e.place > ? AND e.place <= ? ${condition} ORDER BY e.place`)
  const all = select('')
  const ofReply = select('AND r.key = ?')
  const ofConversation = select('AND c.key = ?')
  const findSpan = db.prepare(selectSpan)
  // All of its events are gone, or the first of them.
  const lacksAny = db.prepare(`
    SELECT 1 FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = c.session
    WHERE s.key = :session AND c.key = :conversation AND r.trimmed = 1 AND r.first_event <= :to AND r.last_event > :after
    UNION ALL
    SELECT 1 FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = r.session
    WHERE s.key = :session AND c.key = :conversation AND r.trimmed = 0 AND r.first_event <= :to AND r.last_event > :after
    LIMIT 1`)
  const findReply = db.prepare(
    'SELECT 1 FROM replies r JOIN conversations c ON c.id = r.conversation WHERE r.key = ?',
  )

  function span(sessionId: SessionId, replyId: ReplyId) {
    const row = findSpan.get(sessionId, replyId)
    if (row === undefined) return undefined
    return {
      first: integerOrNull(row['first_event'] ?? null),
      last: integerOrNull(row['last_event'] ?? null),
    }
  }

  function rows(sessionId: SessionId, after: Place, upTo: Place, filter: EventFilter) {
    if (filter.replyId !== undefined) {
      const bounds = span(sessionId, filter.replyId)
      const from = Math.max(after, (bounds?.first ?? after + 1) - 1)
      const to = Math.min(upTo, bounds?.last ?? upTo)
      return ofReply.iterate(sessionId, from, to, filter.replyId)
    }
    if (filter.conversationId !== undefined) {
      return ofConversation.iterate(sessionId, after, upTo, filter.conversationId)
    }
    return all.iterate(sessionId, after, upTo)
  }

  return {
    span,
    /** A reply of a deleted conversation is gone, whatever its rows. */
    has: (replyId: ReplyId) => findReply.get(replyId) !== undefined,
    /** False: the batch was full before the last event. */
    read(
      sessionId: SessionId,
      after: Place,
      upTo: Place,
      filter: EventFilter,
      batch: Batch,
    ): boolean {
      for (const row of rows(sessionId, after, upTo, filter)) {
        if (!batch.take(toEvent(row))) return false
      }
      return true
    },
    /** Whether any event that the filter lets through is gone after a place. */
    lacks(sessionId: SessionId, after: Place, trimmedTo: Place, filter: EventFilter): boolean {
      if (filter.replyId !== undefined) {
        const bounds = span(sessionId, filter.replyId)
        if (bounds === undefined || bounds.first === null) return false
        return bounds.first <= trimmedTo && (bounds.last === null || bounds.last > after)
      }
      return (
        filter.conversationId === undefined ||
        lacksAny.get({
          session: sessionId,
          conversation: filter.conversationId,
          to: trimmedTo,
          after,
        }) !== undefined
      )
    },
  }
}
