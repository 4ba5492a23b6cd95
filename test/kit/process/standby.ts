import { execFile } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { postgresLimitMs as limitMs, startPostgresProcess } from './postgres-process.ts'
import { usualSettings } from './postgres.ts'
import { debianPostgres, userOfPostgres } from './postgres-programs.ts'

const run = promisify(execFile)

/** A copy of a server that receives all that it writes. */
export interface Standby extends AsyncDisposable {
  readonly port: number
  /** Makes a server of its own of it, which takes writes. */
  promote(): Promise<void>
  /** Ends it as a crash does. */
  crash(): Promise<void>
  /** Stops, wakes or kills every process of it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void>
}

/**
 * Copies a running server, and starts the copy as its standby.
 * @param name what `synchronous_standby_names` of the primary calls it
 * @param settings over the usual ones, as `name=value`
 */
export async function startStandby(
  primaryPort: number,
  name: string,
  settings: readonly string[] = [],
): Promise<Standby> {
  await using stack = new AsyncDisposableStack()
  const bin = debianPostgres()
  const user = await userOfPostgres()
  const home = await mkdtemp(join(tmpdir(), 'gateway-standby-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
  if (user !== undefined) await chown(home, user.uid, user.gid)
  const data = join(home, 'data')
  const options = { cwd: home, ...user, timeout: limitMs }
  const primary = `host=127.0.0.1 port=${primaryPort} user=postgres application_name=${name}`
  // With a slot the copying itself would count as a standby that has what is acknowledged.
  const copy = ['-D', data, '-d', primary, '-R', '-N', '--checkpoint=fast', '--no-slot']
  await run(join(bin, 'pg_basebackup'), copy, options)
  const server = await startPostgresProcess({
    bin,
    home,
    data,
    user,
    // A standby may have no fewer connections than its primary.
    settings: [...usualSettings, ...settings],
    saysReady: 'ready to accept read-only connections',
  })
  stack.defer(() => server.crash())
  const { port, crash, signal } = server
  const owned = stack.move()
  return {
    port,
    crash,
    signal,
    async promote() {
      await run(join(bin, 'pg_ctl'), ['promote', '-D', data, '-w', '-t', '60'], options)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
