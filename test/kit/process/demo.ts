import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DialectName } from '../../../src/emulator/options.ts'
import { until } from './until.ts'

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** The command `demo` in a process of its own, on a free port and a file that goes with it. */
export interface RunningDemo extends AsyncDisposable {
  /** What it printed. */
  readonly welcome: string
  /** The commands of one caller, as printed. */
  commandsOf(name: 'Alice' | 'Bob'): { readonly stream: string; readonly send: string }
  /** What it told of a leak, to the end. */
  readonly story: Promise<string>
}

/**
 * @param options.maxDescriptors file descriptors that the process may have; default: as many as we.
 * @param options.program what takes the command `demo`, instead of `src/cli.ts`.
 */
export async function startDemo(
  options: {
    readonly maxDescriptors?: number
    readonly program?: string
    readonly dialect?: DialectName
    readonly leak?: string
    /** Pages of this origin may call it. */
    readonly origin?: string
  } = {},
): Promise<RunningDemo> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'demo-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const command = [
    process.execPath,
    options.program ?? cli,
    'demo',
    '--port',
    '0',
    '--data',
    join(directory, 'demo.db'),
    ...(options.dialect === undefined ? [] : ['--dialect', options.dialect]),
    ...(options.leak === undefined ? [] : ['--leak', options.leak]),
    ...(options.origin === undefined ? [] : ['--origin', options.origin]),
  ]
  const { maxDescriptors } = options
  const limit = maxDescriptors === undefined ? '' : `ulimit -n ${maxDescriptors}; `
  const demo = spawn('/bin/sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stack.defer(async () => {
    const exited = once(demo, 'exit')
    demo.kill('SIGTERM')
    await exited
  })
  let printed = ''
  demo.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  await until(() => printed.includes('Ctrl-C'), 'the demo to say how it is used', 60_000)
  const welcome = printed
  const owned = stack.move()
  return {
    welcome,
    get story() {
      const last = /After the remedy.*\n|nobody can guess, so.*\n/
      return until(() => last.test(printed) && printed, 'the story to end', 60_000)
    },
    commandsOf(name) {
      const all = welcome.split('\n').filter((line) => line.startsWith('curl '))
      const [stream = '', send = ''] = name === 'Alice' ? all : all.slice(2)
      return { stream, send }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
