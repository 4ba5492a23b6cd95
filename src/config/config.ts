import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Durability } from '../domain/durability.ts'
import { errorCode } from '../lib/error-code.ts'
import { isPlain } from '../lib/plain.ts'
import { crossProblems, parsedProblems } from './cross-checks.ts'
import { environmentSettings, readEnvironment, type Override } from './environment.ts'
import { describeIssue, formatPath, problemLines } from './problems.ts'
import { type ProxySettings, readProxy } from './proxy.ts'
import { configSchema } from './schema.ts'
import type { ApiKeySettings } from './sections/api-keys.ts'
import type { AssistantSettings } from './sections/assistant.ts'
import type { CookieSettings } from './sections/cookie.ts'
import type { GuestSettings } from './sections/guests.ts'
import type { IssuerSettings } from './sections/issuer.ts'
import type { LaneSettings, RedisSettings } from './sections/lane.ts'
import type { Limits } from './sections/limits.ts'
import type { PersistedDocuments } from './sections/persisted-documents.ts'
import type { ProbeSettings } from './sections/probe.ts'
import type { CorsSettings, ListenAddress, LogLevel, PageSettings } from './sections/process.ts'
import type { SessionSettings } from './sections/session-keys.ts'
import type { PostgresSettings, StoreSettings } from './sections/store.ts'
import type { Timeouts } from './sections/timeouts.ts'
import type { Uploads } from './sections/uploads.ts'

/** All settings of a gateway, checked and frozen. A room takes the part it needs. */
export interface Config {
  readonly listen: ListenAddress
  /** Undefined: no metrics are served. */
  readonly metrics?: ListenAddress | undefined
  readonly cors: CorsSettings
  /** The path of GraphQL on the gateway's own server. */
  readonly path: string
  /** Whether browsers get GraphiQL at `path`. */
  readonly graphiql: boolean
  /** The pages that browsers get. */
  readonly pages: PageSettings
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean
  /** Undefined: requests contain their documents. */
  readonly persistedDocuments?: PersistedDocuments | undefined
  readonly logging: { readonly level: LogLevel }
  /** The number of proxies in front of the gateway whose `X-Forwarded-For` is trusted. */
  readonly trustProxy: number
  /** Their `issuer`s differ. The list is empty only if there are API keys or guests. */
  readonly issuers: readonly IssuerSettings[]
  /** Their ids and digests differ. */
  readonly apiKeys: readonly ApiKeySettings[]
  /** Undefined: cookies are not credentials. */
  readonly cookie?: CookieSettings | undefined
  /** Undefined: there are no guests. */
  readonly guests?: GuestSettings | undefined
  /** The scope that makes a caller an operator. */
  readonly operatorScope: string
  readonly session: SessionSettings
  /** At least one; their ids and names differ. The first is the default. */
  readonly assistants: readonly AssistantSettings[]
  readonly store: StoreSettings
  /** What an acknowledged message has to survive. */
  readonly requireDurability: Durability
  readonly postgres: PostgresSettings
  /** Undefined: gateways share only the store. */
  readonly lane?: LaneSettings | undefined
  readonly redis: RedisSettings
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly uploads: Uploads
  readonly probe: ProbeSettings
  /** The proxy that the environment names. Undefined: targets are reached directly. */
  readonly proxy?: ProxySettings | undefined
}

/** All problems of a configuration, each as `path: sentence`. None shows the value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used:\n${problems.join('\n')}`)
    this.problems = problems
  }
}

export interface ConfigSource {
  /** The path of the JSON file, which may have comments. Default: `COZE_GATEWAY_CONFIG` of `env`, unless `json` is given. */
  readonly file?: string | undefined
  /** The settings themselves, instead of a file. */
  readonly json?: unknown
  readonly env: Readonly<Record<string, string | undefined>>
  /** Default: the file system. */
  readonly readFile?: (path: string) => string
  /** `demo` accepts the demo's secrets. Default `serve`. */
  readonly mode?: 'serve' | 'demo'
}

/** The environment of this process. It is read only here. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...process.env }
}

/**
 * Reads all settings. Variables of the environment override the file.
 * Relative paths in the file are relative to the file; in the environment, to the working directory.
 * @throws {ConfigError} with every problem.
 */
export function parseConfig(source: ConfigSource): Config {
  const readFile = source.readFile ?? ((path) => readFileSync(path, 'utf8'))
  const file = source.file ?? source.env['COZE_GATEWAY_CONFIG']
  const raw = source.json ?? readJson(file, readFile)
  const cwd = process.cwd()
  const baseDir = source.json === undefined && file !== undefined ? dirname(resolve(file)) : cwd

  const mode = source.mode ?? 'serve'
  const schema = configSchema({ env: source.env, baseDir, readFile, mode })
  const { overrides, unknown } = readEnvironment(environmentSettings(schema), source.env, cwd)
  const byPath = new Map(overrides.map((override) => [formatPath(override.path), override]))
  const nameOf = (path: readonly PropertyKey[]) =>
    byPath.get(formatPath(path))?.name ?? formatPath(path)

  const settings = applyOverrides(raw, overrides)
  const parsed = schema.safeParse(settings, { error: describeIssue })
  const shared = parsed.data ? parsedProblems(parsed.data) : []
  const proxy = readProxy(source.env)
  const problems = [
    ...unknown.map((name) => `${name}: is not a variable of the gateway`),
    ...(proxy && 'problem' in proxy ? [`HTTPS_PROXY: ${proxy.problem}`] : []),
    ...(parsed.error?.issues.flatMap((issue) => problemLines(issue, nameOf)) ?? []),
    ...[...crossProblems(settings), ...shared].map(
      ([path, message]) => `${formatPath(path)}: ${message}`,
    ),
  ]
  if (parsed.data === undefined || problems.length > 0) throw new ConfigError(problems)
  return freeze({ ...parsed.data, ...(proxy && 'url' in proxy && { proxy }) })
}

function readJson(file: string | undefined, readFile: (path: string) => string): unknown {
  if (file === undefined) {
    throw new ConfigError(['configuration: no file is named: use --config or COZE_GATEWAY_CONFIG'])
  }
  let text: string
  try {
    text = readFile(file).replace(/^\ufeff/, '')
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read${errorCode(error)}`])
  }
  try {
    return JSON.parse(blankComments(text))
  } catch (error) {
    // The parser's message quotes the text around the mistake, which may be a secret: only its position is shown.
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const lines = text.slice(0, Number(position ?? 0)).split('\n')
    const where =
      position === undefined
        ? ''
        : ` (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`
    throw new ConfigError([`${file}: is not JSON${where}`])
  }
}

/** Comments are replaced by spaces, so that error positions stay right. */
function blankComments(text: string): string {
  const textOrComment = /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
  return text.replaceAll(textOrComment, (found) =>
    found.startsWith('"') ? found : found.replaceAll(/\S/g, ' '),
  )
}

/** The settings of the file, overridden by those of the environment. The schema refuses what is not an object. */
function applyOverrides(raw: unknown, overrides: readonly Override[]): unknown {
  if (!isPlain(raw)) return raw
  return overrides.reduce<unknown>((settings, { path, value }) => put(settings, path, value), raw)
}

function put(settings: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value
  const section = settings ?? {}
  return isPlain(section) ? { ...section, [name]: put(section[name], rest, value) } : section
}

/** Freezes plain objects and lists at all depths. Secrets and keys protect themselves. */
function freeze<T>(value: T): T {
  if (!Array.isArray(value) && !isPlain(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
