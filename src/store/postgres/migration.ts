import { type StoredRow, string } from '../engine/columns.ts'
import { StoreOpenError } from '../store.ts'
import { Database, type DatabaseOptions } from './database.ts'
import { hasLiving, type LivingOptions } from './living.ts'
import { migrations } from './schema.ts'
import { type Sql, sql, raw } from './sql.ts'

/** 'CozG': all who start at once ask for this lock, so that one of them brings the tables up to date. */
const lock = 0x436f7a47

/** A migration may take hours: the longest time that a timer has. */
const limitMs = 2 ** 31 - 1

/** The version of the tables that this program makes. */
const ownVersion = migrations.length

type Query = (statement: Sql) => Promise<readonly StoredRow[]>

export type MigrationOptions = DatabaseOptions & LivingOptions

/**
 * Each version lets the one before it serve, and no older one: where the tables are older than that, no gateway may have them
 * that would go on.
 */
async function refuseOlder(options: MigrationOptions): Promise<void> {
  const isOlder = async () => {
    const { stored, own } = await versionsOf(options)
    return stored !== 0 && stored < own - 1
  }
  if (!(await isOlder())) return
  await using db = new Database(options)
  // One that has just brought them up to date lives as well.
  if ((await hasLiving((statement) => db.query(statement), options)) && (await isOlder())) {
    throw new StoreOpenError(
      'gateways of an older version have the database: upgrade them one version at a time, or stop them',
    )
  }
}

/**
 * Brings the tables to this version, and compares the digest of the session key with the stored one. Tables of the next
 * version are left as they are: each version lets the one before it serve, so that instances are replaced one by one.
 * @throws {@link StoreOpenError}
 */
export async function prepareDatabase(
  options: MigrationOptions,
  sessionKeyCheck: string,
): Promise<void> {
  await refuseOlder(options)
  await using db = new Database({ ...options, maxConnections: 1, answerMs: limitMs })
  await db.transaction(async (query) => {
    await query(sql`SELECT pg_advisory_xact_lock(${lock})::text`)
    const version = await readVersion(query)
    if (version > ownVersion + 1) {
      throw new StoreOpenError(
        'the database was written by a newer gateway: run that one, or choose another database',
      )
    }
    for (const entry of migrations.slice(version)) await query(raw(entry))
    await query(sql`
      INSERT INTO meta (name, value)
      VALUES ('version', ${String(Math.max(version, ownVersion))}), ('session-key', ${sessionKeyCheck})
      ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.name = 'version'`)
    const [stored] = await query(sql`SELECT value FROM meta WHERE name = 'session-key'`)
    if (string(stored?.['value']) !== sessionKeyCheck) {
      throw new StoreOpenError(
        'the database was created with another session key: restore that key, or choose another database',
      )
    }
  })
}

/** The versions of the tables: as they are, 0 where there are none, and as this program makes them. Writes nothing. */
export async function versionsOf(
  options: DatabaseOptions,
): Promise<{ readonly stored: number; readonly own: number }> {
  await using db = new Database(options)
  return { stored: await readVersion((statement) => db.query(statement)), own: ownVersion }
}

async function readVersion(query: Query): Promise<number> {
  const [tables] = await query(
    sql`SELECT (to_regclass('meta') IS NOT NULL)::int AS meta, (to_regclass('sessions') IS NOT NULL)::int AS sessions`,
  )
  if (tables?.['meta'] !== tables?.['sessions']) {
    throw new StoreOpenError(
      'the database has tables that are not of this gateway: choose another database',
    )
  }
  if (tables?.['meta'] === 0) return 0
  const [found] = await query(sql`SELECT value FROM meta WHERE name = 'version'`)
  return Number(found?.['value'] ?? 0)
}
