import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { access, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { exportStore, importStore } from '../compose/transfer.ts'
import { errorCode } from '../lib/error-code.ts'
import { StoreOpenError } from '../store/store.ts'
import {
  parseTransferLine,
  type Totals,
  TransferError,
  type TransferLine,
  transferTableNames,
} from '../store/transfer.ts'
import { type Options, readConfig, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

type Print = (text: string) => Promise<unknown>

/** Writes all that the SQLite file holds into a file, which is whole or not there, and prints what is in it. */
export async function runExportStore(options: Options, print: Print): Promise<0> {
  const path = fileOf(options)
  const config = readConfig(options)
  if (config.store.engine === 'sqlite') await checkThere(config.store.file)
  const lines = await exportStore(config)
  // Texts of users are in it: nobody else may read it.
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  await once(file, 'open').catch((error: unknown) => {
    throw new UsageError(`${path} cannot be made${errorCode(error)}: name a new file`)
  })
  let totals: Totals | undefined
  try {
    for await (const line of lines) {
      if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain')
      if (line.type === 'end') totals = line.totals
    }
    file.end()
    await finished(file)
  } catch (error) {
    file.destroy()
    await rm(path, { force: true })
    throw error
  }
  await print(tableOf(totals))
  return 0
}

/** Writes a file that was exported into the database, all of it or nothing, and prints what is there. */
export async function runImportStore(options: Options, print: Print): Promise<0> {
  const path = fileOf(options)
  const config = readConfig(options)
  await checkThere(path)
  await print(tableOf(await importStore(config, readLines(path))))
  return 0
}

async function* readLines(path: string): AsyncGenerator<TransferLine, void, undefined> {
  let number = 0
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Infinity,
  })) {
    number += 1
    yield parseTransferLine(line, number)
  }
}

function fileOf(options: Options): string {
  const path = valueOf(options, 'file')
  if (path === undefined) throw new UsageError('which file? Use --file FILE')
  return path
}

async function checkThere(path: string): Promise<void> {
  await access(path).catch((error: unknown) => {
    throw new StoreOpenError(`${path} cannot be read${errorCode(error)}`)
  })
}

function tableOf(totals: Totals | undefined): string {
  if (totals === undefined) throw new TransferError('the store ends without its totals')
  const rows = transferTableNames.map((name) => {
    const { rows: count, digest } = totals[name]
    return `${name.padEnd(14)}${String(count).padStart(12)} rows  ${digest}`
  })
  return `${rows.join('\n')}\n`
}
