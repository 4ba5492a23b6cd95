import type { DatabaseSync } from 'node:sqlite'
import type { Checked } from './file-check.ts'
import { resultCode } from './failure.ts'
import { checkPlaced, DamagedTextError, selectPlaced } from './texts.ts'

/** Checks every page, every index against its table, and every digest. */
export function checkFile(db: DatabaseSync): Checked {
  try {
    // Not the quick one: an index that tells another thing than its table could show a session what is another's.
    const check = db.prepare('PRAGMA integrity_check(1)').get()
    if (check?.['integrity_check'] !== 'ok') return 'damaged'
    for (const row of db.prepare(selectPlaced).iterate()) checkPlaced(row)
    return 'ok'
  } catch (error) {
    if (error instanceof DamagedTextError || resultCode(error) === 'corrupt') return 'damaged'
    throw error
  }
}
