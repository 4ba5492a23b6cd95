import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { within as inTime } from './until.ts'

/** `node src/cli.ts serve` in a process of its own, which can be killed and started again on the same files. */
export interface GatewayProcess extends AsyncDisposable {
  /** Where it listens now; another port after each start. */
  readonly url: string
  /** Where its metrics are. */
  readonly metricsUrl: string | undefined
  readonly pid: number
  readonly configFile: string
  /** All that every start of it has written to standard error and standard output. */
  readonly output: string
  /** Sends a signal without waiting for what comes of it. */
  signal(signal: NodeJS.Signals): void
  /** Sends a signal and answers the exit code, or the signal that ended it. */
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
  /**
   * Starts it anew; it must have ended.
   * @param program what takes the command from now on
   */
  restart(program?: string): Promise<void>
  /** Starts it anew, and kills it so many ms later, wherever it then is. */
  startAndKill(ms: number): Promise<void>
}

export const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** The command and its arguments that serve a configuration. */
export function gatewayCommand(configFile: string, program = cli): readonly [string, ...string[]] {
  return [process.execPath, program, 'serve', '--config', configFile]
}

/**
 * @param configFile where `config` is written for it.
 * @param within a command that its command is given to, and that becomes its process.
 * @param program what takes the command, instead of `src/cli.ts`.
 */
export async function startGateway(
  configFile: string,
  config: object,
  env: Readonly<Record<string, string>> = {},
  within: readonly string[] = [],
  program = cli,
): Promise<GatewayProcess> {
  await writeFile(configFile, JSON.stringify(config, undefined, 2))
  let version = program
  let output = ''
  let running = await start()

  function spawnIt() {
    const [command = '', ...args] = [...within, ...gatewayCommand(configFile, version)]
    return spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...pickEnv(), ...env },
    })
  }

  async function start() {
    const child = spawnIt()
    const { pid } = child
    if (pid === undefined) throw new Error('the gateway could not be started')
    const exited = waitForExit(child)
    const listening = Promise.withResolvers<{ url: string; metricsUrl: string | undefined }>()
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    createInterface({ input: child.stderr }).on('line', (line) => {
      output += `${line}\n`
      const found = readListening(line)
      if (found) listening.resolve(found)
    })
    exited.then(
      (code) => listening.reject(new Error(`the gateway ended with ${code}:\n${output}`)),
      listening.reject,
    )
    return {
      child,
      pid,
      exited,
      ...(await inTime(listening.promise, 'the gateway to listen', 120_000)),
    }
  }

  async function kill(signal: NodeJS.Signals) {
    running.child.kill(signal)
    return inTime(running.exited, `the gateway to end after ${signal}`, 120_000)
  }

  return {
    configFile,
    get url() {
      return running.url
    },
    get metricsUrl() {
      return running.metricsUrl
    },
    get pid() {
      return running.pid
    },
    get output() {
      return output
    },
    get exited() {
      return running.exited
    },
    signal: (signal) => void running.child.kill(signal),
    kill,
    async restart(other = version) {
      version = other
      running = await start()
    },
    async startAndKill(ms) {
      const child = spawnIt()
      const exited = waitForExit(child)
      await Promise.race([setTimeout(ms), exited])
      child.kill('SIGKILL')
      await exited
    },
    async [Symbol.asyncDispose]() {
      if (running.child.exitCode === null && running.child.signalCode === null) {
        await kill('SIGKILL')
      }
    },
  }
}

async function waitForExit(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? signal ?? 1
}

/** Of the log line `listening`: where. */
function readListening(line: string) {
  if (!line.startsWith('{')) return undefined
  const entry = JSON.parse(line) as { msg?: string; url?: string; metricsUrl?: string }
  if (entry.msg !== 'listening' || entry.url === undefined) return undefined
  return { url: entry.url, metricsUrl: entry.metricsUrl }
}

/** Only what a process needs to run: nothing of the developer's own settings reaches the gateway. */
function pickEnv(): Record<string, string> {
  // oxlint-disable-next-line node/no-process-env
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }) }
}
