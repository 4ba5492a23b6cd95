import { createHash } from 'node:crypto'
import { isPlain } from '../lib/plain.ts'

/** Values of a row, in the order of the columns of its table. */
export type TransferRow = readonly (string | number | null)[]

/** A table of a store that is carried to another engine: its columns, and which of them name a row. */
export interface TransferTable {
  readonly columns: readonly string[]
  readonly key: readonly string[]
}

/**
 * What a store holds, as its tables are in PostgreSQL: rows of a session have the session's number and one of their own. Leases
 * are left out, since nobody holds one while a store is carried.
 */
export const transferTables = {
  sessions: table(
    'id',
    'id key name generation last_row last_seq last_check trimmed_seq trimmed_check trimmed_running told_seq told_check told_running deleted_at created_at',
  ),
  conversations: table(
    'session id',
    'session id key assistant used origin account strategy upstream generation reset_pending freed_at created_at last_used_at title titled_at first_words first_message start_key start_digest cleared_seq trimmed_seq',
  ),
  messages: table(
    'session id',
    'session id key conversation reply role text attachments images extras rating source created_at',
  ),
  replies: table(
    'session id',
    'session id key conversation answer status step rank chat revisions usage follow_ups question omitted tool_calls action_expires_at tool_outputs explanation context_reset failure upstream_cancelled interrupted started_seq ended_seq trimmed created_at started_at ended_at',
  ),
  texts: table('session reply kind start', 'session reply kind start length text'),
  events: table('session seq', 'session seq check reply type payload running'),
  idempotency: table('session key', 'session key digest reply'),
  bindings: table(
    'origin account upstream',
    'origin account upstream session conversation strategy used_at tainted_at deletion_owed',
  ),
  attachments: table(
    'session key',
    'session key assistant origin account upstream name media_type bytes created_at used_at forgotten',
  ),
  isolation: table('assistant strategy', 'assistant strategy proof breach'),
  outbox: table(
    'id',
    'id session place session_name type assistant origin account strategy upstream chat attempts owed_since due_at',
  ),
} as const satisfies Readonly<Record<string, TransferTable>>
export type TransferTableName = keyof typeof transferTables
export const transferTableNames = Object.keys(transferTables).filter(isTransferTable)

export function isTransferTable(name: unknown): name is TransferTableName {
  return typeof name === 'string' && Object.hasOwn(transferTables, name)
}

function table(key: string, columns: string): TransferTable {
  return { key: key.split(' '), columns: columns.split(' ') }
}

/** How many rows there are, and what they are: the same for the same rows in any order. */
export interface Total {
  readonly rows: number
  readonly digest: string
}
export type Totals = Readonly<Record<TransferTableName, Total>>

/** Counts rows. Their digests are added, so that no engine has to sort texts as another one does. */
export class Tally {
  #rows = 0
  #sum = 0n

  add(row: TransferRow): void {
    this.#rows += 1
    const digest = createHash('sha256').update(JSON.stringify(row)).digest('hex')
    this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${digest}`))
  }

  get total(): Total {
    return { rows: this.#rows, digest: this.#sum.toString(16).padStart(64, '0') }
  }
}

/** The lines of a transfer file: a head, rows of one table after another, and the totals. */
export type TransferLine =
  | { readonly type: 'store'; readonly version: 1; readonly sessionKeyCheck: string }
  | {
      readonly type: 'rows'
      readonly table: TransferTableName
      readonly rows: readonly TransferRow[]
    }
  | { readonly type: 'end'; readonly totals: Totals }

/** A file that is no transfer file, or not all of one. The message says which. */
export class TransferError extends Error {
  override readonly name = 'TransferError'
}

/** The first table whose rows are not those of the other side, in words; undefined: all are. */
export function differenceOf(source: Totals, target: Totals): string | undefined {
  const name = transferTableNames.find(
    (one) => source[one].rows !== target[one].rows || source[one].digest !== target[one].digest,
  )
  if (name === undefined) return undefined
  const { [name]: had } = source
  const { [name]: has } = target
  return `the rows of ${name} are not those that were exported: ${had.rows} rows with the digest ${had.digest}, and ${has.rows} with ${has.digest}`
}

/** @throws {@link TransferError} for what is no line of a transfer file */
export function parseTransferLine(text: string, number: number): TransferLine {
  try {
    const line: unknown = JSON.parse(text)
    if (isTransferLine(line)) return line
  } catch {
    // What the parser says quotes the text, and so what somebody said.
  }
  throw new TransferError(`line ${number} is not of a store that was exported by this version`)
}

function isTransferLine(line: unknown): line is TransferLine {
  if (!isPlain(line)) return false
  const { type, version, sessionKeyCheck, table: name, rows, totals } = line
  if (type === 'store') return version === 1 && typeof sessionKeyCheck === 'string'
  if (type === 'rows')
    return isTransferTable(name) && Array.isArray(rows) && rows.every(Array.isArray)
  return (
    type === 'end' && isPlain(totals) && transferTableNames.every((one) => isPlain(totals[one]))
  )
}
