import { resolve } from 'node:path'
import { z } from 'zod'
import { secretReference } from './secret-source.ts'

const prefix = 'COZE_GATEWAY_'

/** A scalar that an environment variable overrides. */
export interface EnvironmentSetting {
  /** The name is the path in capitals: `timeouts.keepAliveMs` is `COZE_GATEWAY_TIMEOUTS_KEEP_ALIVE_MS`. */
  readonly name: string
  readonly path: readonly string[]
  readonly kind: 'text' | 'number' | 'boolean' | 'secret' | 'path'
}

/** All settings with a variable: every scalar. Lists and records can only be set in the file. */
export function environmentSettings(
  schema: z.core.$ZodType,
  path: readonly string[] = [],
): readonly EnvironmentSetting[] {
  const written = writtenType(schema)
  if (written instanceof z.ZodObject) {
    return Object.entries(written.shape).flatMap(([key, part]) =>
      environmentSettings(part, [...path, key]),
    )
  }
  const kind = z.globalRegistry.get(schema)?.['isPath'] === true ? 'path' : kindOf(written)
  if (kind === undefined) return []
  const words = path.map((word) => word.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase())
  return [{ name: `${prefix}${words.join('_')}`, path, kind }]
}

/** The type of the value in the file, before defaults and transforms. */
function writtenType(type: z.core.$ZodType): z.core.$ZodType {
  if (type instanceof z.ZodPipe) return writtenType(type.def.in)
  return type instanceof z.ZodOptional ||
    type instanceof z.ZodDefault ||
    type instanceof z.ZodPrefault
    ? writtenType(type.def.innerType)
    : type
}

function kindOf(type: z.core.$ZodType): EnvironmentSetting['kind'] | undefined {
  if (type === secretReference) return 'secret'
  if (type instanceof z.ZodNumber) return 'number'
  if (type instanceof z.ZodBoolean) return 'boolean'
  return type instanceof z.ZodString || type instanceof z.ZodEnum ? 'text' : undefined
}

/** A variable of the environment and the setting that it sets. */
export interface Override {
  readonly name: string
  readonly path: readonly string[]
  readonly value: unknown
}

/** The settings of the environment, and the variables without a setting. Relative paths are made absolute from `cwd`. */
export function readEnvironment(
  settings: readonly EnvironmentSetting[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): { readonly overrides: readonly Override[]; readonly unknown: readonly string[] } {
  const byName = new Map(settings.map((setting) => [setting.name, setting]))
  const names = Object.keys(env).filter(
    (name) => name.startsWith(prefix) && !isServiceLink(name, env[name] ?? ''),
  )
  const overrides = names.flatMap((name): Override[] => {
    const text = env[name]
    if (text === undefined) return []
    const direct = byName.get(name)
    if (direct) return [{ name, path: direct.path, value: parseScalar(text, direct.kind, cwd) }]
    const secret = byName.get(name.replace(/_FILE$/, ''))
    if (secret?.kind !== 'secret') return []
    return [{ name, path: secret.path, value: { file: resolve(cwd, text) } }]
  })
  const known = new Set([...overrides.map(({ name }) => name), `${prefix}CONFIG`])
  return { overrides, unknown: names.filter((name) => !known.has(name)) }
}

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
  switch (kind) {
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : text
    case 'path':
      return absolutePath(text, cwd)
    case 'text':
    case 'secret':
      return text
  }
}

/** A path may follow the name of the store's engine, and a store may be no file at all. */
function absolutePath(text: string, cwd: string): string {
  if (text === 'sqlite::memory:' || /^postgres(?:ql)?:/.test(text)) return text
  const [, engine = '', path = ''] = /^(sqlite:)?(.*)$/s.exec(text) ?? []
  return path === '' ? text : `${engine}${resolve(cwd, path)}`
}
