import { execFile } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { postgresLimitMs as limitMs, startPostgresProcess } from './postgres-process.ts'
import { debianPostgres, userOfPostgres } from './postgres-programs.ts'

const run = promisify(execFile)

/** A PostgreSQL server of its own, on a socket in a temporary folder; ended and gone when it is disposed of. */
export interface PostgresServer extends AsyncDisposable {
  /** Where it listens on loopback. */
  readonly port: number
  /** The URL of a new database: empty, or a copy of one that nobody is connected to. */
  newDatabase(original?: string): Promise<string>
  /** The URL of a copy of a database as it is now. Whoever has the original is cut off from it for ever. */
  copyDatabase(url: string): Promise<string>
  /** Ends it as a crash does, also where it is stopped; what it had committed stays. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Stops, wakes or kills every process of it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void>
}

/** Speed for tests: what is committed survives a crash of the server, though not of the machine. */
export const usualSettings = [
  'fsync=off',
  'listen_addresses=127.0.0.1',
  'max_connections=200',
  'autovacuum=off',
]

/**
 * @param settings over the usual ones, as `name=value`
 * @param bin where the programs of PostgreSQL are
 */
export async function startPostgres(
  settings: readonly string[] = [],
  bin = debianPostgres(),
): Promise<PostgresServer> {
  await using stack = new AsyncDisposableStack()
  // The server does not run as root.
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-postgres-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
  if (user !== undefined) await chown(home, user.uid, user.gid)
  const data = join(home, 'data')
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
    { cwd: home, ...user, timeout: limitMs, killSignal: 'SIGKILL' },
  )
  const server = await startPostgresProcess({
    bin,
    home,
    data,
    user,
    settings: [...usualSettings, ...settings],
    saysReady: 'ready to accept connections',
  })
  stack.defer(() => server.crash())
  const { port, start, crash, signal } = server
  const urlOf = (database: string) =>
    `postgres://postgres@${encodeURIComponent(home)}:${port}/${database}`
  let databases = 0
  const nextName = () => {
    databases += 1
    return `gateway_${databases}`
  }

  async function command(...statements: readonly string[]): Promise<void> {
    // Whoever needs a database of a server that has died hears so at once, with what it said last.
    if (!server.isRunning) throw new Error(`PostgreSQL does not run any more:\n${server.output}`)
    const client = new Client({
      connectionString: urlOf('postgres'),
      connectionTimeoutMillis: limitMs,
      query_timeout: limitMs,
    })
    client.on('error', () => {})
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
  }

  const owned = stack.move()
  return {
    port,
    start,
    crash,
    signal,
    async newDatabase(original) {
      const name = nextName()
      await command(createAs(name, original === undefined ? 'template1' : nameIn(original)))
      return urlOf(name)
    },
    async copyDatabase(url) {
      const name = nextName()
      const old = nameIn(url)
      await command(
        `ALTER DATABASE ${old} ALLOW_CONNECTIONS false`,
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${old}'`,
        createAs(name, old),
      )
      return urlOf(name)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const nameIn = (url: string) => url.slice(url.lastIndexOf('/') + 1)

/** Copying files takes a fraction of the time that writing all pages to the log does. */
const createAs = (name: string, original: string) =>
  `CREATE DATABASE ${name} TEMPLATE ${original} STRATEGY file_copy`
