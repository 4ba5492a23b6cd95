import { integer, type StoredRow } from '../engine/columns.ts'
import { StoreOpenError } from '../store.ts'
import {
  differenceOf,
  Tally,
  type Totals,
  TransferError,
  type TransferLine,
  type TransferRow,
  type TransferTableName,
  transferTableNames,
  transferTables,
} from '../transfer.ts'
import { Database, type DatabaseOptions } from './database.ts'
import { hasLiving, type LivingOptions } from './living.ts'
import { prepareDatabase, versionsOf } from './migration.ts'
import { list, type Sql, sql, raw } from './sql.ts'
import { encodeText } from './values.ts'

/** Rows that are read back at once. */
const maxRows = 1_000

/** Nobody waits for one of many statements that each write many rows. */
const answerMs = 600_000

export interface ImportOptions extends DatabaseOptions, LivingOptions {
  readonly sessionKeyCheck: string
}

type Query = (statement: Sql) => Promise<readonly StoredRow[]>

/**
 * Writes the lines of a store into an empty database, in one transaction: all of it is there afterwards, or nothing. The
 * rows are read back, counted and digested before that, and must be those of the source.
 * @throws {@link StoreOpenError} where the database is not empty, or of another session key, and {@link TransferError}
 */
export async function importIntoPostgres(
  options: ImportOptions,
  lines: AsyncIterable<TransferLine>,
): Promise<Totals> {
  await using db = new Database({ ...options, answerMs })
  // Before anything is changed.
  const isNew = (await versionsOf(options)).stored === 0
  if (!isNew && (await hasLiving((statement) => db.query(statement), options))) throw inUse()
  await prepareDatabase(options, options.sessionKeyCheck)
  let totals: Totals | undefined
  await db.transaction(async (query) => {
    await takeEmpty(query)
    const source = await writeLines(query, lines, options.sessionKeyCheck)
    await query(sql`
      SELECT setval(pg_get_serial_sequence('sessions', 'id'), greatest((SELECT max(id) FROM sessions), 1))::text`)
    totals = await readBack(query)
    const difference = differenceOf(source, totals)
    if (difference !== undefined) throw new TransferError(`nothing was imported: ${difference}`)
  })
  if (totals === undefined) throw new TypeError('a transaction was done without its work')
  return totals
}

const inUse = () => new StoreOpenError('a gateway has the database: stop it')

/** Nobody else writes until the transaction ends. */
async function takeEmpty(query: Query): Promise<void> {
  const names = list(transferTableNames.map((name) => raw(name)))
  await query(sql`LOCK TABLE ${names} IN EXCLUSIVE MODE`)
  const [gateway] = await query(sql`SELECT name FROM instance LIMIT 1`)
  if (gateway !== undefined) throw inUse()
  const counts = transferTableNames.map(
    (name) => sql`SELECT ${name} AS name WHERE EXISTS (SELECT FROM ${raw(name)})`,
  )
  const [full] = await query(list(counts, ' UNION ALL '))
  if (full === undefined) return
  throw new StoreOpenError(`the database has ${String(full['name'])} already: choose an empty one`)
}

/** Returns the totals that the source says of itself. */
async function writeLines(
  query: Query,
  lines: AsyncIterable<TransferLine>,
  sessionKeyCheck: string,
): Promise<Totals> {
  let hasHead = false
  for await (const line of lines) {
    if (line.type === 'end') return line.totals
    if (line.type === 'rows') {
      if (!hasHead) throw new TransferError('the file does not begin with a store')
      await write(query, line.table, line.rows)
      continue
    }
    if (line.sessionKeyCheck !== sessionKeyCheck) {
      throw new StoreOpenError(
        'the store was exported under another session key: configure that key, or nobody would find their session',
      )
    }
    hasHead = true
  }
  throw new TransferError('the file ends too early: export the store again')
}

async function write(
  query: Query,
  table: TransferTableName,
  rows: readonly TransferRow[],
): Promise<void> {
  const { columns } = transferTables[table]
  const encoded = rows.map((row) =>
    Object.fromEntries(
      columns.map((column, index) => {
        const value = row[index] ?? null
        return [column, typeof value === 'string' ? encodeText(value) : value]
      }),
    ),
  )
  await query(sql`
    INSERT INTO ${raw(table)} (${namesOf(columns)}) OVERRIDING SYSTEM VALUE
    SELECT ${namesOf(columns)} FROM json_populate_recordset(NULL::${raw(table)}, ${JSON.stringify(encoded)})`)
}

async function readBack(query: Query): Promise<Totals> {
  const totals: Partial<Record<TransferTableName, Totals[TransferTableName]>> = {}
  for (const table of transferTableNames) {
    const tally = new Tally()
    for await (const row of rowsOf(query, table)) tally.add(row)
    totals[table] = tally.total
  }
  return totals as Totals
}

async function* rowsOf(query: Query, table: TransferTableName): AsyncGenerator<TransferRow> {
  const { columns, key } = transferTables[table]
  const order = namesOf(key)
  let after: StoredRow | undefined
  for (;;) {
    const last = after
    const where =
      last === undefined
        ? sql``
        : sql`WHERE (${order}) > (${list(key.map((name) => valueOf(last[name])))})`
    const found = await query(sql`
      SELECT ${namesOf(columns)} FROM ${raw(table)} ${where} ORDER BY ${order} LIMIT ${maxRows}`)
    for (const row of found) yield columns.map((column) => valueOf(row[column]))
    after = found.at(-1)
    if (found.length < maxRows) return
  }
}

/** A column may have the name of a word of SQL. */
const namesOf = (columns: readonly string[]) => raw(columns.map((one) => `"${one}"`).join(', '))

function valueOf(value: unknown): string | number | null {
  return typeof value === 'string' || value === null ? value : integer(value)
}
