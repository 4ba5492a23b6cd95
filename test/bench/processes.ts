import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createAsk, listeningPort, type Ask } from './rpc.ts'

/** A process of the benchmark; disposing ends it. */
export interface Part extends AsyncDisposable {
  readonly port: number
  readonly ask: Ask
}

/**
 * The measured server has a core for itself; clients and upstream share the other. A client whose waiting is measured is
 * served before them, where the system allows it: what it waits for the core is no part of what the server takes.
 */
export type Core = 'server' | 'others' | 'others-first' | 'any'

/** What this process starts from now on, such as the server of a database, leaves the server's core alone. */
export function leaveServerCore(): void {
  if (canPin) spawnSync('taskset', ['-cp', '1', String(process.pid)])
}

export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0

const meter = fileURLToPath(new URL('meter.ts', import.meta.url))

/**
 * Starts a process and waits until it is ready: by default until it tells its port.
 * @throws if it ends first.
 */
export async function startPart(
  core: Core,
  file: string,
  args: readonly string[],
  ready: (child: ChildProcess) => Promise<number> = listeningPort,
): Promise<Part> {
  const cores = { server: '0', others: '1', 'others-first': '1', any: '0,1' }
  const command = canPin ? ['taskset', '-c', cores[core]] : []
  if (canPin && core === 'others-first') command.push('nice', '-n', '-15')
  // All are started the same way, so that ratios compare like with like.
  command.push(process.execPath, '--no-warnings', '--expose-gc', '--import', meter)
  command.push(fileURLToPath(new URL(file, import.meta.url)), ...args)
  const [program = '', ...rest] = command
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  }
  try {
    return { port: await ready(child), ask: createAsk(child, file), [Symbol.asyncDispose]: end }
  } catch (error) {
    await end()
    throw error
  }
}
