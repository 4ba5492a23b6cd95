import { z } from 'zod'
import { keySourceSettings, placeholder, toKeySource, type KeySource } from '../key-source.ts'
import type { SecretSource } from '../secret-source.ts'
import { issuerProblem, parseTemplate, type IssuerTemplate } from '../../domain/issuer-template.ts'

/** One party whose tokens are accepted. */
export interface IssuerSettings {
  /** The exact `iss` claim, or a template of it. */
  readonly issuer: string
  /** Set if `issuer` is a template. */
  readonly template?: IssuerTemplate | undefined
  /** The token's `aud` must name one of these. Undefined: `requiredClaims` names the client instead. */
  readonly audience?: readonly string[] | undefined
  /** Claims that are required, each with its accepted values. */
  readonly requiredClaims: Readonly<Record<string, readonly string[]>>
  /** At least one. A token must be signed by a key of one of them. */
  readonly keys: readonly KeySource[]
  readonly subjectClaim: string
  readonly tenantClaim?: string | undefined
  readonly scopesClaim: string
  readonly clockToleranceSeconds: number
  readonly maxLifetimeSeconds: number
}

const claimName = z.string().min(1).max(128)

const exactValue = z
  .string()
  .min(1)
  .refine((text) => !placeholder.test(text) && text.trim() === text, {
    error: 'must be the exact value in the tokens: no template, no star, no spaces around it',
  })
const oneOrMore = z.union([exactValue.transform((value) => [value]), z.array(exactValue).min(1)], {
  error: 'must be the exact value in the tokens, or a list of such values: no template, no star',
})

/** A week, which is usually the most that providers allow. */
export const defaultMaxLifetimeSeconds = 604_800

/** The claims by which providers that set no `aud` name the application of a token. */
const clientClaims = ['azp', 'client_id', 'cid', 'appid'] as const

const maxSources = 8

export function issuerSchema(source: SecretSource) {
  const keySource = keySourceSettings(source)
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
          'Several key sources, for an issuer that migrates from one to another. Each has its own algorithms.',
      }),
      allowPlainHttp: z.boolean().default(false).meta({
        description:
          'Whether keys may be fetched over `http:` from hosts other than loopback. Everybody on the network path can then sign in as anybody.',
      }),
      subjectClaim: claimName
        .default('sub')
        .meta({ description: 'The claim that names the user.' }),
      tenantClaim: claimName.optional().meta({
        description:
          'The claim that names the tenant. If it is set, tokens without the claim are refused.',
      }),
      scopesClaim: claimName.default('scope').meta({
        description: 'The claim with the scopes: a list, or text with spaces.',
      }),
      clockToleranceSeconds: z
        .number()
        .int()
        .min(0)
        .max(300)
        .default(30)
        .meta({ description: 'The largest accepted difference of clocks.', unit: 'seconds' }),
      maxLifetimeSeconds: z
        .number()
        .int()
        .min(1)
        .max(315_360_000)
        .default(defaultMaxLifetimeSeconds)
        .meta({
          description:
            'The longest lifetime of a token. Tokens that live longer are refused, since a stolen token is good until it expires.',
          unit: 'seconds',
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

const sourceNames = ['jwksUrl', 'discovery', 'publicKey', 'secret'] as const
const sourceList = '"jwksUrl", "discovery", "publicKey" and "secret"'

/** Checks the text of the settings, so that its problems are reported together with those of the values. */
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
