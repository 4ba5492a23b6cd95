import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { Checked } from './file-check.ts'
import { checkFile } from './check.ts'

// Immutable: no lock is taken, and the write-ahead log is not looked at.
const url = pathToFileURL(String(workerData))
url.search = '?mode=ro&immutable=1'
using db = new DatabaseSync(url)
parentPort?.postMessage(checkFile(db) satisfies Checked)
