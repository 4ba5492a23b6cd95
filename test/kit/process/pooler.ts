import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { userOfPostgres } from './postgres-programs.ts'
import type { PostgresServer } from './postgres.ts'
import { within } from './until.ts'

const program = '/usr/sbin/pgbouncer'

export const hasPooler = (): boolean => existsSync(program)

/** PgBouncer in front of a server: whoever asks has a connection for the time of a transaction, and no longer. */
export interface Pooler extends AsyncDisposable {
  /** The same database through the pooler. */
  through(url: string): string
}

/** It listens on a socket in its own folder, which nobody else can have. */
const port = 6432
const limitMs = 60_000

export async function startPooler(server: PostgresServer): Promise<Pooler> {
  if (!hasPooler()) throw new Error('PgBouncer is not here: apt-get install -y pgbouncer')
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-pooler-'))
  const file = join(home, 'pgbouncer.ini')
  await writeFile(file, settings(server.port, home))
  if (user !== undefined) for (const path of [home, file]) await chown(path, user.uid, user.gid)
  const pooler = spawn(program, [file], { cwd: home, stdio: ['ignore', 'ignore', 'pipe'], ...user })
  const exited = once(pooler, 'exit')
  const ready = Promise.withResolvers<void>()
  let said = ''
  pooler.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-10_000)
    if (said.includes('process up')) ready.resolve()
  })
  exited.then(
    () => ready.reject(new Error(`PgBouncer does not start:\n${said}`)),
    (error: Error) => ready.reject(error),
  )
  await within(ready.promise, 'PgBouncer to be ready', limitMs)
  return {
    through: (url) =>
      `postgres://postgres@${encodeURIComponent(home)}:${port}/${url.slice(url.lastIndexOf('/') + 1)}`,
    async [Symbol.asyncDispose]() {
      // Any other signal has newer versions wait for all who are connected.
      pooler.kill('SIGKILL')
      await within(exited, 'PgBouncer to end', limitMs)
      await rm(home, { recursive: true, force: true })
    },
  }
}

const settings = (serverPort: number, home: string) => `
[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr =
listen_port = ${port}
unix_socket_dir = ${home}
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_idle_timeout = 1
`
