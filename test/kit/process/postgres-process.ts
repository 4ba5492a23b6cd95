import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { within } from './until.ts'

const run = promisify(execFile)

/** How long a program of PostgreSQL or a statement of the kit may take, in ms, on a machine that is very busy. */
export const postgresLimitMs = 60_000
/** A server that is told to end kills what does not end within 5 s by itself. */
const endMs = 20_000
const maxStarts = 10
const maxOutput = 10_000

export interface PostgresProcessOptions {
  /** Where the programs of PostgreSQL are. */
  readonly bin: string
  /** The folder of its sockets. */
  readonly home: string
  readonly data: string
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  /** As `name=value`. */
  readonly settings: readonly string[]
  /** What it says when it is ready. */
  readonly saysReady: string
}

/** The process of a server whose files are there, which can be ended and started again at the same port. */
export interface PostgresProcess {
  readonly port: number
  readonly isRunning: boolean
  /** The last of what it has said. */
  readonly output: string
  readonly start: () => Promise<void>
  /** Ends it as a crash does, also where it is stopped. */
  readonly crash: () => Promise<void>
  /** Stops, wakes or kills every process of it. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => Promise<void>
}

/** Starts a server, at another port where somebody has the first one. */
export async function startPostgresProcess(
  options: PostgresProcessOptions,
): Promise<PostgresProcess> {
  const { bin, home, data, user, settings, saysReady } = options
  let port = await freePort()
  let server: Running | undefined

  async function start(): Promise<void> {
    const given = settings.flatMap((setting) => ['-c', setting])
    const child = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-k', home, '-p', String(port), ...given],
      { cwd: home, ...user, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    server = watch(child, saysReady)
    await within(server.ready, 'PostgreSQL to be ready', postgresLimitMs)
  }

  async function crash(): Promise<void> {
    if (server === undefined || hasExited(server)) return
    const { child, exited } = server
    await signal('SIGCONT')
    child.kill('SIGQUIT')
    try {
      await within(exited, 'PostgreSQL to end', endMs)
    } catch {
      child.kill('SIGKILL')
      await within(exited, 'PostgreSQL to end after SIGKILL', endMs)
    }
  }

  async function signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void> {
    const pid = server?.child.pid
    if (pid === undefined) return
    // The first one first: it begins no other meanwhile. Once it is dead nobody knows which the others are.
    signalIfThere(pid, name === 'SIGKILL' ? 'SIGSTOP' : name)
    const { stdout } = await run('ps', ['-A', '-o', 'ppid=,pid='], { timeout: postgresLimitMs })
    for (const line of stdout.split('\n')) {
      const [parent, child] = line.trim().split(/\s+/).map(Number)
      if (parent === pid && child !== undefined) signalIfThere(child, name)
    }
    if (name === 'SIGKILL') signalIfThere(pid, name)
  }

  for (let starts = 1; ; starts += 1) {
    try {
      await start()
      break
    } catch (error) {
      await crash()
      if (starts === maxStarts || !server?.output.includes('Address already in use')) throw error
      port = await freePort()
    }
  }
  return {
    port,
    get isRunning() {
      return server !== undefined && !hasExited(server)
    },
    get output() {
      return server?.output ?? ''
    },
    start,
    crash,
    signal,
  }
}

/** A process from its beginning. */
interface Running {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly exited: Promise<unknown>
  readonly output: string
}

function watch(child: ChildProcess, saysReady: string): Running {
  const ready = Promise.withResolvers<void>()
  let output = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    output = `${output}${chunk.toString()}`.slice(-maxOutput)
    if (output.includes(saysReady)) ready.resolve()
  })
  // Once it has ended and all that it said is read.
  const exited = once(child, 'close')
  exited.then(
    () => ready.reject(new Error(`PostgreSQL does not start:\n${output}`)),
    (error: Error) => ready.reject(error),
  )
  return {
    child,
    ready: ready.promise,
    exited,
    get output() {
      return output
    },
  }
}

const hasExited = ({ child }: Running) => child.exitCode !== null || child.signalCode !== null

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
