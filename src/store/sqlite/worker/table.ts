import type { DatabaseSync } from 'node:sqlite'
import type { NewId } from '../../../lib/id.ts'
import { createAccept } from './accept.ts'
import { createClaims } from './claims.ts'
import { createRuns } from './runs.ts'
import { createSessionRecords } from './records.ts'
import { createBindings, createIsolation } from './bindings.ts'
import { durabilityOf } from './database.ts'
import { createDeletion } from './deletion.ts'
import { createErasure, type SessionErasure } from './erasure.ts'
import { createEvents, type Events } from './events.ts'
import { createFinish } from './finish.ts'
import { createLog } from './log.ts'
import { createOutbox } from './outbox.ts'
import { createPages } from './pages.ts'
import { createReads } from './reads.ts'
import { createRemoval, type RowRemoval } from './removal.ts'
import { createSessionRows } from './sessions.ts'
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
  readonly removal: RowRemoval
  readonly erasure: SessionErasure
}

/** Who answers which call. */
export function createTable({ db, newId, now, onDeleted, onRemoved }: TableParts): Tables {
  const sessions = createSessionRows(db)
  const texts = createTexts(db)
  const events = createEvents(db, newId)
  const bindings = createBindings(db)
  const outbox = createOutbox(db)
  const durability = durabilityOf(db)
  const records = createSessionRecords({ db, sessions, texts })
  const parts = { db, sessions, texts, events, bindings, outbox, records, newId, now }
  const claims = createClaims(parts)
  const runs = createRuns(parts)
  const finish = createFinish({ ...parts, claims, runs })
  const removal = createRemoval(parts)
  const deletion = createDeletion({ ...parts, onDeleted })
  const erasure = createErasure({ ...parts, deletion, onDeleted })
  const trim = createTrim(parts)
  const touch = db.prepare(
    `INSERT INTO meta (name, value) VALUES ('ping', ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
  )
  const table: Table = {
    openSession: sessions.openSession,
    startConversation: records.startConversation,
    renameConversation: records.renameConversation,
    addAttachment: records.addAttachment,
    rateAnswer: records.rateAnswer,
    clearConversation: deletion.clearConversation,
    deleteConversation: deletion.deleteConversation,
    eraseSession: (args) => erasure.eraseSession(args),
    accept: createAccept({ ...parts, claims, finish }),
    claim: claims.claim,
    requeue: runs.requeue,
    intend: runs.intend,
    bind: runs.bind,
    writeTexts: runs.writeTexts,
    orphans: claims.orphans,
    // Nobody else has the file.
    handOver() {},
    isHeld: () => true,
    takeWaiting: () => undefined,
    takeDuty: () => true,
    follow: () => [],
    requireAction: runs.requireAction,
    takeToolOutputs: runs.takeToolOutputs,
    finish,
    ...createReads(parts),
    ...createPages(parts),
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
    durability: () => durability,
  }
  return { table, events, removal, erasure }
}
