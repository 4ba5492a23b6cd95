import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openRegistry } from './registry.ts'

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** An empty folder in which somebody begins an application, with npm and a registry that needs no network. */
export interface Application extends AsyncDisposable {
  readonly directory: string
  /** The package, as `npm pack` makes it from the repository. */
  readonly tarball: string
  /** Runs a program of the folder, of npm or of Node, and fails as it fails. */
  run(program: string, ...args: readonly string[]): Promise<Output>
  /** Starts a program of the folder that ends when it is told to. */
  start(program: string, ...args: readonly string[]): ChildProcess
}

const repository = fileURLToPath(new URL('../../..', import.meta.url))
const limitMs = 200_000

export async function openApplication(): Promise<Application> {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await openRegistry())
  const parent = await mkdtemp(join(tmpdir(), 'application-'))
  stack.defer(() => rm(parent, { recursive: true, force: true }))
  const directory = join(parent, 'app')
  // oxlint-disable-next-line node/no-process-env
  const { PATH = '', HOME = '' } = process.env
  const env = {
    PATH: dirname(process.execPath) + delimiter + PATH,
    HOME,
    npm_config_registry: registry.url,
    npm_config_cache: join(parent, 'cache'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  }
  const runFile = promisify(execFile)
  const pack = ['pack', '--silent', '--pack-destination', parent]
  await runFile('npm', pack, { cwd: repository, env, timeout: limitMs })
  const name = (await readdir(parent)).find((file) => file.endsWith('.tgz')) ?? ''
  await mkdir(directory)
  const owned = stack.move()
  return {
    directory,
    tarball: join(parent, name),
    run: (program, ...args) => runFile(program, args, { cwd: directory, env, timeout: limitMs }),
    start: (program, ...args) => spawn(program, args, { cwd: directory, env }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
