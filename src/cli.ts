import { readFileSync } from 'node:fs'
import { commands, helpOf, overview } from './cli/help.ts'
import { parseOptions } from './cli/options.ts'
import { UsageError } from './cli/usage-error.ts'
import { ConfigError } from './config/config.ts'
import { StoreOpenError } from './store/store.ts'
import { TransferError } from './store/transfer.ts'

// Each command loads its own parts: `check-config` needs neither GraphQL nor a database.
async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await run(args)
  } catch (error) {
    const complaint = complaintOf(error)
    process.stderr.write(`coze-graphql-gateway: ${complaint.text}\n`)
    // The other exit codes of a probe are verdicts.
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
      return await (await import('./cli/serve.ts')).runServe(options)
    case 'demo':
      return await (await import('./cli/demo.ts')).runDemoCommand(options, print)
    case 'probe':
      return await (await import('./cli/probe/command.ts')).runProbe(options, print)
    case 'schema':
      return print((await import('./graphql/schema.ts')).printGatewaySchema())
    case 'init':
      return await (await import('./cli/init.ts')).runInit(options, print)
    case 'emulator':
      return await (await import('./cli/emulator.ts')).runEmulator(options, print)
    case 'conformance':
      return await (await import('./cli/conformance.ts')).runConformance(options, print)
    case 'export-store':
      return await (await import('./cli/store-transfer.ts')).runExportStore(options, print)
    case 'import-store':
      return await (await import('./cli/store-transfer.ts')).runImportStore(options, print)
    case 'migrate':
      return await (await import('./cli/migrate.ts')).runMigrate(options, print)
    case 'check-config':
      return await (await import('./cli/check-config.ts')).runCheckConfig(options, print)
  }
}

function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  const found = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return found ? String(manifest.version) : 'unknown'
}

/** Resolves when the text is written, or when nobody reads it any more. A pipe may take its time. */
async function print(text: string): Promise<0> {
  await new Promise((resolve) => process.stdout.write(text, resolve))
  return 0
}

/** The sentence for the person at the terminal, and the exit code. */
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
  const isExpected = error instanceof StoreOpenError || error instanceof TransferError
  return { code: 1, text: isExpected ? error.message : (error.stack ?? error.message) }
}

// By default Node opens its inspector on this signal, and whoever reaches its port can run code in the process.
process.on('SIGUSR1', () => {
  process.stderr.write('coze-graphql-gateway: SIGUSR1 is ignored: the inspector stays closed\n')
})

// A reader that has read enough, such as `head`, closes the pipe. That must not end a gateway.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error) => {
    if (!('code' in error && error.code === 'EPIPE')) throw error
  })
}

process.exit(await main(process.argv.slice(2)))
