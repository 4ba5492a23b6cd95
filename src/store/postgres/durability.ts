import type { StoreDurability } from '../../domain/durability.ts'
import { integer, string } from '../engine/columns.ts'
import type { Database } from './database.ts'
import { sql } from './sql.ts'

/**
 * Asks the server for what its settings promise, and whether the standbys that a promise stands on receive what is written.
 * https://www.postgresql.org/docs/15/runtime-config-wal.html
 */
export async function durabilityOf(db: Database): Promise<StoreDurability> {
  // A user that may not see the states of standbys sees that there are some, with a state of null.
  const [found] = await db.query(sql`
    SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
      current_setting('synchronous_commit') AS commit, current_setting('synchronous_standby_names') AS names,
      (SELECT count(*)::int FROM pg_stat_replication
        WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) AS streaming,
      (SELECT count(*)::int FROM pg_stat_replication WHERE state IS NULL) AS hidden`)
  if (found === undefined) throw new TypeError('the server says nothing of its settings')
  if (found['fsync'] === 'off') return { survives: 'process', because: 'fsync is off' }
  if (found['pages'] === 'off') return { survives: 'process', because: 'full_page_writes is off' }
  const commit = string(found['commit'])
  if (commit === 'off') return { survives: 'process', because: 'synchronous_commit is off' }
  if (string(found['names']) === '') {
    return { survives: 'disk', because: 'synchronous_standby_names is empty' }
  }
  if (commit === 'local') return { survives: 'disk', because: 'synchronous_commit is local' }
  const streaming = integer(found['streaming'])
  if (streaming === 0 && integer(found['hidden']) === 0) {
    return { survives: 'disk', because: noStandby }
  }
  const standbys = streaming > 0 ? String(streaming) : 'hidden from this user'
  const because = `synchronous_commit is ${commit}; synchronous standbys that receive: ${standbys}`
  return { survives: 'failover', because }
}

const noStandby =
  'synchronous_standby_names names standbys, and none of them receives what is written, so that every write waits for one'
