import { resolve } from 'node:path'
import { limitsSchema } from './sections/limits.ts'
import { probeSchema } from './sections/probe.ts'
import { listenSchema, loggingSchema, metricsSchema } from './sections/process.ts'
import { timeoutsSchema } from './sections/timeouts.ts'

const prefix = 'COZE_GATEWAY_'

/**
 * A scalar that an environment variable overrides. Its name is the path in capitals:
 * `timeouts.keepAliveMs` is `COZE_GATEWAY_TIMEOUTS_KEEP_ALIVE_MS`.
 */
export interface EnvironmentSetting {
  readonly name: string
  readonly path: readonly [string] | readonly [string, string] | readonly [string, string, string]
  readonly kind: 'text' | 'number' | 'boolean' | 'secret' | 'store' | 'file'
}

/** Every setting that has a variable. Lists (issuers, API keys, assistants, origins, name keys) are in the file only. */
export const environmentSettings: readonly EnvironmentSetting[] = [
  ...section('listen', Object.keys(listenSchema.shape)),
  ...section('metrics', Object.keys(metricsSchema.shape)),
  ...section('logging', Object.keys(loggingSchema.shape)),
  setting(['path'], 'text'),
  setting(['graphiql'], 'boolean'),
  setting(['introspection'], 'boolean'),
  setting(['persistedDocuments', 'file'], 'file'),
  setting(['persistedDocuments', 'only'], 'boolean'),
  setting(['trustProxy'], 'number'),
  setting(['cookie', 'name'], 'text'),
  setting(['cookie', 'sameSite'], 'text'),
  setting(['guests', 'key'], 'secret'),
  setting(['guests', 'lifetimeSeconds'], 'number'),
  setting(['guests', 'perMinutePerAddress'], 'number'),
  setting(['guests', 'perMinute'], 'number'),
  setting(['operatorScope'], 'text'),
  setting(['store'], 'store'),
  setting(['session', 'key'], 'secret'),
  setting(['session', 'nameClaim', 'issuer'], 'text'),
  setting(['session', 'nameClaim', 'claim'], 'text'),
  ...section('timeouts', Object.keys(timeoutsSchema.shape)),
  ...section('limits', Object.keys(limitsSchema.shape)),
  ...section('probe', Object.keys(probeSchema.shape)),
]

/** A variable of the environment, and what it sets. */
export interface Override {
  readonly name: string
  readonly path: EnvironmentSetting['path']
  readonly value: unknown
}

/** What the environment sets, and the variables that set nothing we know. Relative paths are made absolute from `cwd`. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): { readonly overrides: readonly Override[]; readonly unknown: readonly string[] } {
  const names = Object.keys(env).filter((name) => name.startsWith(prefix))
  const overrides = names.flatMap((name): Override[] => {
    const text = env[name]
    if (text === undefined || isServiceLink(name, text)) return []
    const direct = byName.get(name)
    if (direct) return [{ name, path: direct.path, value: parseScalar(text, direct.kind, cwd) }]
    const secret = byName.get(name.replace(/_FILE$/, ''))
    if (secret?.kind !== 'secret') return []
    return [{ name, path: secret.path, value: { file: resolve(cwd, text) } }]
  })
  const known = new Set([...overrides.map(({ name }) => name), `${prefix}CONFIG`])
  return {
    overrides,
    unknown: names.filter((name) => !known.has(name) && !isServiceLink(name, env[name] ?? '')),
  }
}

const byName: ReadonlyMap<string, EnvironmentSetting> = new Map(
  environmentSettings.map((entry) => [entry.name, entry]),
)

/**
 * Kubernetes sets these by itself in every container beside a service whose name begins with `coze-gateway`. One called
 * `coze-gateway-metrics` gives `COZE_GATEWAY_METRICS_PORT` the value `tcp://10.0.0.1:9000`, over our own setting.
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(name) ||
    (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value))
  )
}

function parseScalar(text: string, kind: EnvironmentSetting['kind'], cwd: string): unknown {
  if (kind === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (kind === 'file') return resolve(cwd, text)
  if (kind !== 'store' || text === 'sqlite::memory:') return text
  return text.replace(/^sqlite:(.+)$/s, (_, path: string) => `sqlite:${resolve(cwd, path)}`)
}

function section(name: string, keys: readonly string[]): readonly EnvironmentSetting[] {
  const kinds: Readonly<Record<string, EnvironmentSetting['kind']>> = {
    host: 'text',
    level: 'text',
    requiredForReady: 'boolean',
    checkAtStart: 'boolean',
  }
  return keys.map((key) => setting([name, key], kinds[key] ?? 'number'))
}

function setting(
  path: EnvironmentSetting['path'],
  kind: EnvironmentSetting['kind'],
): EnvironmentSetting {
  const words = path.map((word) => word.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase())
  return { name: `${prefix}${words.join('_')}`, path, kind }
}
