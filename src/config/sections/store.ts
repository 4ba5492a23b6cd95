import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { durabilities } from '../../domain/durability.ts'
import { type SecretSource, secretSchema } from '../secret-source.ts'

/** The engine that remembers, and where. */
export type StoreSettings =
  /** `file` is absolute, or `:memory:`, which forgets at the end of the process. */
  | { readonly engine: 'sqlite'; readonly file: string }
  /** The password is not in the URL. */
  | { readonly engine: 'postgres'; readonly url: string }

/** Relative paths are relative to `baseDir`. */
export function storeSchema(baseDir: string) {
  const store = z.string().transform((text, context): StoreSettings => {
    const file = /^sqlite:(?!\/\/|~)(.*[^/])$/s.exec(text)?.[1]
    if (file === ':memory:') return { engine: 'sqlite', file }
    if (file !== undefined) {
      return { engine: 'sqlite', file: isAbsolute(file) ? file : resolve(baseDir, file) }
    }
    const isPostgres = /^postgres(?:ql)?:/.test(text)
    const problem = isPostgres ? problemOf(text) : noEngine
    if (problem === undefined) return { engine: 'postgres', url: text }
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  })
  return store.prefault('sqlite:data/gateway.db').meta({
    description:
      'The store: `sqlite:PATH`, or `sqlite::memory:`, which forgets everything when the process ends, or `postgres://USER@HOST/DATABASE?sslmode=verify-full` for a PostgreSQL server, see [Operations](operations.md#postgresql).',
    isPath: true,
  })
}

const noEngine =
  'must be sqlite:PATH, the path of a file as it is, or sqlite::memory:, or postgres://USER@HOST/DATABASE'

export const requireDurabilitySchema = z.enum(durabilities).default('none').meta({
  description:
    'What an acknowledged message has to survive: `process`, the end of the gateway; `disk`, a crash of the machine that has the store; `failover`, the loss of that machine. The gateway does not start on a store that promises less, see [Operations](operations.md#what-an-acknowledged-message-survives).',
})

/** Options of a URL that say how the server is reached; the others would be lost behind a pooler. */
const urlOptions = ['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']

function problemOf(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'must be postgres://USER@HOST/DATABASE'
  if (url.password !== '') return 'must not have a password, which goes into postgres.password'
  if (url.pathname.length < 2) return 'must name the database: postgres://USER@HOST/DATABASE'
  const unknown = [...url.searchParams.keys()].find((name) => !urlOptions.includes(name))
  if (unknown !== undefined)
    return `has the option ${unknown}: it may have ${urlOptions.join(', ')}`
  const mode = url.searchParams.get('sslmode')
  if (mode === 'disable' || mode === 'verify-full') return undefined
  if (mode !== null) return 'must have sslmode=verify-full or sslmode=disable'
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  const isLocal = ['', 'localhost', '127.0.0.1', '[::1]'].includes(host) || host.startsWith('/')
  if (isLocal) return undefined
  return 'must say whether the server is reached by TLS: sslmode=verify-full, or sslmode=disable in a network of your own'
}

export function postgresSchema(source: SecretSource) {
  return z
    .strictObject({
      password: secretSchema(source)
        .optional()
        .meta({ description: 'The password of the user that `store` names.' }),
      maxConnections: z.number().int().min(2).max(200).default(10).meta({
        description:
          'Connections to the server that are open at once, beside one for the heartbeat.',
        unit: 'connections',
      }),
      deadAfterMs: z.number().int().min(2_000).max(300_000).default(15_000).meta({
        description:
          'How long another instance on the same database must be silent until what it runs is taken over.',
        unit: 'ms',
      }),
    })
    .meta({ description: 'The connections to PostgreSQL, where `store` names a server.' })
}
export type PostgresSettings = Readonly<z.output<ReturnType<typeof postgresSchema>>>
