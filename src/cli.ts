import { readFileSync } from 'node:fs'
import { commands, helpOf, overview } from './cli/help.ts'
import { parseOptions } from './cli/options.ts'
import { type ExitCode, runProcess } from './cli/run-process.ts'
import { UsageError } from './cli/usage-error.ts'

// Each command loads its own parts: `check-config` needs neither GraphQL nor a database.
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

const args = process.argv.slice(2)
// The other exit codes of a probe are verdicts.
await runProcess(
  () => run(args),
  (code) => (args[0] === 'probe' ? 3 : code),
)
