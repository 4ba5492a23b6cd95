import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, type PostgresServer, userOfPostgres } from './postgres.ts'

const program = '/usr/sbin/pgbouncer'

export const hasPooler = (): boolean => existsSync(program)

/** PgBouncer in front of a server: whoever asks has a connection for the time of a transaction, and no longer. */
export interface Pooler extends AsyncDisposable {
  /** The same database through the pooler. */
  through(url: string): string
}

export async function startPooler(server: PostgresServer): Promise<Pooler> {
  if (!hasPooler()) throw new Error('PgBouncer is not here: apt-get install -y pgbouncer')
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-pooler-'))
  const port = await freePort()
  const file = join(home, 'pgbouncer.ini')
  await writeFile(file, settings(server.port, port))
  if (user !== undefined) for (const path of [home, file]) await chown(path, user.uid, user.gid)
  const pooler = spawn(program, [file], { cwd: home, stdio: ['ignore', 'ignore', 'pipe'], ...user })
  await untilListening(pooler)
  return {
    through: (url) => `postgres://postgres@127.0.0.1:${port}${new URL(url).pathname}`,
    async [Symbol.asyncDispose]() {
      const ended = once(pooler, 'exit')
      pooler.kill('SIGTERM')
      await ended
      await rm(home, { recursive: true, force: true })
    },
  }
}

const settings = (serverPort: number, port: number) => `
[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_idle_timeout = 1
`

function untilListening(pooler: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    pooler.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('process up')) resolve()
    })
    pooler.once('exit', () => reject(new Error(`PgBouncer does not start:\n${said}`)))
  })
}
