import { string } from '../engine/columns.ts'
import type { Database } from './database.ts'
import { sql } from './sql.ts'

/** What an acknowledged message survives: the end of this process, of the server's too, or of the server's machine. */
export type Durability = 'process' | 'disk' | 'failover'

/** Asks the server for what its settings promise. */
export async function durabilityOf(db: Database): Promise<Durability> {
  const [found] = await db.query(sql`
    SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
      current_setting('synchronous_standby_names') AS standbys`)
  const commit = string(found?.['commit'])
  if (found?.['fsync'] === 'off' || commit === 'off') return 'process'
  const isCopied = commit !== 'local' && string(found?.['standbys']) !== ''
  return isCopied ? 'failover' : 'disk'
}
