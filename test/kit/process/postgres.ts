import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'

const run = promisify(execFile)

/** Where Debian and Ubuntu put its programs; undefined: it is not installed. */
export function findPostgres(): string | undefined {
  return ['18', '17', '16', '15']
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((path) => existsSync(join(path, 'initdb')))
}

/** A PostgreSQL server of its own, on a socket in a temporary folder; ended and gone when it is disposed of. */
export interface PostgresServer extends AsyncDisposable {
  /** Where it listens on loopback. */
  readonly port: number
  /** The URL of a new, empty database. */
  newDatabase(): Promise<string>
  /** The URL of a copy of a database as it is now. Whoever has the original is cut off from it for ever. */
  copyDatabase(url: string): Promise<string>
  /** Ends it as a crash does; what it had committed stays. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Stops or wakes every process of it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>
}

/** Speed for tests: what is committed survives a crash of the server, though not of the machine. */
const settings = [
  'fsync=off',
  'listen_addresses=127.0.0.1',
  'max_connections=200',
  'autovacuum=off',
]

export async function startPostgres(more: readonly string[] = []): Promise<PostgresServer> {
  const bin = programs()
  // The server does not run as root.
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-postgres-'))
  if (user !== undefined) await chown(home, user.uid, user.gid)
  const data = join(home, 'data')
  const options = { cwd: home, ...user }
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
    options,
  )
  const port = await freePort()
  const urlOf = (database: string) =>
    `postgres://postgres@${encodeURIComponent(home)}:${port}/${database}`
  let server: ChildProcess | undefined
  let databases = 0

  async function start(): Promise<void> {
    const given = [
      '-k',
      home,
      '-p',
      String(port),
      ...[...settings, ...more].flatMap((setting) => ['-c', setting]),
    ]
    server = spawn(join(bin, 'postgres'), ['-D', data, ...given], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await new Promise<void>((resolve, reject) => {
      let said = ''
      server?.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('ready to accept connections')) resolve()
      })
      server?.once('exit', () => reject(new Error(`PostgreSQL does not start:\n${said}`)))
    })
  }

  async function crash(): Promise<void> {
    if (server === undefined) return
    const ended = once(server, 'exit')
    server.kill('SIGQUIT')
    await ended
    server = undefined
  }

  const nextName = () => {
    databases += 1
    return `gateway_${databases}`
  }

  async function command(...statements: readonly string[]): Promise<void> {
    const client = new Client({ connectionString: urlOf('postgres') })
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }

  await start()
  return {
    port,
    start,
    crash,
    async newDatabase() {
      const name = nextName()
      await command(`CREATE DATABASE ${name}`)
      return urlOf(name)
    },
    async copyDatabase(url) {
      const name = nextName()
      const old = url.slice(url.lastIndexOf('/') + 1)
      await command(
        `ALTER DATABASE ${old} ALLOW_CONNECTIONS false`,
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${old}'`,
        `CREATE DATABASE ${name} TEMPLATE ${old}`,
      )
      return urlOf(name)
    },
    async signal(signal) {
      if (server?.pid === undefined) return
      const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(server.pid)])
      for (const pid of [server.pid, ...stdout.trim().split(/\s+/).map(Number)])
        process.kill(pid, signal)
    },
    async [Symbol.asyncDispose]() {
      await crash()
      await rm(home, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function programs(): string {
  const found = findPostgres()
  if (found !== undefined) return found
  throw new Error('PostgreSQL 15 or later is not here: apt-get install -y postgresql')
}

/** Whom its processes run as; undefined: as whoever runs the tests. */
export async function userOfPostgres(): Promise<
  { readonly uid: number; readonly gid: number } | undefined
> {
  if (process.getuid?.() !== 0) return undefined
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, 'postgres'])))
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) }
}
