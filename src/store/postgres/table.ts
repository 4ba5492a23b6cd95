import type { Clock } from '../../lib/clock.ts'
import type { NewId } from '../../lib/id.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import { createAccept } from './accept.ts'
import { Ahead } from './ahead.ts'
import type { AsyncCalls } from './calls.ts'
import { createClaims } from './claims.ts'
import { createConversations } from './conversations.ts'
import type { Database } from './database.ts'
import { createDeletion } from './deletion.ts'
import { durabilityOf } from './durability.ts'
import { createFinish } from './finish.ts'
import { createFollowing } from './following.ts'
import { createIsolation } from './isolation.ts'
import type { Lanes } from './lanes.ts'
import { createLog } from './log.ts'
import { createOutbox } from './outbox.ts'
import { createPages } from './pages.ts'
import { createReads } from './reads.ts'
import { createRemoval } from './removal.ts'
import { createWriteTexts } from './running-texts.ts'
import { createRuns } from './runs.ts'
import type { WritingInstance } from './session-write.ts'
import type { Sessions } from './sessions.ts'
import { raw, sql } from './sql.ts'
import type { Sweeper } from './sweeper.ts'
import { createTrim } from './trim.ts'

/** The calls that the tables answer. */
export type Table = AsyncCalls<Omit<EngineCalls, 'checkFile' | 'close'>>

export interface TableParts {
  readonly db: Database
  readonly sessions: Sessions
  readonly presence: WritingInstance
  readonly lanes: Lanes
  readonly maxRunningPerSession: number
  readonly sweeper: Sweeper
  readonly clock: Clock
  readonly newId: NewId
}

/** The clock of the server, in ms: the only one that all instances share. */
const serverNow = raw(`(extract(epoch FROM clock_timestamp()) * 1000)::bigint`)

/** Who answers which call. */
export function createTable(parts: TableParts): Table {
  const { db, sessions, presence, lanes, sweeper, maxRunningPerSession, clock, newId } = parts
  const { writeText, ...runs } = createRuns(sessions)
  const ahead = new Ahead()
  const accepting = createAccept(sessions, newId, maxRunningPerSession, ahead)
  const finish = createFinish(sessions, newId, ahead)
  return {
    openSession: (args) => sessions.open(args),
    ...createConversations(sessions),
    ...createDeletion(sessions, newId, () => sweeper.wake()),
    accept: (args, context) => accepting.accept(args, context),
    ...createClaims(parts),
    ...runs,
    writeTexts: createWriteTexts(db, lanes, clock, writeText),
    async finish(args, context) {
      const outcome = await finish(args, context)
      const { sessionId } = args
      if (outcome.type === 'finished' && !outcome.hasNext && !ahead.knowsMessage(sessionId)) {
        // Behind whatever waits already; where it fails, the next message asks for itself.
        lanes
          .run(sessionId, () => accepting.askAhead(sessionId, outcome.reply.conversationId))
          .catch(() => {})
      }
      return outcome
    },
    ...createReads(db, sessions),
    ...createPages(sessions),
    ...createLog(sessions),
    ...createFollowing(db, presence),
    ...createTrim(db, sessions, lanes),
    ...createRemoval(db, sessions, lanes),
    ...createOutbox(db),
    ...createIsolation(db),
    async takeDuty({ name, everyMs }) {
      const taken = await db.query(sql`
        INSERT INTO duties (name, due_at) VALUES (${name}, ${serverNow} + ${everyMs}::bigint)
        ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE duties.due_at <= ${serverNow} RETURNING name`)
      return taken.length > 0
    },
    async ping({ at }) {
      await db.query(sql`
        INSERT INTO meta (name, value) VALUES ('ping', ${String(at)})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
    },
    durability: () => durabilityOf(db),
  }
}
