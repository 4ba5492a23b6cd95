import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { Checked } from './file-check.ts'
import { resultCode } from './failure.ts'
import { checkPlaced, DamagedTextError, selectPlaced } from './texts.ts'

// Immutable: no lock is taken, and the write-ahead log is not looked at.
const url = pathToFileURL(String(workerData))
url.search = '?mode=ro&immutable=1'
using db = new DatabaseSync(url)
parentPort?.postMessage(checkFile(db) satisfies Checked)

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
