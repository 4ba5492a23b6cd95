import { migrateStore, storeVersions } from '../compose/migration.ts'
import { type Options, readConfig } from './options.ts'

type Print = (text: string) => Promise<unknown>

/** Brings the tables up to date ahead of the first start, or says, and changes nothing, whether that start would. */
export async function runMigrate(options: Options, print: Print): Promise<0 | 1> {
  const config = readConfig(options)
  if (options['check'] !== true) await migrateStore(config)
  const { stored, own } = await storeVersions(config)
  const isOld = stored < own
  const outcome = isOld ? 'the next start changes the tables' : 'nothing is to be changed'
  await print(`tables of version ${stored}, gateway of version ${own}: ${outcome}\n`)
  return isOld ? 1 : 0
}
