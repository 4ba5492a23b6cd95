import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Secret } from '../lib/secret.ts'
import { publicKeySchema } from './public-key.ts'
import { secretSchema, type SecretSource } from './secret-source.ts'
import { isHttpsOrLoopback, isPlainHttp } from './upstream-url.ts'

const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const
const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const otherAlgorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const
const algorithms = [...secretAlgorithms, ...rsaAlgorithms, ...otherAlgorithms] as const
export type Algorithm = (typeof algorithms)[number]

/**
 * A key of an issuer, or the place where its keys are published. Every source pins its own algorithms, so that a public key
 * can never be taken for a shared secret.
 */
export type KeySource = { readonly algorithms: readonly Algorithm[] } & (
  | RemoteKeySource
  | { readonly type: 'public-key'; readonly key: KeyObject }
  | { readonly type: 'secret'; readonly secret: Secret }
)

/** `url` is the URL of the key set, or of the discovery document that names the key set. */
export type RemoteKeySource = JwksSettings & {
  readonly type: 'jwks' | 'discovery'
  readonly url: string
}

const jwksSchema = z.strictObject({
  cooldownSeconds: z
    .number()
    .int()
    .min(1)
    .max(3_600)
    .default(30)
    .meta({ description: 'The least time between two fetches of the keys.', unit: 'seconds' }),
  maxAgeSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(600)
    .meta({ description: 'The age at which fetched keys are fetched again.', unit: 'seconds' }),
  maxStaleSeconds: z.number().int().min(1).max(604_800).default(3_600).meta({
    description: 'How long fetched keys are used while the issuer cannot be reached.',
    unit: 'seconds',
  }),
  timeoutMs: z
    .number()
    .int()
    .min(1)
    .max(60_000)
    .default(5_000)
    .meta({ description: 'The time limit of one fetch.', unit: 'ms' }),
  maxBytes: z
    .number()
    .int()
    .min(256)
    .max(1_048_576)
    .default(65_536)
    .meta({ description: 'The largest key set or discovery document.', unit: 'bytes' }),
})
export type JwksSettings = Readonly<z.output<typeof jwksSchema>>

/** Characters of a text that must still be filled in, or of a pattern. No token contains them. */
export const placeholder = /[{}<>*]|\$\(/
const discoveryPath = /\/\.well-known\/(openid-configuration|oauth-authorization-server)/
/** The settings of a key source. They stand in the entry of an issuer, or in its list of `keys`. */
export function keySourceSettings(source: SecretSource) {
  return {
    jwksUrl: z
      .string()
      .refine((url) => !placeholder.test(safeDecode(url)), { error: 'is a template: fill it in' })
      .refine((url) => !discoveryPath.test(url), {
        error:
          'is the discovery document: use the "jwks_uri" that stands in it, or leave "jwksUrl" out',
      })
      .optional()
      .meta({ description: "The URL of the issuer's key set (JWKS)." }),
    discovery: z.literal(true).optional().meta({
      description:
        'The key set is found through the discovery document of the issuer, `/.well-known/openid-configuration` under its URL.',
    }),
    publicKey: publicKeySchema(source)
      .optional()
      .meta({ description: "The issuer's public key: PEM, a certificate, or a JWK." }),
    secret: secretSchema(source, { minLength: 32 })
      .optional()
      .meta({ description: 'The secret that the issuer signs with.' }),
    algorithms: z.array(z.enum(algorithms)).min(1).optional().meta({
      description:
        'The signature algorithms that are accepted. The default is RS256 for published keys, HS256 for a secret, and what fits the key for a public key.',
    }),
    jwks: jwksSchema.optional(),
  }
}

type GivenKeySource = Readonly<{
  jwksUrl?: string | undefined
  discovery?: true | undefined
  publicKey?: KeyObject | undefined
  secret?: Secret | undefined
  algorithms?: readonly Algorithm[] | undefined
  jwks?: JwksSettings | undefined
}>

/** The normal form of a key source whose settings are known to fit together. */
export function toKeySource(
  given: GivenKeySource,
  { issuer, allowPlainHttp }: { readonly issuer: string; readonly allowPlainHttp: boolean },
  report: (path: PropertyKey[], message: string) => void,
): KeySource | undefined {
  const { jwksUrl, publicKey, secret, algorithms: chosen } = given
  const remote = jwksSchema.parse(given.jwks ?? {})
  const url = jwksUrl ?? discoveryUrl(issuer)
  const isRemote = publicKey === undefined && secret === undefined
  const isAllowed = allowPlainHttp && isPlainHttp(url) && !url.includes('@')
  if (isRemote && !isHttpsOrLoopback(url) && !isAllowed) {
    const message = 'must be an https URL (http on loopback, or with "allowPlainHttp")'
    report([jwksUrl === undefined ? 'issuer' : 'jwksUrl'], message)
    return undefined
  }
  const key =
    publicKey !== undefined
      ? ({ type: 'public-key', key: publicKey } as const)
      : secret !== undefined
        ? ({ type: 'secret', secret } as const)
        : ({ type: jwksUrl === undefined ? 'discovery' : 'jwks', url, ...remote } as const)
  const fitting = algorithmsOf(key)
  const unfit = chosen?.filter((algorithm) => !fitting.includes(algorithm)) ?? []
  if (unfit.length > 0) {
    const message = `${unfit.join(', ')} cannot be used with this kind of key: use ${fitting.join(', ')}`
    report(['algorithms'], message)
  }
  return { ...key, algorithms: chosen ?? fitting.slice(0, 1) }
}

/** OpenID Connect Discovery 1.0 §4: the path is appended to the issuer, without its slash at the end. */
function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

function safeDecode(url: string): string {
  try {
    return decodeURI(url)
  } catch {
    return url
  }
}

/** The algorithms that a key can verify, the default first. */
function algorithmsOf(
  keys:
    | { readonly type: 'secret' | 'jwks' | 'discovery' }
    | { readonly type: 'public-key'; readonly key: KeyObject },
): readonly Algorithm[] {
  if (keys.type === 'secret') return secretAlgorithms
  if (keys.type !== 'public-key') return [...rsaAlgorithms, ...otherAlgorithms]
  const { asymmetricKeyType, asymmetricKeyDetails } = keys.key
  if (asymmetricKeyType === 'rsa') return rsaAlgorithms
  if (asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  const curve = asymmetricKeyDetails?.namedCurve
  if (curve === 'prime256v1') return ['ES256']
  return curve === 'secp384r1' ? ['ES384'] : curve === 'secp521r1' ? ['ES512'] : []
}
