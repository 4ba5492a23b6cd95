import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StoreDurability } from '../../../domain/durability.ts'
import { StoreOpenError } from '../../store.ts'
import type { NewId } from '../../../lib/id.ts'
import { resultCode } from './failure.ts'
import { currentVersion, entriesOf, migrate } from './migration.ts'
import { integer, string } from '../../engine/columns.ts'

export const memoryFile = ':memory:'
/** 'CozG': tells our files from other SQLite databases. */
const applicationId = 0x436f7a47

/** What the worker is given at its start, as `workerData`. */
export interface WorkerOptions {
  readonly file: string
  readonly sessionKeyCheck: string
  readonly busyTimeoutMs: number
}

export interface OpenedDatabase {
  readonly db: DatabaseSync
  /** Replies that ran when it was last in use. */
  readonly running: number
  /** False: what earlier versions have deleted may still be in free places of the file. */
  readonly isRewritten: boolean
}

/** Opens the file for this process alone, looked at, and brought to the tables of this edition. @throws {@link StoreOpenError} */
export async function openDatabase(options: WorkerOptions, newId: NewId): Promise<OpenedDatabase> {
  const { file } = options
  if (file !== memoryFile) {
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      // Texts of users are in it: nobody else may read it. SQLite gives its side files the same mode.
      await (await open(file, 'a', 0o600)).close()
    } catch (cause) {
      throw new StoreOpenError(unreachable(file, cause), { cause })
    }
  }
  const db = new DatabaseSync(file, { timeout: options.busyTimeoutMs })
  try {
    return { db, ...prepare(db, options, newId) }
  } catch (error) {
    db.close()
    throw explain(error, file)
  }
}

function prepare(
  db: DatabaseSync,
  { file, sessionKeyCheck }: WorkerOptions,
  newId: NewId,
): Omit<OpenedDatabase, 'db'> {
  // Before the first access, so that the lock is taken for good and no shared memory is needed.
  db.exec('PRAGMA locking_mode = EXCLUSIVE')
  const version = pragma(db, 'user_version')
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
  if (!isEmpty && pragma(db, 'application_id') !== applicationId) {
    throw new StoreOpenError(`${file} is not a database of this gateway: choose another file`)
  }
  if (version > currentVersion) {
    throw new StoreOpenError(
      `${file} was written by a newer gateway: run that one, or another file`,
    )
  }
  db.exec(`
    PRAGMA journal_mode = WAL;
    -- COMMIT is the sync.
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA temp_store = MEMORY;
    -- A damaged page is an error, and not a page without what was asked for.
    PRAGMA cell_size_check = ON;
    -- What is deleted is overwritten.
    PRAGMA secure_delete = ON;
    BEGIN EXCLUSIVE;
  `)
  if (!hasTablesOf(db, isEmpty ? 0 : version)) {
    throw new StoreOpenError(halfMigrated(file, version))
  }
  look(db)
  migrate(db, isEmpty ? 0 : version, newId)
  db.exec(`PRAGMA user_version = ${currentVersion}; PRAGMA application_id = ${applicationId}`)
  checkKey(db, file, sessionKeyCheck)
  // Nobody holds a lease of an earlier process any more.
  const { changes } = db
    .prepare(`UPDATE replies SET fence = NULL WHERE status IN ('RUNNING', 'ACTION_REQUIRED')`)
    .run()
  db.exec('COMMIT')
  const isRewritten = rewrite(db, isEmpty)
  // A process that was killed leaves a log with what it had deleted.
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  return { running: Number(changes), isRewritten }
}

/**
 * Reads both ends of every table: what a copy that was broken off lacks shows there, however large the file is. All of it
 * is checked afterwards, beside the calls.
 */
function look(db: DatabaseSync): void {
  const names = db
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    .all()
  for (const { name } of names) {
    const keys = db
      .prepare(`SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`)
      .all(string(name))
      .map((key) => `"${string(key['name'])}"`)
    if (keys.length === 0) continue
    for (const order of ['ASC', 'DESC']) {
      const by = keys.map((key) => `${key} ${order}`).join(', ')
      db.prepare(`SELECT * FROM "${string(name)}" ORDER BY ${by} LIMIT 1`).get()
    }
  }
}

/**
 * Earlier versions left what they deleted in free places of the file: it is written anew, once. False: there was no room
 * for that, and the next opening tries it again.
 */
function rewrite(db: DatabaseSync, isNew: boolean): boolean {
  if (db.prepare(`SELECT 1 FROM meta WHERE name = 'rewritten'`).get() !== undefined) return true
  try {
    // In memory the copy would take as much of it as the file has.
    if (!isNew) db.exec('PRAGMA temp_store = FILE; VACUUM')
    db.exec(`INSERT INTO meta (name, value) VALUES ('rewritten', 1)`)
    return true
  } catch (error) {
    const code = resultCode(error)
    if (code !== 'full' && code !== 'io') throw error
    return false
  } finally {
    db.exec('PRAGMA temp_store = MEMORY')
  }
}

/**
 * Whether the file has every table, index and column of the version that it names. A copy that was broken off, or a
 * version that was set by hand, would else be found by whichever statement meets it first.
 */
function hasTablesOf(db: DatabaseSync, version: number): boolean {
  using expected = new DatabaseSync(memoryFile)
  for (const entry of entriesOf(version)) expected.exec(entry)
  const found = new Set(columnsOf(db))
  // Whatever else is in it was added by hand, and is in nobody's way.
  return columnsOf(expected).every((entry) => found.has(entry))
}

/** Every column of every table and index; not the text that made them, which may be laid out otherwise. */
function columnsOf(db: DatabaseSync): readonly string[] {
  const rows = db
    .prepare(
      `SELECT t.name AS owner, c.name, c.type, c."notnull", c.dflt_value, c.pk
         FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
       UNION ALL
       SELECT i.tbl_name || ' ' || i.name, c.name, c.seqno, c.desc, c.key, NULL
         FROM sqlite_schema i JOIN pragma_index_xinfo(i.name) c
         WHERE i.type = 'index' AND i.name NOT LIKE 'sqlite_%'`,
    )
    .all()
  return rows.map((row) => JSON.stringify(Object.values(row)))
}

function checkKey(db: DatabaseSync, file: string, sessionKeyCheck: string): void {
  db.prepare(`INSERT INTO meta (name, value) VALUES ('session-key', ?) ON CONFLICT DO NOTHING`).run(
    sessionKeyCheck,
  )
  const stored = db.prepare(`SELECT value FROM meta WHERE name = 'session-key'`).get()
  if (stored?.['value'] !== sessionKeyCheck) {
    throw new StoreOpenError(
      `${file} was created with another session key: restore that key, or choose another file`,
    )
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return integer(db.prepare(`PRAGMA ${name}`).get()?.[name])
}

export const damaged = (file: string) =>
  `the database ${file} is damaged: restore it from a backup, or choose another file`

const unusable = (file: string) =>
  `the database ${file} cannot be brought to this version: restore it from a backup, or choose another file`

const halfMigrated = (file: string, version: number) =>
  `${file} does not have the tables of its version ${version}, so it is half of a database: restore it from a backup, or choose another file`

/** The words of the system or of SQLite name what to mend, such as a full disk, and quote no content. */
const unreachable = (file: string, error: unknown) =>
  `the database ${file} cannot be read or written: ${error instanceof Error ? error.message : String(error)}`

function explain(error: unknown, file: string): StoreOpenError {
  switch (resultCode(error)) {
    case 'busy':
      return new StoreOpenError(`the database ${file} is in use by another gateway`, {
        cause: error,
      })
    case 'corrupt':
      return new StoreOpenError(damaged(file), { cause: error })
    case 'full':
    case 'io':
      return new StoreOpenError(unreachable(file, error), { cause: error })
    case 'other':
      return error instanceof StoreOpenError
        ? error
        : new StoreOpenError(unusable(file), { cause: error })
  }
}

/** What COMMIT has brought about when it returns. https://www.sqlite.org/pragma.html#pragma_synchronous */
export function durabilityOf(db: DatabaseSync): StoreDurability {
  const file = db.prepare(`SELECT file FROM pragma_database_list WHERE name = 'main'`).get()
  if (file?.['file'] === '') return { survives: 'none', because: 'the database is in memory' }
  const level = integer(db.prepare('PRAGMA synchronous').get()?.['synchronous'])
  return level >= 2
    ? { survives: 'disk', because: 'synchronous is FULL, on the one disk of the file' }
    : { survives: 'process', because: 'synchronous is less than FULL' }
}
