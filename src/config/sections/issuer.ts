import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Secret } from '../../lib/secret.ts'
import { publicKeySchema } from '../public-key.ts'
import { secretSchema, type SecretSource } from '../secret-source.ts'
import { isHttpsOrLoopback } from '../upstream-url.ts'
import { issuerProblem, parseTemplate, type IssuerTemplate } from '../../domain/issuer-template.ts'

const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const
const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const otherAlgorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const
const algorithms = [...secretAlgorithms, ...rsaAlgorithms, ...otherAlgorithms] as const
export type Algorithm = (typeof algorithms)[number]

/**
 * A key of an issuer, or where its keys are published. Every source pins algorithms of its own, so that a public key can
 * never be taken for a shared secret.
 */
export type KeySource = { readonly algorithms: readonly Algorithm[] } & (
  | RemoteKeySource
  | { readonly type: 'public-key'; readonly key: KeyObject }
  | { readonly type: 'secret'; readonly secret: Secret }
)

/** `url` is the key set's, or that of the discovery document which names it. */
export type RemoteKeySource = JwksSettings & {
  readonly type: 'jwks' | 'discovery'
  readonly url: string
}

/** One party whose tokens are accepted. */
export interface IssuerSettings {
  /** The exact `iss` claim, or a template of it. */
  readonly issuer: string
  /** Set where `issuer` is a template. */
  readonly template?: IssuerTemplate | undefined
  /** The token's `aud` must name one of these. Undefined: `requiredClaims` names the client instead. */
  readonly audience?: readonly string[] | undefined
  /** Claims that must be there, each with the values that are accepted. */
  readonly requiredClaims: Readonly<Record<string, readonly string[]>>
  /** At least one. A token must be signed by a key of one of them. */
  readonly keys: readonly KeySource[]
  readonly subjectClaim: string
  readonly tenantClaim?: string | undefined
  readonly scopesClaim: string
  readonly clockToleranceSeconds: number
  readonly maxLifetimeSeconds: number
}

const jwksSchema = z.strictObject({
  cooldownSeconds: z
    .number()
    .int()
    .min(1)
    .max(3_600)
    .default(30)
    .meta({ description: 'The least time between two fetches of the keys.', unit: 's' }),
  maxAgeSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(600)
    .meta({ description: 'The age at which fetched keys are fetched again.', unit: 's' }),
  maxStaleSeconds: z.number().int().min(1).max(604_800).default(3_600).meta({
    description: 'How long fetched keys are used while the issuer cannot be reached.',
    unit: 's',
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

const claimName = z.string().min(1).max(128)

/** Characters of a text that is still to be filled in, or stands for several values. No token holds it. */
const placeholder = /[{}<>*]|\$\(/
const discoveryPath = /\/\.well-known\/(openid-configuration|oauth-authorization-server)/
const exactValue = z
  .string()
  .min(1)
  .refine((text) => !placeholder.test(text) && text.trim() === text, {
    error: 'must be the exact value in the tokens: no template, no star, no spaces around it',
  })
const oneOrMore = z.union([exactValue.transform((value) => [value]), z.array(exactValue).min(1)], {
  error: 'must be the exact value in the tokens, or a list of such values: no template, no star',
})

/** The claims in which providers name the application that a token was made for, where they set no `aud`. */
const clientClaims = ['azp', 'client_id', 'cid', 'appid'] as const

const maxSources = 8

export function issuerSchema(source: SecretSource) {
  const keySource = {
    jwksUrl: z
      .string()
      .refine((url) => !placeholder.test(safeDecode(url)), { error: 'is a template: fill it in' })
      .refine((url) => !discoveryPath.test(url), {
        error:
          'is the discovery document: use the "jwks_uri" that stands in it, or leave "jwksUrl" out',
      })
      .optional()
      .meta({ description: "Where the issuer's key set (JWKS) is published." }),
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
        .meta({
          description:
            'The exact `iss` of the tokens, or a template with one hole such as `{tid}`, which the claim of that name fills.',
        }),
      tenants: z.array(exactValue).min(1).optional().meta({
        description:
          'The values that may fill the hole of the issuer template. The default is every value.',
      }),
      audience: oneOrMore.optional().meta({
        description: 'The `aud` of the tokens must name one of these.',
      }),
      requiredClaims: z.record(claimName, oneOrMore).default({}).meta({
        description:
          'Claims that must have one of the given values. Without `audience`, one of `azp`, `client_id`, `cid` and `appid` must be among them.',
      }),
      ...keySource,
      keys: z.array(z.strictObject(keySource)).min(1).max(maxSources).optional().meta({
        description:
          'Several key sources, where an issuer changes from one to another. Each has its own algorithms.',
      }),
      allowPlainHttp: z.boolean().default(false).meta({
        description:
          'Fetches keys over `http:` from hosts other than loopback. Whoever is on the way can then sign in as anybody.',
      }),
      subjectClaim: claimName
        .default('sub')
        .meta({ description: 'The claim that names the user.' }),
      tenantClaim: claimName.optional().meta({
        description:
          "The claim that tells the issuer's tenants apart. Its tokens must have it if it is set.",
      }),
      scopesClaim: claimName.default('scope').meta({
        description: 'The claim that holds the scopes: a list, or text with spaces.',
      }),
      clockToleranceSeconds: z
        .number()
        .int()
        .min(0)
        .max(300)
        .default(30)
        .meta({ description: 'How far the clocks may differ.', unit: 's' }),
      maxLifetimeSeconds: z.number().int().min(1).max(315_360_000).default(604_800).meta({
        description:
          'Tokens that live longer are refused. A stolen token is good until it expires.',
        unit: 's',
      }),
    })
    .superRefine(checkKeySources, {
      when: ({ value }) => typeof value === 'object' && value !== null,
    })
    .transform((issuer, context): IssuerSettings => {
      const {
        jwksUrl,
        discovery,
        publicKey,
        secret,
        algorithms,
        jwks,
        keys: list,
        ...rest
      } = issuer
      const { allowPlainHttp, tenants, ...settings } = rest
      const own = { jwksUrl, discovery, publicKey, secret, algorithms, jwks }
      const paths = list?.map((_, index) => ['keys', index]) ?? [[]]
      const keys = (list ?? [own]).map((given, index) =>
        toKeySource(given, { issuer: issuer.issuer, allowPlainHttp }, (path, message) =>
          context.addIssue({ code: 'custom', path: [...(paths[index] ?? []), ...path], message }),
        ),
      )
      const template = parseTemplate(issuer.issuer, tenants)
      return { ...settings, keys: keys.filter((each) => each !== undefined), template }
    })
}

type GivenKeySource = Readonly<{
  jwksUrl?: string | undefined
  discovery?: true | undefined
  publicKey?: KeyObject | undefined
  secret?: Secret | undefined
  algorithms?: readonly Algorithm[] | undefined
  jwks?: JwksSettings | undefined
}>

const sourceNames = ['jwksUrl', 'discovery', 'publicKey', 'secret'] as const
const sourceList = '"jwksUrl", "discovery", "publicKey" and "secret"'

/** Runs over what was written, so that its problems are reported together with those of the values. */
function checkKeySources(
  issuer: Readonly<{
    issuer?: unknown
    keys?: unknown
    tenants?: unknown
    audience?: unknown
    requiredClaims?: unknown
    jwks?: unknown
  }>,
  context: z.RefinementCtx,
): void {
  const report = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message })
  const text = typeof issuer.issuer === 'string' ? issuer.issuer : ''
  const isTemplate = text.includes('{')
  const lists: [PropertyKey[], object][] = Array.isArray(issuer.keys)
    ? issuer.keys.flatMap((each: unknown, index) =>
        typeof each === 'object' && each !== null ? [[['keys', index], each]] : [],
      )
    : [[[], issuer]]
  const beside = [...sourceNames, 'algorithms', 'jwks'].filter((name) => name in issuer)
  if (issuer.keys !== undefined && beside.length > 0) {
    report([], `has "keys", so ${beside.map((name) => `"${name}"`).join(', ')} must stand in there`)
  }
  for (const [path, given] of lists) {
    const names = sourceNames.filter((name) => name in given)
    const [name = path.length === 0 ? 'discovery' : undefined] = names
    if (names.length > 1 || name === undefined) report(path, `needs exactly one of ${sourceList}`)
    else if (name === 'discovery' && isTemplate) {
      report(path, `needs "jwksUrl": a template has no discovery document`)
    } else if (name === 'discovery' && !/^https?:\/\//.test(text)) {
      report(path, `needs exactly one of ${sourceList}: the issuer is no URL to discover keys at`)
    }
    if ('jwks' in given && name !== 'jwksUrl' && name !== 'discovery') {
      report([...path, 'jwks'], 'is only for published keys')
    }
  }
  if (issuer.tenants !== undefined && !isTemplate) {
    report(['tenants'], 'is only for an issuer that is a template, such as {tid}')
  }
  const required = issuer.requiredClaims ?? {}
  if (issuer.audience === undefined && !clientClaims.some((name) => name in Object(required))) {
    const message = `is missing: without it "requiredClaims" must have one of ${clientClaims.join(', ')}, or tokens made for any other application would be accepted`
    report(['audience'], message)
  }
}

function toKeySource(
  given: GivenKeySource,
  { issuer, allowPlainHttp }: { readonly issuer: string; readonly allowPlainHttp: boolean },
  report: (path: PropertyKey[], message: string) => void,
): KeySource | undefined {
  const { jwksUrl, publicKey, secret, algorithms: chosen } = given
  const remote = jwksSchema.parse(given.jwks ?? {})
  const url = jwksUrl ?? discoveryUrl(issuer)
  const isRemote = publicKey === undefined && secret === undefined
  if (isRemote && !(isHttpsOrLoopback(url) || (allowPlainHttp && isPlainHttp(url)))) {
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

function isPlainHttp(text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'http:' && url.username === '' && url.password === ''
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
