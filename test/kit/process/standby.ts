import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPostgres, freePort, userOfPostgres } from './postgres.ts'

const run = promisify(execFile)

/** How long a standby may take until it reads, in ms. */
const startMs = 60_000

/** A copy of a server that receives all that it writes. */
export interface Standby extends AsyncDisposable {
  readonly port: number
  /** Makes a server of its own of it, which takes writes. */
  promote(): Promise<void>
  /** Ends it as a crash does. */
  crash(): Promise<void>
}

/**
 * Copies a running server, and starts the copy as its standby.
 * @param name what `synchronous_standby_names` of the primary calls it
 */
export async function startStandby(primaryPort: number, name: string): Promise<Standby> {
  const bin = findPostgres()
  if (bin === undefined) {
    throw new Error('PostgreSQL 15 or later is not here: apt-get install -y postgresql')
  }
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-standby-'))
  if (user !== undefined) await chown(home, user.uid, user.gid)
  const data = join(home, 'data')
  const options = { cwd: home, ...user }
  const primary = `host=127.0.0.1 port=${primaryPort} user=postgres application_name=${name}`
  const copy = ['-D', data, '-d', primary, '-R', '-N', '--checkpoint=fast']
  await run(join(bin, 'pg_basebackup'), copy, { ...options, timeout: startMs })
  const port = await freePort()
  // A standby may have no fewer connections than its primary.
  const settings = ['listen_addresses=127.0.0.1', 'max_connections=200', 'fsync=off']
  const given = ['-k', home, '-p', String(port), ...settings.flatMap((one) => ['-c', one])]
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...given], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await isReading(server)

  async function crash(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGQUIT')
    await ended
  }

  return {
    port,
    crash,
    async promote() {
      await run(join(bin, 'pg_ctl'), ['promote', '-D', data, '-w', '-t', '60'], options)
    },
    async [Symbol.asyncDispose]() {
      await crash()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function isReading(server: ChildProcess): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the standby ${why}:\n${said}`))
    const timer = setTimeout(() => {
      server.kill('SIGKILL')
      fail('is not ready in time')
    }, startMs)
    server.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (!said.includes('ready to accept read-only connections')) return
      clearTimeout(timer)
      resolve()
    })
    server.once('exit', () => {
      clearTimeout(timer)
      fail('has ended')
    })
  })
}
