import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createEmulator, type Emulator } from './emulator.ts'
import type { EmulatorOptions } from './options.ts'

const usage = `Usage: node src/emulator/main.ts (--config FILE | --stdin) [--host 127.0.0.1] [--port 0]

A local Coze in a process of its own. Prints {"url": …} as one line of JSON, then serves until SIGTERM or SIGINT.

  --config FILE  options as JSON
  --stdin        options as the first line of standard input; the end of standard input ends the process
  --host, --port where to listen; port 0 takes a free one
  --allow-production
                 start although NODE_ENV is "production": whoever reaches it can sign in as anybody

docs/emulator.md describes the options.
`

async function main(): Promise<number> {
  const ended = Promise.withResolvers<void>()
  process.once('SIGTERM', ended.resolve)
  process.once('SIGINT', ended.resolve)

  let args: ReturnType<typeof parseArguments>
  let created: Emulator
  try {
    args = parseArguments()
    if (args.help) return say(usage, 0)
    if (isProduction() && !args['allow-production']) {
      throw new TypeError('the emulator does not start where NODE_ENV is "production"')
    }
    // `createEmulator` checks the options.
    const options: EmulatorOptions = JSON.parse(await readOptions(args, ended.resolve))
    created = createEmulator(options)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
  await using emulator = created
  if (isProduction() || !isLoopback(args.host)) {
    process.stderr.write('the emulator is open: whoever reaches it can sign in as anybody\n')
  }
  const { url } = await emulator.listen({ host: args.host, port: Number(args.port) })
  process.stdout.write(`${JSON.stringify({ url })}\n`)
  await ended.promise
  process.stdin.destroy()
  return 0
}

function parseArguments() {
  return parseArgs({
    options: {
      config: { type: 'string' },
      stdin: { type: 'boolean', default: false },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      'allow-production': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values
}

function isProduction(): boolean {
  // The emulator knows nothing of the gateway's configuration.
  // oxlint-disable-next-line node/no-process-env
  return process.env['NODE_ENV'] === 'production'
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

async function readOptions(
  args: ReturnType<typeof parseArguments>,
  end: () => void,
): Promise<string> {
  if (args.config !== undefined) return readFile(args.config, 'utf8')
  if (!args.stdin) throw new TypeError('one of --config and --stdin is needed')
  const lines = createInterface({ input: process.stdin })
  const first = Promise.withResolvers<string>()
  lines.once('line', first.resolve)
  lines.once('close', () => {
    first.reject(new TypeError('standard input ended before its first line'))
    end()
  })
  return first.promise
}

function say(text: string, code: number): number {
  process.stdout.write(text)
  return code
}

process.exitCode = await main()
