import { readFileSync } from 'node:fs'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { checkPersistedDocuments } from './cli/document-check.ts'
import { exitNow } from './cli/exit-now.ts'
import { commands, helpOf, overview, type Command } from './cli/help.ts'
import { initQuestions, openTerminal, runInit } from './cli/init.ts'
import { UsageError } from './cli/usage-error.ts'
import { systemClock } from './lib/clock.ts'
import type { Logger } from './observe/logger.ts'
import { warningsOf } from './config/cross-checks.ts'
import { ConfigError, parseConfig, processEnvironment, type Config } from './config/config.ts'
import { StoreOpenError } from './store/store.ts'

// Each command loads its own parts: `check-config` needs neither GraphQL nor a database.
async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await run(args)
  } catch (error) {
    const complaint = complaintOf(error)
    process.stderr.write(`coze-graphql-gateway: ${complaint.text}\n`)
    // A probe's other codes are verdicts.
    return args[0] === 'probe' ? 3 : complaint.code
  }
}

type ExitCode = 0 | 1 | 2 | 3

async function run([first, ...rest]: readonly string[]): Promise<ExitCode> {
  if (first === undefined) throw new UsageError('which command? See coze-graphql-gateway --help')
  if (first === '-h' || first === '--help' || first === 'help') return print(overview)
  if (first === '-v' || first === '--version') return print(`${version()}\n`)
  const command = commands.find((name) => name === first)
  if (command === undefined) {
    throw new UsageError(`"${first}" is not a command. See coze-graphql-gateway --help`)
  }
  const options = parseOptions(command, rest)
  if (options['help'] === true) return print(helpOf[command])
  switch (command) {
    case 'serve':
      return runServe(await readWholeConfig(options), () => readConfig(options))
    case 'demo':
      return runDemoCommand(options)
    case 'probe':
      return runProbeCommand(options)
    case 'schema':
      return print((await import('./graphql/schema.ts')).printGatewaySchema())
    case 'init':
      return runInitCommand(options)
    case 'check-config':
      return runCheckConfig(options)
  }
}

type Options = Readonly<Record<string, string | boolean | undefined>>

const help = { type: 'boolean', short: 'h' } as const
const optionsOf: Readonly<Record<Command, ParseArgsOptionsConfig>> = {
  serve: { help, config: { type: 'string', short: 'c' } },
  demo: {
    help,
    host: { type: 'string' },
    port: { type: 'string' },
    data: { type: 'string' },
    dialect: { type: 'string' },
    leak: { type: 'string' },
    'allow-production': { type: 'boolean' },
  },
  probe: {
    help,
    config: { type: 'string', short: 'c' },
    assistant: { type: 'string' },
    trials: { type: 'string' },
    budget: { type: 'string' },
    format: { type: 'string' },
    bundle: { type: 'string' },
    ask: { type: 'string' },
    knowledge: { type: 'string' },
    gateway: { type: 'string' },
    'token-file': { type: 'string' },
  },
  init: {
    help,
    config: { type: 'string', short: 'c' },
    yes: { type: 'boolean', short: 'y' },
    ...Object.fromEntries(
      Object.keys(initQuestions).map((name) => [name, { type: 'string' } as const]),
    ),
  },
  schema: { help },
  'check-config': {
    help,
    config: { type: 'string', short: 'c' },
    online: { type: 'boolean' },
    token: { type: 'string' },
  },
}

function parseOptions(command: Command, args: readonly string[]): Options {
  try {
    const { values } = parseArgs({ args: [...args], options: optionsOf[command], strict: true })
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.at(-1) : value,
      ]),
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw new UsageError(`${reason}. See coze-graphql-gateway ${command} --help`, { cause: error })
  }
}

function readConfig({ config }: Options): Config {
  return parseConfig({
    file: typeof config === 'string' ? config : undefined,
    env: processEnvironment(),
  })
}

/** With the persisted documents, which take the whole schema to check. */
async function readWholeConfig(options: Options): Promise<Config> {
  const config = readConfig(options)
  await checkPersistedDocuments(config)
  return config
}

async function runServe(config: Config, reread: () => Config): Promise<0 | 1> {
  const [{ serve }, { createLogger }, { watchLifetime }] = await Promise.all([
    import('./cli/serve.ts'),
    import('./observe/log.ts'),
    import('./cli/lifetime.ts'),
  ])
  const logger = createLogger(config.logging)
  using lifetime = watchLifetime(process, lifetimeOptions(logger, config.timeouts.drainMs))
  return await serve(config, { logger, lifetime, reread })
}

async function runDemoCommand(options: Options): Promise<0 | 1> {
  const isProduction = processEnvironment()['NODE_ENV'] === 'production'
  if (isProduction && options['allow-production'] !== true) {
    throw new UsageError(
      'the demo is open to everybody: it does not start where NODE_ENV is "production"',
    )
  }
  const port = parsePort(textOf(options['port']) ?? '4000')
  const [
    { dialectNames },
    { runDemo },
    { createLogger },
    { watchLifetime },
    { findLeak, leakNames, tellLeakStory },
    { timeoutsSchema },
  ] = await Promise.all([
    import('./emulator/options.ts'),
    import('./demo/demo.ts'),
    import('./observe/log.ts'),
    import('./cli/lifetime.ts'),
    import('./cli/leak-story.ts'),
    import('./config/sections/timeouts.ts'),
  ])
  const dialect = dialectNames.find((name) => name === (options['dialect'] ?? 'cloud'))
  if (dialect === undefined) {
    throw new UsageError(`--dialect must be one of ${dialectNames.join(', ')}`)
  }
  const leakName = textOf(options['leak'])
  const leak = leakName === undefined ? undefined : findLeak(leakName)
  if (leakName !== undefined && leak === undefined) {
    throw new UsageError(`--leak must be one of ${leakNames.join(', ')}`)
  }
  // The story of a leak is printed here, with its breaches: the log would repeat them.
  const logger = createLogger({ level: leak === undefined ? 'warn' : 'silent' })
  using lifetime = watchLifetime(process, lifetimeOptions(logger, timeoutsSchema.parse({}).drainMs))
  const host = textOf(options['host']) ?? '127.0.0.1'
  if (isProduction || !isLoopback(host)) {
    logger.warn({ host }, 'the demo is open: whoever reaches it can sign in as anybody')
  }
  await using demo = await runDemo({
    host,
    port,
    // What a leak does to its verdicts must not outlive it.
    file: textOf(options['data']) ?? (leak === undefined ? 'data/demo.db' : ':memory:'),
    dialect,
    leak,
    logger,
  })
  await print(demo.welcome)
  if (leakName === undefined) return await lifetime.end
  const ended = new AbortController()
  const end = lifetime.end.finally(() => ended.abort(new Error('the demo has ended')))
  await tellLeakStory(leakName, demo, print, ended.signal).catch((error: unknown) => {
    if (!ended.signal.aborted) throw error
  })
  return await end
}

async function runInitCommand(options: Options): Promise<0> {
  const { stdin, stderr } = process
  const isAttended = stdin.isTTY && stderr.isTTY && options['yes'] !== true
  using terminal = isAttended ? openTerminal(stdin, stderr) : undefined
  return await runInit({
    file: textOf(options['config']) ?? 'gateway.json',
    given: Object.fromEntries(
      Object.keys(initQuestions).map((name) => [name, textOf(options[name])]),
    ),
    ask: terminal && ((question) => terminal.ask(question)),
    print,
  })
}

async function runCheckConfig(options: Options): Promise<0 | 1> {
  const config = await readWholeConfig(options)
  await print(`${summaryOf(config)}\n`)
  for (const warning of warningsOf(config)) await print(`warning: ${warning}\n`)
  const tokenFile = textOf(options['token'])
  if (tokenFile !== undefined) {
    const { runTokenExplanation } = await import('./cli/token-explanation.ts')
    const code = await runTokenExplanation(tokenFile, config, print)
    if (code !== 0) return code
  }
  if (options['online'] !== true) return 0
  const { runCheckup } = await import('./cli/checkup.ts')
  return await runCheckup(config, print)
}

async function runProbeCommand(options: Options): Promise<ExitCode> {
  const url = textOf(options['gateway'])
  // A running gateway has a configuration of its own.
  const config = url === undefined || options['config'] ? readConfig(options) : undefined
  const { runProbe } = await import('./cli/probe.ts')
  const stop = new AbortController()
  const listener = () => stop.abort(new Error('broken off'))
  process.once('SIGINT', listener).once('SIGTERM', listener)
  return await runProbe({
    config,
    gateway: url === undefined ? undefined : { url, tokenFile: textOf(options['token-file']) },
    assistant: textOf(options['assistant']),
    trials: textOf(options['trials']),
    budget: textOf(options['budget']),
    format: textOf(options['format']),
    bundle: textOf(options['bundle']),
    ask: textOf(options['ask']),
    knowledge: textOf(options['knowledge']),
    signal: stop.signal,
    print,
    complain: (text) => void process.stderr.write(`${text}\n`),
  })
}

function lifetimeOptions(logger: Logger, drainMs: number) {
  return {
    logger,
    clock: systemClock,
    exitNow,
    drainMs,
    isRunByNpm: processEnvironment()['npm_lifecycle_event'] !== undefined,
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function textOf(option: string | boolean | undefined): string | undefined {
  return typeof option === 'string' ? option : undefined
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new UsageError(`--port must be a number from 0 to 65535, got ${text}`)
}

function summaryOf({ assistants, issuers, store, listen }: Config): string {
  const names = assistants.map(({ id, strategy }) => `${id} (${strategy})`).join(', ')
  const parties = issuers
    .map(({ issuer, keys }) => `${issuer} (${keys.map(({ type }) => type).join(', ')})`)
    .join(', ')
  return `OK: assistants ${names}; issuers ${parties}; ${store.engine} in ${store.file}; ${listen.host}:${listen.port}`
}

function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  const found = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return found ? String(manifest.version) : 'unknown'
}

/** Resolves when the text has left, since a pipe may take its time, or when nobody reads it any more. */
async function print(text: string): Promise<0> {
  await new Promise((resolve) => process.stdout.write(text, resolve))
  return 0
}

/** What to tell the person at the terminal, and with which exit code. */
function complaintOf(error: unknown): { readonly code: 1 | 2; readonly text: string } {
  if (error instanceof UsageError || error instanceof ConfigError) {
    return { code: 2, text: error.message }
  }
  if (!(error instanceof Error)) return { code: 1, text: String(error) }
  if (
    'code' in error &&
    'port' in error &&
    (error.code === 'EADDRINUSE' || error.code === 'EACCES')
  ) {
    const reason = error.code === 'EACCES' ? 'may not be used' : 'is in use'
    return { code: 2, text: `port ${String(error.port)} ${reason}` }
  }
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'getaddrinfo')) {
    const host = 'hostname' in error ? error.hostname : 'address' in error ? error.address : ''
    const code = 'code' in error ? ` (${String(error.code)})` : ''
    return { code: 2, text: `${String(host)} is not an address or a name of this host${code}` }
  }
  const isExpected = error instanceof StoreOpenError
  return { code: 1, text: isExpected ? error.message : (error.stack ?? error.message) }
}

// By default Node opens its inspector on this signal, and whoever reaches its port runs any code in the process.
process.on('SIGUSR1', () => {
  process.stderr.write('coze-graphql-gateway: SIGUSR1 is ignored: the inspector stays closed\n')
})

// A reader that has read enough, as `head` has, closes the pipe. That is no fault of ours, and no end of a gateway.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error) => {
    if (!('code' in error && error.code === 'EPIPE')) throw error
  })
}

process.exit(await main(process.argv.slice(2)))
