import type { Position, SessionId } from '../../domain.ts'
import type { EventFilter, ReadResult, ReplyLog } from '../log.ts'
import type { SessionLog } from '../session-log.ts'
import type { SessionLogs } from '../session-logs.ts'
import { StoreError } from '../store.ts'
import type { Follower } from './follower.ts'
import { StoredLog } from './stored-log.ts'
import type { EngineClient } from './engine-client.ts'

/**
 * Reads what is in memory at once, and all else through the engine.
 * @param follower of what other instances write; undefined: there are none
 */
export function createReplyLog(
  client: EngineClient,
  logs: SessionLogs,
  follower: Follower | undefined,
): ReplyLog {
  const stored = new StoredLog(client, follower === undefined)

  function use<T>(sessionId: SessionId, run: (log: SessionLog) => T): T {
    const log = logs.open(sessionId)
    try {
      return run(log)
    } finally {
      logs.settle(log)
    }
  }

  /** What is in memory, once what other instances have written up to now is there as well. */
  function fresh<T>(sessionId: SessionId, run: (log: SessionLog) => T): T | Promise<T> {
    return follower === undefined ? use(sessionId, run) : follower.refreshed(sessionId, run)
  }

  /** The same where anything is in memory: else the store is asked at once for what is wanted. */
  function known<T>(sessionId: SessionId, run: (log: SessionLog) => T): T | undefined | Promise<T> {
    return logs.find(sessionId)?.end === undefined ? undefined : fresh(sessionId, run)
  }

  /** The end that a reader waits for cannot be written now: it resumes later, and meets no end that is not stored. */
  function orThrow(log: SessionLog, result: ReadResult): ReadResult {
    if (result.length === 0 && client.isGivenUp && log.isBusy) {
      throw new StoreError('unavailable', 'what comes next cannot be written now')
    }
    return result
  }

  async function readStored(
    sessionId: SessionId,
    after: Position,
    filter: EventFilter,
    maxLength: number,
  ): Promise<ReadResult> {
    const log = logs.open(sessionId)
    const result = await stored.read(log, after, filter, maxLength)
    logs.settle(log)
    return orThrow(log, result)
  }

  return {
    read: (sessionId, after, filter, maxLength) =>
      use(sessionId, (log) => {
        const result = log.read(after, filter, maxLength)
        if (result === undefined) return readStored(sessionId, after, filter, maxLength)
        return orThrow(log, result)
      }),

    async end(sessionId) {
      const end = await fresh(sessionId, (log) => log.endPosition)
      if (end !== undefined) return end
      return client.call('logEnd', { sessionId }, (place) =>
        use(sessionId, (log) => {
          if (follower === undefined) log.know(place)
          return log.endPosition ?? log.positions.at(place)
        }),
      )
    },

    async start(sessionId, replyId) {
      const startOf = (log: SessionLog) => log.startOf(replyId)
      // Whoever runs it knows where it began.
      const runsHere = logs.find(sessionId)?.text(replyId) !== undefined
      const started = runsHere ? use(sessionId, startOf) : await known(sessionId, startOf)
      const place = started ?? (await client.call('logStart', { sessionId, replyId }))
      if (place === undefined || place === 'expired') return place
      return use(sessionId, (log) => log.positions.at(place))
    },

    async check(sessionId, { seq, check }) {
      const place = { seq, check }
      const checked = await known(sessionId, (log) => log.check(place))
      return checked ?? client.call('checkPlace', { sessionId, place })
    },

    listen(sessionId, wake) {
      const listening = logs.listen(sessionId, wake)
      follower?.begin(sessionId)
      return listening
    },

    trim: (endedBefore) =>
      client.call('trimLog', { endedBefore }, ({ count, trimmed }) => {
        for (const { sessionId, upTo } of trimmed) {
          const log = logs.find(sessionId)
          if (log === undefined) continue
          log.trim(upTo)
          logs.settle(log)
        }
        return count
      }),
  }
}
