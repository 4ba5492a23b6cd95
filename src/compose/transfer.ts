import type { Config } from '../config/config.ts'
import { systemClock } from '../lib/clock.ts'
import { createRandomIds } from '../lib/id.ts'
import { createSessionNamer } from '../session/namer.ts'
import { StoreOpenError } from '../store/store.ts'
import type { Totals, TransferLine } from '../store/transfer.ts'

/** How long to wait for a gateway to let go of its file, in ms. */
const busyTimeoutMs = 5_000

/** All that the SQLite file of a configuration holds. @throws {@link StoreOpenError} */
export async function exportStore({
  store,
  session,
}: Config): Promise<AsyncIterable<TransferLine>> {
  if (store.engine !== 'sqlite' || store.file === ':memory:') {
    throw new StoreOpenError('only a SQLite file can be exported: "store" names none')
  }
  const { exportSqlite } = await import('../store/sqlite/worker/export.ts')
  const { keyCheck } = createSessionNamer(session)
  const options = { file: store.file, sessionKeyCheck: keyCheck, busyTimeoutMs }
  return exportSqlite(options, createRandomIds())
}

/** Writes it into the database of a configuration. @throws {@link StoreOpenError}, {@link TransferError} */
export async function importStore(
  { store, postgres, session }: Config,
  lines: AsyncIterable<TransferLine>,
): Promise<Totals> {
  if (store.engine !== 'postgres') {
    throw new StoreOpenError('a store is imported into PostgreSQL: "store" names no server')
  }
  const { importIntoPostgres } = await import('../store/postgres/import.ts')
  const { keyCheck } = createSessionNamer(session)
  const password = postgres.password?.reveal()
  const { deadAfterMs } = postgres
  const options = {
    url: store.url,
    password,
    maxConnections: 2,
    sessionKeyCheck: keyCheck,
    clock: systemClock,
    deadAfterMs,
  }
  return await importIntoPostgres(options, lines)
}
