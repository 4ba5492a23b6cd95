import { z } from 'zod'
import { Secret } from '../../lib/secret.ts'
import { mendPem } from '../pem.ts'
import { type SecretSource, secretSchema } from '../secret-source.ts'

export interface LaneHost {
  readonly host: string
  readonly port: number
}

/** Where Redis is. Passwords are not in the URL. */
export type LaneSettings = {
  readonly isTls: boolean
  /** Undefined: the default user of the server. */
  readonly user: string | undefined
} & (
  | { readonly kind: 'server'; readonly hosts: readonly [LaneHost]; readonly database: number }
  | {
      readonly kind: 'sentinel'
      /** The addresses of the sentinels. */
      readonly hosts: readonly LaneHost[]
      /** The name that the sentinels have for the server. */
      readonly master: string
    }
  | { readonly kind: 'cluster'; readonly hosts: readonly LaneHost[] }
)

export const laneSchema = z
  .string()
  .transform((text, context): LaneSettings => {
    const lane = readLane(text)
    if (typeof lane !== 'string') return lane
    context.addIssue({ code: 'custom', message: lane })
    return z.NEVER
  })
  .meta({
    description:
      'The Redis or Valkey server that carries running text between gateways and shares access tokens and limits: `redis://USER@HOST:6379/0`, or `rediss://` with TLS; `redis+sentinel://USER@HOST,HOST/MASTER` or `redis+cluster://USER@HOST,HOST`, or either with `rediss+`, see [Operations](operations.md#redis).',
  })

const shape =
  'must be redis://USER@HOST:6379, redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST, or each with rediss'

/** A sentence where the text is none that can be used. */
function readLane(text: string): LaneSettings | string {
  const parts = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?$/
  const [found, scheme, kind, login = '', list = '', path = ''] = parts.exec(text) ?? []
  if (found === undefined) return shape
  if (login.includes(':')) return 'must not have a password, which goes into redis.password'
  const hosts = list.split(',').map((one) => readHost(one, kind === 'sentinel' ? 26_379 : 6379))
  const [first] = hosts
  if (first === undefined || !hosts.every((host) => host !== undefined)) return shape
  const user = readText(login)
  const name = readText(path)
  if (user === undefined || name === undefined) return shape
  const common = { isTls: scheme === 'rediss', user: user === '' ? undefined : user }
  switch (kind) {
    case 'sentinel':
      if (name === '') return 'must name the server: redis+sentinel://HOST,HOST/MASTER'
      return { ...common, kind, hosts, master: name }
    case 'cluster':
      if (name !== '') return 'must not name a database, since a cluster has only one'
      return { ...common, kind, hosts }
    default:
      if (hosts.length > 1)
        return 'must name one server, or be redis+sentinel:// or redis+cluster://'
      if (!/^\d{0,4}$/.test(name)) return 'must name the database by its number: redis://HOST/0'
      return { ...common, kind: 'server', hosts: [first], database: Number(name) }
  }
}

function readHost(text: string, defaultPort: number): LaneHost | undefined {
  const url = URL.parse(`redis://${text}`)
  if (url === null || url.hostname === '' || url.pathname.length > 1) return undefined
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
  }
}

function readText(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

export function redisSchema(source: SecretSource) {
  const pem = (description: string) =>
    secretSchema(source)
      .refine((secret) => secret.reveal().includes('-----BEGIN '), {
        error: 'must be PEM, or { "file": "path" } of a file that has it',
      })
      .transform((secret) => new Secret(mendPem(secret.reveal())))
      .optional()
      .meta({ description })
  return z
    .strictObject({
      password: secretSchema(source).optional().meta({
        description: 'The password of the user that `lane` names.',
      }),
      sentinelPassword: secretSchema(source).optional().meta({
        description: 'The password of the sentinels themselves, where they have one.',
      }),
      ca: pem(
        'The certificates, as PEM, that sign the certificate of the server. Left out, those that Node.js knows.',
      ),
      certificate: pem('The certificate of the gateway, as PEM, where the server wants one.'),
      privateKey: pem('The private key of that certificate, as PEM.'),
      prefix: z
        .string()
        .regex(/^[\w:.-]{1,64}$/, {
          error: 'must have 1 to 64 letters, digits, or any of : . _ -',
        })
        .default('coze-gateway:')
        .meta({
          description:
            'The beginning of every key and channel. Installations that share a server need one each.',
        }),
      protocol: z.number().int().min(2).max(3).default(3).meta({
        description: 'The version of the Redis protocol: 3, or 2 for a proxy that knows no other.',
      }),
      timeoutMs: z.number().int().min(5).max(1000).default(50).meta({
        description:
          'The longest that anything waits for Redis. After one command that takes longer nothing waits, until Redis answers in time again.',
        unit: 'ms',
      }),
    })
    .refine(
      ({ certificate, privateKey }) => (certificate === undefined) === (privateKey === undefined),
      {
        error: 'must have both certificate and privateKey, or neither',
      },
    )
    .meta({ description: 'The connection to Redis, where `lane` names a server.' })
}
export type RedisSettings = Readonly<z.output<ReturnType<typeof redisSchema>>>
