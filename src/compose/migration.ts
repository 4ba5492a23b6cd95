import type { Config } from '../config/config.ts'
import { systemClock } from '../lib/clock.ts'
import { createSessionNamer } from '../session/namer.ts'
import { StoreOpenError } from '../store/store.ts'

/** Brings the tables of a configuration's database to the version of this program. @throws {@link StoreOpenError} */
export async function migrateStore(config: Config): Promise<void> {
  const { prepareDatabase } = await import('../store/postgres/migration.ts')
  const { keyCheck } = createSessionNamer(config.session)
  const { deadAfterMs } = config.postgres
  const options = { ...databaseOf(config), clock: systemClock, deadAfterMs }
  await inWords(() => prepareDatabase(options, keyCheck))
}

/** The versions of its tables, and of those that this program makes. Writes nothing. @throws {@link StoreOpenError} */
export async function storeVersions(
  config: Config,
): Promise<{ readonly stored: number; readonly own: number }> {
  const { versionsOf } = await import('../store/postgres/migration.ts')
  return await inWords(() => versionsOf(databaseOf(config)))
}

function databaseOf({ store, postgres }: Config) {
  if (store.engine !== 'postgres') {
    throw new StoreOpenError(
      'a SQLite file is brought up to date by the first start: "store" names no server',
    )
  }
  return { url: store.url, password: postgres.password?.reveal(), maxConnections: 1 }
}

async function inWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof StoreOpenError || !(cause instanceof Error)) throw cause
    throw new StoreOpenError(`the database cannot be used: ${cause.message}`, { cause })
  }
}
