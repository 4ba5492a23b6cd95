import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Secret } from '../../lib/secret.ts'
import { mendPem, pemSlip } from '../pem.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'
import { isHttpsOrLoopback } from '../upstream-url.ts'

const secretAlgorithms = ['HS256'] as const
const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const otherAlgorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const
const algorithms = [...secretAlgorithms, ...rsaAlgorithms, ...otherAlgorithms] as const
export type Algorithm = (typeof algorithms)[number]

/** The keys of an issuer, of one kind only: a public key can never be taken for a shared secret. */
export type IssuerKeys =
  | ({ readonly type: 'jwks'; readonly url: string } & JwksSettings)
  | { readonly type: 'public-key'; readonly key: KeyObject }
  | { readonly type: 'secret'; readonly secret: Secret }

/** One party whose tokens are accepted. */
export interface IssuerSettings {
  /** The exact `iss` claim. */
  readonly issuer: string
  /** The token's `aud` must name one of these. */
  readonly audience: readonly string[]
  /** Signature algorithms accepted from this issuer; all others are refused. */
  readonly algorithms: readonly Algorithm[]
  readonly keys: IssuerKeys
  /** The claim that names the caller. Another one than `sub` for issuers whose `sub` differs between clients. */
  readonly subjectClaim: string
  /** The claim that tells the issuer's tenants apart; required in its tokens if set. */
  readonly tenantClaim?: string | undefined
  /** The claim that holds scopes, as a list or separated by spaces. */
  readonly scopesClaim: string
  /** How far clocks may differ. */
  readonly clockToleranceSeconds: number
}

const jwksSchema = z
  .strictObject({
    cooldownSeconds: z.number().int().min(1).max(3_600).default(30).meta({
      description: 'The least time between two fetches.',
      unit: 'seconds',
    }),
    maxAgeSeconds: z.number().int().min(1).max(86_400).default(600).meta({
      description: 'Age at which fetched keys are fetched again.',
      unit: 'seconds',
    }),
    maxStaleSeconds: z.number().int().min(1).max(604_800).default(3_600).meta({
      description: 'How long fetched keys are used while the issuer cannot be reached.',
      unit: 'seconds',
    }),
    timeoutMs: z.number().int().min(1).max(60_000).default(5_000).meta({
      description: 'For the whole answer of a fetch.',
      unit: 'ms',
    }),
    maxBytes: z.number().int().min(256).max(1_048_576).default(65_536).meta({
      description: 'Size of a fetched key set.',
      unit: 'bytes',
    }),
  })
  .meta({ description: 'How the key set at `jwksUrl` is fetched.' })
export type JwksSettings = Readonly<z.output<typeof jwksSchema>>

const claimName = z.string().min(1).max(128)

/** Characters of templates, which no token holds: they are to be filled in, or stand for several values. */
const template = /[{}<>*]|\$\(/
const discovery = /\/\.well-known\/(openid-configuration|oauth-authorization-server)/
const audienceSchema = z
  .string()
  .min(1)
  .refine((text) => !template.test(text) && text.trim() === text, {
    error: 'must be the exact "aud" of the tokens: no template, no star, no spaces around it',
  })

/** Why no token has such an `iss`; undefined if one may. */
function issuerProblem(text: string): string | undefined {
  if (template.test(text)) return 'is a template: it must be the exact "iss" of the tokens'
  if (text.trim() !== text) return 'must have no spaces around it'
  if (text.includes('/.well-known/')) return 'must end before /.well-known/'
  if (/^https:\/\/login\.microsoftonline\.[a-z]+\/(common|organizations|consumers)\b/.test(text)) {
    return "must have the tenant's id: no token is issued by common, organizations or consumers"
  }
  return undefined
}

export function issuerSchema(source: SecretSource) {
  return z
    .strictObject({
      issuer: z
        .string()
        .min(1)
        .max(512)
        .superRefine((text, context) => {
          const problem = issuerProblem(text)
          if (problem !== undefined) context.addIssue(problem)
        })
        .meta({ description: 'The exact `iss` of the tokens.' }),
      audience: z
        .union([audienceSchema, z.array(audienceSchema).min(1)], {
          error: 'must be the audience that tokens are made for, or a list of them',
        })
        .meta({ description: 'The `aud` of the tokens, or a list of which it must name one.' }),
      algorithms: z.array(z.enum(algorithms)).min(1).optional().meta({
        description: 'Signature algorithms that are accepted. Left out: the usual one of the key.',
      }),
      jwksUrl: z
        .string()
        .refine(isHttpsOrLoopback, { error: 'must be an https URL (http only on loopback)' })
        .refine((url) => !template.test(decodeURI(url)), { error: 'is a template: fill it in' })
        .refine((url) => !discovery.test(url), {
          error: 'is the discovery document: use the "jwks_uri" that stands in it',
        })
        .optional()
        .meta({ description: "URL of the issuer's key set." }),
      jwks: jwksSchema.optional(),
      publicKey: publicKeySchema(source).optional().meta({
        description: 'A public key: as PEM or JWK, in place, from a file or from a variable.',
      }),
      secret: secretSchema(source, { minLength: 32 }).optional().meta({
        description: 'The shared secret of HMAC signatures; at least 32 characters.',
      }),
      subjectClaim: claimName.default('sub').meta({
        description: 'The claim that names the caller.',
      }),
      tenantClaim: claimName.optional().meta({
        description: "The claim that tells the issuer's tenants apart; its tokens must have it.",
      }),
      scopesClaim: claimName.default('scope').meta({
        description: 'The claim that holds scopes, as a list or separated by spaces.',
      }),
      clockToleranceSeconds: z.number().int().min(0).max(300).default(30).meta({
        description: 'How far clocks may differ.',
        unit: 'seconds',
      }),
    })
    .superRefine(
      (issuer, context) => {
        const given = (['jwksUrl', 'publicKey', 'secret'] as const).filter((key) => key in issuer)
        if (given.length !== 1) {
          context.addIssue('needs exactly one of "jwksUrl", "publicKey" and "secret"')
        }
        if (issuer.jwks !== undefined && !('jwksUrl' in issuer)) {
          context.addIssue({ code: 'custom', path: ['jwks'], message: 'is only for "jwksUrl"' })
        }
      },
      { when: ({ value }) => typeof value === 'object' && value !== null },
    )
    .transform((issuer, context): IssuerSettings => {
      const { jwksUrl, jwks, publicKey, secret, algorithms: chosen, ...rest } = issuer
      const keys: IssuerKeys | undefined =
        jwksUrl !== undefined
          ? { type: 'jwks', url: jwksUrl, ...jwksSchema.parse(jwks ?? {}) }
          : publicKey !== undefined
            ? { type: 'public-key', key: publicKey }
            : secret !== undefined
              ? { type: 'secret', secret }
              : undefined
      if (keys === undefined) return z.NEVER
      const fitting = algorithmsOf(keys)
      const unfit = chosen?.filter((algorithm) => !fitting.includes(algorithm)) ?? []
      if (unfit.length > 0) {
        const message = `${unfit.join(', ')} cannot be used with this kind of key: use ${fitting.join(', ')}`
        context.addIssue({ code: 'custom', path: ['algorithms'], message })
      }
      const audience = typeof rest.audience === 'string' ? [rest.audience] : rest.audience
      return { ...rest, audience, keys, algorithms: chosen ?? fitting.slice(0, 1) }
    })
}

/** What a key can verify, the default first. */
function algorithmsOf(keys: IssuerKeys): readonly Algorithm[] {
  if (keys.type === 'secret') return secretAlgorithms
  if (keys.type === 'jwks') return [...rsaAlgorithms, ...otherAlgorithms]
  const { asymmetricKeyType, asymmetricKeyDetails } = keys.key
  if (asymmetricKeyType === 'rsa') return rsaAlgorithms
  if (asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  const curve = asymmetricKeyDetails?.namedCurve
  if (curve === 'prime256v1') return ['ES256']
  return curve === 'secp384r1' ? ['ES384'] : curve === 'secp521r1' ? ['ES512'] : []
}

/** A PEM public key or certificate, or a JWK as an object or as text; PEM and text also by reference. */
function publicKeySchema(source: SecretSource) {
  return z.union([z.string(), z.looseObject({})]).transform((value, context): KeyObject => {
    const refuse = (message: string) => {
      context.addIssue(message)
      return z.NEVER
    }
    const given = typeof value === 'object' && 'kty' in value ? value : undefined
    const read = given ? undefined : secretSchema(source).safeParse(value)
    if (read?.error) return refuse(read.error.issues[0]?.message ?? '')
    const text = read?.data?.reveal() ?? ''
    const jwk = given ?? parseJwk(text)
    if (jwk ? 'd' in jwk : text.includes('PRIVATE KEY')) {
      return refuse('is a private key: the gateway needs the public one only')
    }
    try {
      const key = createPublicKey(jwk ? { key: jwk, format: 'jwk' } : mendPem(text))
      const bits = key.asymmetricKeyDetails?.modulusLength
      return bits !== undefined && bits < 2_048 ? refuse('must have at least 2048 bits') : key
    } catch {
      const slip = jwk ? undefined : pemSlip(mendPem(text))
      const wanted = 'must be a PEM public key or certificate, or a JWK'
      return refuse(slip === undefined ? wanted : `${wanted}: ${slip}`)
    }
  })
}

function parseJwk(text: string): JsonWebKeyInput['key'] | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return z.looseObject({}).parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
