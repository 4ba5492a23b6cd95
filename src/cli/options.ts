import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { type Config, ConfigError, parseConfig, processEnvironment } from '../config/config.ts'
import type { Command } from './help.ts'
import { UsageError } from './usage-error.ts'

/** The options of a command, by name. */
export type Options = Readonly<Record<string, string | boolean | undefined>>

/** The questions of `init`. Each is an option of the command, too. */
export const initQuestions = {
  'base-url': 'Base URL of the Coze API',
  'workflow-id': 'Id of the Workflow (empty: a Bot)',
  'app-id': 'Id of the app that the Workflow belongs to',
  'bot-id': 'Id of the Bot',
  'oauth-app-id': 'Id of the OAuth app of type JWT',
  'key-id': 'Fingerprint of its public key',
  'private-key': 'File of its private key',
  issuer: 'Issuer ("iss") of the tokens of your users',
  audience: 'Audience ("aud") of these tokens',
  'jwks-url': "URL of the issuer's key set, empty to have it discovered",
} as const

const help = { type: 'boolean', short: 'h' } as const
const flag = { type: 'boolean' } as const
const text = { type: 'string' } as const
const config = { type: 'string', short: 'c' } as const

const optionsOf: Readonly<Record<Command, ParseArgsOptionsConfig>> = {
  serve: { help, config, workers: text },
  demo: {
    help,
    host: text,
    port: text,
    data: text,
    dialect: text,
    leak: text,
    origin: text,
    'allow-production': flag,
  },
  probe: {
    help,
    config,
    assistant: text,
    trials: text,
    budget: text,
    format: text,
    bundle: text,
    ask: text,
    knowledge: text,
    gateway: text,
    'token-file': text,
  },
  init: {
    help,
    config,
    yes: { type: 'boolean', short: 'y' },
    ...Object.fromEntries(Object.keys(initQuestions).map((name) => [name, text])),
  },
  emulator: { help, config, stdin: flag, host: text, port: text, 'allow-production': flag },
  conformance: {
    help,
    url: text,
    'token-file': text,
    'other-token-file': text,
    'expiring-token-file': text,
    'drain-command': text,
    assistant: text,
    text,
  },
  'export-store': { help, config, file: text },
  'import-store': { help, config, file: text },
  migrate: { help, config, check: flag },
  schema: { help },
  'check-config': { help, config, online: flag, token: text },
}

/** @throws {@link UsageError} for what the command does not take */
export function parseOptions(command: Command, args: readonly string[]): Options {
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

/** The value of an option that takes one. */
export function valueOf(options: Options, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** @throws {@link ConfigError} with every problem */
export function readConfig(options: Options): Config {
  return parseConfig({ file: valueOf(options, 'config'), env: processEnvironment() })
}

/**
 * Reads the configuration and checks its persisted documents against the schema and the limits, before anything is opened.
 * @throws {@link ConfigError} with every problem
 */
export async function readWholeConfig(options: Options): Promise<Config> {
  const whole = readConfig(options)
  const { persistedDocuments, limits, introspection } = whole
  if (persistedDocuments === undefined) return whole
  const [{ schema }, { createDocuments }, { findDocumentProblems }] = await Promise.all([
    import('../graphql/schema.ts'),
    import('../server/graphql/documents.ts'),
    import('../server/graphql/persisted-documents.ts'),
  ])
  const { parse } = createDocuments(schema, { limits, introspection })
  const problems = findDocumentProblems(persistedDocuments, schema, parse)
  if (problems.length === 0) return whole
  throw new ConfigError(problems.map((problem) => `persistedDocuments.file: ${problem}`))
}
