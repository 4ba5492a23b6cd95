import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMigrate } from '../../src/cli/migrate.ts'
import { prepareDatabase } from '../../src/store/postgres/migration.ts'
import { migrations } from '../../src/store/postgres/schema.ts'
import { completed, finish, openSession, runReply } from '../kit/fakes/stored-replies.ts'
import { ask, openInstance, openStore } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const versionIn = async (url: string) =>
  Number((await ask(url, `SELECT value FROM meta WHERE name = 'version'`))[0]?.['value'])
const own = migrations.length

describe('an upgrade of several gateways on PostgreSQL, one by one', () => {
  it('lets one of the version before start and serve on tables of the next version, and leaves them so', async () => {
    const url = await server.newDatabase()
    await (await openStore(url))[Symbol.asyncDispose]()
    await ask(url, `UPDATE meta SET value = '${own + 1}' WHERE name = 'version'`)
    for (const table of ['sessions', 'conversations', 'messages', 'replies', 'texts', 'events']) {
      await ask(url, `ALTER TABLE ${table} ADD COLUMN of_the_next_version text DEFAULT ''`)
    }
    await using store = await openStore(url)
    const run = await runReply(store, await openSession(store.ledger))
    expect(await finish(run, completed('said'))).toMatchObject({ type: 'finished' })
    expect(await versionIn(url)).toBe(own + 1)
    await ask(url, `UPDATE meta SET value = '${own + 2}' WHERE name = 'version'`)
    await expect(openStore(url)).rejects.toThrow('newer gateway')
  })

  /** What the version before could not live with, or what would hold up its writes. */
  const disturbs = (migration: string): readonly string[] => {
    const statements = migration
      .replaceAll(/--[^\n]*/g, '')
      .split(';')
      .map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
      .filter((statement) => statement !== '')
    const made = new Set(statements.flatMap((one) => /^CREATE TABLE (\w+)/.exec(one)?.[1] ?? []))
    return statements.filter((one) => {
      const indexed = /^CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)/.exec(one)?.[1]
      if (indexed !== undefined) return !made.has(indexed)
      const isColumn = /^ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL(?!.* DEFAULT))/.test(one)
      return !isColumn && !one.startsWith('CREATE TABLE ')
    })
  }

  it('needs versions that only add what the one before does without, from the third on', () => {
    expect(
      disturbs(`
        CREATE TABLE new (id text PRIMARY KEY); -- Why; and how.
        CREATE INDEX new_by_id ON new (id);
        ALTER TABLE replies ADD COLUMN note text;
        ALTER TABLE replies ADD COLUMN count integer NOT NULL DEFAULT 0`),
    ).toEqual([])
    for (const bad of [
      'ALTER TABLE replies ADD COLUMN count integer NOT NULL',
      'ALTER TABLE replies DROP COLUMN chat',
      'ALTER TABLE replies RENAME COLUMN chat TO talk',
      'CREATE INDEX replies_by_chat ON replies (chat)',
      `UPDATE replies SET chat = ''`,
    ]) {
      expect(disturbs(bad)).toEqual([bad])
    }
    expect(migrations.slice(2).flatMap(disturbs)).toEqual([])
  })

  it('is not changed by a version that those who serve could not live with', async () => {
    const url = await server.newDatabase()
    await using running = await openInstance(url)
    await ask(url, `UPDATE meta SET value = '1' WHERE name = 'version'`)
    const deadAfterMs = 500
    const prepare = () => {
      const clock = { sleep: () => running.beat() }
      const options = { url, password: undefined, maxConnections: 1, clock, deadAfterMs }
      return prepareDatabase(options, 'check')
    }
    await expect(prepare()).rejects.toThrow('upgrade them one version at a time')
    expect(await versionIn(url)).toBe(1)
  })

  it('is prepared by `migrate`, and `migrate --check` says whether it is needed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-migrate-'))
    await using stack = new AsyncDisposableStack()
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const config = join(folder, 'gateway.json')
    const url = await server.newDatabase()
    await writeFile(
      config,
      JSON.stringify({
        issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: 's'.repeat(40) }],
        session: { key: 'k'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
        assistants: [
          {
            id: 'bot',
            name: 'Bot',
            strategy: 'bot',
            baseUrl: 'http://127.0.0.1:9',
            platform: 'studio',
            credentials: { type: 'token', token: 'pat_1', allowSharedToken: true },
            bot: { botId: '1' },
          },
        ],
        store: url,
      }),
    )
    const said: string[] = []
    const print = async (text: string) => void said.push(text)
    expect(await runMigrate({ config, check: true }, print)).toBe(1)
    expect(await ask(url, `SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([])
    expect(await runMigrate({ config }, print)).toBe(0)
    expect(await runMigrate({ config, check: true }, print)).toBe(0)
    const fine = `tables of version ${own}, gateway of version ${own}: nothing is to be changed\n`
    expect(said).toEqual([
      `tables of version 0, gateway of version ${own}: the next start changes the tables\n`,
      fine,
      fine,
    ])
    expect(await versionIn(url)).toBe(own)
  })
})
