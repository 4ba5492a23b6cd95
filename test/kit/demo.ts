import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** `node src/cli.ts demo` in a process of its own, on a free port and a file that goes with it. */
export interface RunningDemo extends AsyncDisposable {
  /** What it printed. */
  readonly welcome: string
  /** The commands of one caller, as printed. */
  commandsOf(name: 'Alice' | 'Bob'): { readonly stream: string; readonly send: string }
}

/** @param options.maxDescriptors file descriptors that the process may have; default: as many as we. */
export async function startDemo(
  options: { readonly maxDescriptors?: number } = {},
): Promise<RunningDemo> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'demo-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const command = [
    process.execPath,
    cli,
    'demo',
    '--port',
    '0',
    '--data',
    join(directory, 'demo.db'),
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
  let welcome = ''
  demo.stdout.on('data', (chunk: Buffer) => (welcome += chunk.toString()))
  await until(() => welcome.includes('Ctrl-C'), 'the demo to say how it is used', 60_000)
  const owned = stack.move()
  return {
    welcome,
    commandsOf(name) {
      const all = welcome.split('\n').filter((line) => line.startsWith('curl '))
      const [stream = '', send = ''] = name === 'Alice' ? all : all.slice(2)
      return { stream, send }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
