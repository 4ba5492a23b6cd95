import type { DatabaseSync } from 'node:sqlite'
import type { NewId } from '../../../lib/id.ts'
import { createAccept } from './accept.ts'
import { createActions } from './actions.ts'
import { createAttachments } from './attachments.ts'
import { createBindings } from './bindings.ts'
import { createConversations } from './conversations.ts'
import { createDeletion } from './deletion.ts'
import { createEvents, type Events } from './events.ts'
import { createFinish } from './finish.ts'
import { createIsolation } from './isolation.ts'
import { createLog } from './log.ts'
import { createOutbox } from './outbox.ts'
import { createRatings } from './ratings.ts'
import { createReads } from './reads.ts'
import { createRemoval, type Removal } from './removal.ts'
import { createRuns } from './runs.ts'
import { createSessions } from './sessions.ts'
import { createTexts } from './texts.ts'
import type { Table } from './transactions.ts'
import { createTrim } from './trim.ts'

export interface TableParts {
  readonly db: DatabaseSync
  readonly newId: NewId
  /** Monotonic, in ms. */
  readonly now: () => number
  /** Hears that deleted conversations have left rows to be swept. */
  readonly onDeleted: () => void
  /** Hears that rows that had outlived their time are gone. */
  readonly onRemoved: () => void
}

export interface Tables {
  readonly table: Table
  readonly events: Events
  readonly removal: Removal
}

/** Who answers which call. */
export function createTable({ db, newId, now, onDeleted, onRemoved }: TableParts): Tables {
  const sessions = createSessions(db)
  const texts = createTexts(db)
  const events = createEvents(db, newId)
  const bindings = createBindings(db)
  const outbox = createOutbox(db)
  const conversations = createConversations(db, sessions)
  const parts = { db, sessions, texts, events, bindings, outbox, conversations, newId, now }
  const runs = createRuns(parts)
  const finish = createFinish({ ...parts, runs })
  const removal = createRemoval(parts)
  const trim = createTrim(parts)
  const touch = db.prepare(
    `INSERT INTO meta (name, value) VALUES ('ping', ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
  )
  const table: Table = {
    openSession: sessions.openSession,
    startConversation: conversations.startConversation,
    renameConversation: conversations.renameConversation,
    ...createDeletion({ ...parts, onDeleted }),
    ...createAttachments(parts),
    ...createRatings(parts),
    accept: createAccept({ ...parts, runs, finish }),
    claim: runs.claim,
    requeue: runs.requeue,
    intend: runs.intend,
    bind: runs.bind,
    writeTexts: runs.writeTexts,
    orphans: runs.orphans,
    ...createActions({ ...parts, runs }),
    finish,
    ...createReads(parts),
    ...createLog(parts),
    trimMessages({ writtenBefore }) {
      const count = removal.trimMessages(writtenBefore)
      if (count > 0) onRemoved()
      return count
    },
    trimLog(args) {
      const gone = trim(args)
      if (gone.trimmed.length > 0) onRemoved()
      return gone
    },
    takeOwed: outbox.takeOwed,
    settleOwed: outbox.settleOwed,
    postponeOwed: outbox.postponeOwed,
    nextOwed: outbox.nextOwed,
    ...createIsolation(db),
    ping: ({ at }) => void touch.run(at),
  }
  return { table, events, removal }
}
