import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openPostgresStore } from '../../src/store/postgres/store.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { startStandby } from '../kit/process/standby.ts'
import { until } from '../kit/process/until.ts'

const common = {
  clock: systemClock,
  logger: silentLogger,
  metrics: uncounted,
  sessionKeyCheck: 'check',
}

/** Changes the settings of a server that runs. */
async function setUp(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  for (const statement of [...statements, 'SELECT pg_reload_conf()']) await client.query(statement)
  await client.end()
}

describe('P10: what an acknowledged message survives', () => {
  it('is told of a file and of memory', async () => {
    const file = join(tmpdir(), `durability-${randomUUID()}.db`)
    {
      await using store = await openSqliteStore({ ...common, file })
      expect(await store.durability()).toMatchObject({ survives: 'disk' })
      await using forgetful = await openSqliteStore({ ...common, file: ':memory:' })
      expect(await forgetful.durability()).toMatchObject({ survives: 'none' })
    }
    await rm(file)
  })

  it('follows the settings of a PostgreSQL server', async () => {
    await using server = await startPostgres(['fsync=on'])
    const url = await server.newDatabase()
    await using store = await openPostgresStore({ ...common, url })
    // A statement reads the settings that its connection has been told of by then.
    const found = (because: string) =>
      until(async () => (await store.durability()).because === because, because)
    await found('synchronous_standby_names is empty')
    expect(await store.durability()).toMatchObject({ survives: 'disk' })
    for (const setting of ['full_page_writes', 'synchronous_commit']) {
      await setUp(url, `ALTER SYSTEM SET ${setting} = off`)
      await found(`${setting} is off`)
      expect(await store.durability()).toMatchObject({ survives: 'process' })
      await setUp(url, `ALTER SYSTEM RESET ${setting}`)
    }
  })

  it('is a crash of the gateway alone where the server does not sync', async () => {
    await using server = await startPostgres(['fsync=off'])
    await using store = await openPostgresStore({ ...common, url: await server.newDatabase() })
    expect(await store.durability()).toEqual({ survives: 'process', because: 'fsync is off' })
  })

  it('is a failover while a synchronous standby receives what is written', async () => {
    await using server = await startPostgres(['fsync=on'])
    const url = await server.newDatabase()
    const other = await server.newDatabase()
    await setUp(other, 'CREATE ROLE gateway LOGIN', 'ALTER SCHEMA public OWNER TO gateway')
    // A user that may not see the states of standbys.
    const asGateway = other.replace('//postgres@', '//gateway@')
    await using store = await openPostgresStore({ ...common, url })
    await using plain = await openPostgresStore({ ...common, url: asGateway })
    // A write that waits for a standby would hold up the end of the stores.
    await using _writable = {
      [Symbol.asyncDispose]: () => setUp(url, 'ALTER SYSTEM RESET synchronous_standby_names'),
    }
    await using standby = await startStandby(server.port, 'second')
    expect(await store.durability()).toMatchObject({ survives: 'disk' })
    await setUp(url, `ALTER SYSTEM SET synchronous_standby_names = 'second'`)
    const survives = async () => (await store.durability()).survives
    await until(async () => (await survives()) === 'failover', 'the standby to be synchronous')
    expect(await store.durability()).toEqual({
      survives: 'failover',
      because: 'synchronous_commit is on; synchronous standbys that receive: 1',
    })
    expect(await plain.durability()).toEqual({
      survives: 'failover',
      because: 'synchronous_commit is on; synchronous standbys that receive: hidden from this user',
    })
    await standby.crash()
    await until(async () => (await survives()) === 'disk', 'the lost standby to be noticed')
    expect(await store.durability()).toMatchObject({
      because: expect.stringContaining('every write waits'),
    })
  })
})
