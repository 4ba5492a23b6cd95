import type { DatabaseSync } from 'node:sqlite'
import type { NewId } from '../../../lib/id.ts'
import { integer, integerOrNull, string, stringOrNull } from '../../engine/columns.ts'
import {
  Tally,
  type Totals,
  type TransferLine,
  type TransferRow,
  type TransferTableName,
  transferTableNames,
  transferTables,
} from '../../transfer.ts'
import type { Row } from './columns.ts'
import { openDatabase, type WorkerOptions } from './database.ts'
import { maxSeq, seqBits } from './events.ts'
import { createTable } from './table.ts'
import { checkPlaced, createTexts, DamagedTextError, selectPlaced } from './texts.ts'

/** Rows of one line, and characters after which it ends. */
const maxRows = 500
const maxLength = 256 * 1024

/**
 * The lines of everything that a file holds. No gateway has the file meanwhile. What was deleted and not yet swept is swept
 * first, and every text is checked.
 * @throws {@link StoreOpenError} when the file cannot be opened, or {@link DamagedTextError}
 */
export async function* exportSqlite(
  options: WorkerOptions,
  newId: NewId,
): AsyncGenerator<TransferLine, void, undefined> {
  const { db } = await openDatabase(options, newId)
  try {
    sweep(db, newId)
    yield { type: 'store', version: 1, sessionKeyCheck: options.sessionKeyCheck }
    const totals: Partial<Record<TransferTableName, Totals[TransferTableName]>> = {}
    for (const table of transferTableNames) {
      const tally = new Tally()
      yield* linesOf(table, rowsOf(db, table), tally)
      totals[table] = tally.total
    }
    yield { type: 'end', totals: totals as Totals }
  } finally {
    db.close()
  }
}

function sweep(db: DatabaseSync, newId: NewId): void {
  const nobody = () => {}
  const { erasure, removal } = createTable({
    db,
    newId,
    now: () => 0,
    onDeleted: nobody,
    onRemoved: nobody,
  })
  for (let hasMore = true; hasMore;) {
    db.exec('BEGIN')
    hasMore = erasure.sweep() !== undefined || removal.sweep()
    db.exec('COMMIT')
  }
}

function* linesOf(
  table: TransferTableName,
  all: Iterable<TransferRow>,
  tally: Tally,
): Generator<TransferLine> {
  let rows: TransferRow[] = []
  let length = 0
  for (const row of all) {
    tally.add(row)
    rows.push(row)
    for (const value of row) if (typeof value === 'string') length += value.length
    if (rows.length < maxRows && length < maxLength) continue
    yield { type: 'rows', table, rows }
    rows = []
    length = 0
  }
  if (rows.length > 0) yield { type: 'rows', table, rows }
}

/** Columns that have another name or form in a file. Numbers of rows stay what they are, as running lists name them. */
const selects: Readonly<Record<TransferTableName, string>> = {
  // Whatever is numbered later in a session has a number that none of its rows ever had.
  sessions: `
    SELECT s.*, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name IN ('conversations', 'messages', 'outbox')) AS last_row,
      coalesce(l.id & ${maxSeq}, s.trimmed_seq) AS last_seq, coalesce(l."check", s.trimmed_check) AS last_check,
      (SELECT min(deleted_at) FROM deletions d WHERE d.session = s.id) AS deleted_at
    FROM sessions s LEFT JOIN events l ON l.id = (
      SELECT e.id FROM events e WHERE e.id > (s.id << ${seqBits}) AND e.id <= ((s.id << ${seqBits}) | ${maxSeq})
      ORDER BY e.id DESC LIMIT 1)
    ORDER BY s.id`,
  conversations: 'SELECT * FROM conversations ORDER BY id',
  messages: `
    SELECT id, key, session, conversation, coalesce(reply, id) AS reply, role, attachments, images_length, rating, source, created_at
    FROM messages ORDER BY id`,
  replies: 'SELECT * FROM replies ORDER BY id',
  texts: `
    SELECT r.session, t.* FROM (${selectPlaced}) t JOIN replies r ON r.id = t.reply
    WHERE t.kind < 2 ORDER BY t.reply, t.kind, t.start`,
  events: `
    SELECT id >> ${seqBits} AS session, id & ${maxSeq} AS seq, "check", reply, type, payload, running FROM events ORDER BY id`,
  idempotency: 'SELECT * FROM idempotency',
  bindings: `
    SELECT b.origin, b.account, b.upstream, b.session, b.conversation, b.used_at, b.tainted_at, b.deletion_owed,
      coalesce(b.strategy, c.strategy, 'workflow') AS strategy
    FROM bindings b LEFT JOIN conversations c ON c.id = b.conversation`,
  attachments: 'SELECT * FROM attachments ORDER BY id',
  isolation: 'SELECT * FROM isolation',
  outbox: 'SELECT *, id AS place FROM outbox ORDER BY id',
}

function* rowsOf(db: DatabaseSync, table: TransferTableName): Generator<TransferRow> {
  const texts = createTexts(db)
  const { columns } = transferTables[table]
  /** Where the text ends of which a row was read last. */
  let read = { reply: 0, kind: 0, end: 0 }
  for (const found of db.prepare(selects[table]).iterate()) {
    const whole =
      table === 'messages' ? { ...found, ...partsOf(found) } : { ...found, ...own(found) }
    yield columns.map((column) => valueOf(whole[column]))
  }

  /** Texts of a user lie beside those of the reply: what was said, then image addresses and what else came with it. */
  function partsOf(message: Row): Record<string, string | null> {
    if (message['role'] !== 'USER') return { text: null, images: null, extras: null }
    const row = integer(message['id'])
    const extras = texts.read(row, 'extras')
    const length = integer(message['images_length'])
    return {
      text: texts.read(row, 'message'),
      images: length === 0 ? null : extras.slice(0, length),
      extras: extras.length === length ? null : extras.slice(length),
    }
  }

  function own(found: Row): Record<string, string | number> {
    if (table === 'outbox') return { id: String(found['id']) }
    if (table !== 'texts') return {}
    checkPlaced(found)
    const reply = integer(found['reply'])
    const kind = integer(found['kind'])
    const start = integer(found['start'])
    const { length } = string(found['text'])
    const isNext = reply === read.reply && kind === read.kind
    if (start !== (isNext ? read.end : 0)) throw new DamagedTextError()
    read = { reply, kind, end: start + length }
    return { length }
  }
}

function valueOf(value: unknown): string | number | null {
  if (typeof value === 'string') return stringOrNull(value)
  return integerOrNull(value ?? null)
}
