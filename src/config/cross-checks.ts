import { z } from 'zod'
import { isPlain } from '../lib/plain.ts'
import type { ApiKeySettings } from './sections/api-keys.ts'
import type { AssistantSettings } from './sections/assistant.ts'
import { type GuestSettings, reservedIssuer } from './sections/guests.ts'
import { defaultMaxLifetimeSeconds, type IssuerSettings } from './sections/issuer.ts'
import type { LaneHost, LaneSettings, RedisSettings } from './sections/lane.ts'
import type { ProbeSettings } from './sections/probe.ts'
import type { ListenAddress } from './sections/process.ts'
import { isPlainHttp, isRegion } from './upstream-url.ts'

/** The path of a setting, and its problem. */
type Problem = readonly [path: readonly PropertyKey[], message: string]

/** The unparsed settings that the cross-checks need. The schema of each section reports the section's own problems. */
const glimpseSchema = z.object({
  issuers: z.array(z.object({ issuer: z.string() }).catch({ issuer: '' })).catch([]),
  apiKeys: z
    .array(
      z
        .object({ id: z.string().catch(''), sha256: z.string().toLowerCase().catch('') })
        .catch({ id: '', sha256: '' }),
    )
    .catch([]),
  guests: z.unknown().optional(),
  assistants: z
    .array(
      z
        .object({ id: z.string().catch(''), name: z.string().catch('') })
        .catch({ id: '', name: '' }),
    )
    .catch([]),
  session: z
    .object({
      nameKeys: z.array(z.unknown()).default([]),
      nameClaim: z.object({ issuer: z.string() }).optional(),
    })
    .optional()
    .catch(undefined),
})

/**
 * Problems between sections. They are found in unparsed settings, so that they are reported together with those of the
 * sections.
 */
export function crossProblems(settings: unknown): readonly Problem[] {
  const glimpse = glimpseSchema.safeParse(settings).data
  if (glimpse === undefined) return []
  const { issuers, apiKeys, guests, assistants, session } = glimpse
  const onlyIssuers = apiKeys.length === 0 && guests === undefined
  const nameKeys = session?.nameKeys
  const nameClaim = session?.nameClaim
  const repeated = (list: string, key: string, values: readonly string[]) =>
    repeats(values).map((index) => [[list, index, key], 'is used by another entry'] as const)
  return [
    ...repeated(
      'issuers',
      'issuer',
      issuers.map(({ issuer }) => issuer),
    ),
    ...repeated(
      'apiKeys',
      'id',
      apiKeys.map(({ id }) => id),
    ),
    ...repeated(
      'apiKeys',
      'sha256',
      apiKeys.map(({ sha256 }) => sha256),
    ),
    ...repeated(
      'assistants',
      'id',
      assistants.map(({ id }) => id),
    ),
    ...repeated(
      'assistants',
      'name',
      assistants.map(({ name }) => name),
    ),
    ...issuers.flatMap(({ issuer }, index) =>
      issuer === reservedIssuer
        ? [[['issuers', index, 'issuer'], 'is reserved for the tokens of guests'] as const]
        : [],
    ),
    ...(hasNoEntry(settings, 'issuers') && onlyIssuers
      ? [[['issuers'], 'must have at least 1 entry, unless there are apiKeys or guests'] as const]
      : []),
    ...(nameClaim && !issuers.some(({ issuer }) => issuer === nameClaim.issuer)
      ? [[['session', 'nameClaim', 'issuer'], 'is not one of the issuers'] as const]
      : []),
    ...(nameClaim?.issuer.includes('{')
      ? [
          [
            ['session', 'nameClaim', 'issuer'],
            'is a template: users of two tenants may have the same name',
          ] as const,
        ]
      : []),
    ...(nameKeys?.length === 0 && !(nameClaim && issuers.length === 1 && onlyIssuers)
      ? [[['session', 'nameKeys'], 'needs a key: [{ "version": 1, "key": … }]'] as const]
      : []),
  ]
}

interface ParsedSections {
  readonly listen: ListenAddress
  readonly metrics?: ListenAddress | undefined
  readonly issuers: readonly IssuerSettings[]
  readonly apiKeys: readonly ApiKeySettings[]
  readonly guests?: GuestSettings | undefined
  readonly assistants: readonly AssistantSettings[]
  readonly probe: ProbeSettings
  readonly lane?: LaneSettings | undefined
  readonly redis: RedisSettings
}

/** Problems between parsed sections that are valid by themselves. */
export function parsedProblems(sections: ParsedSections): readonly Problem[] {
  return [
    ...sharedSecrets(sections),
    ...clashes(sections),
    ...agingProofs(sections),
    ...plainLane(sections),
  ]
}

/**
 * Warnings for the operator about settings that are allowed but risky.
 * @param now in ms since the epoch
 */
export function warningsOf(
  {
    assistants,
    issuers,
    apiKeys,
    lane,
  }: Pick<ParsedSections, 'assistants' | 'issuers' | 'apiKeys' | 'lane'>,
  now: number,
): readonly string[] {
  const upstreams = assistants.map(
    ({ baseUrl }, index) => [`assistants[${index}]`, baseUrl] as const,
  )
  const keySets = issuers.flatMap(({ keys }, index) =>
    keys.flatMap((source) => ('url' in source ? [[`issuers[${index}]`, source.url] as const] : [])),
  )
  const plainHttp = [...upstreams, ...keySets]
    .filter(([, url]) => isPlainHttp(url))
    .map(
      ([path, url]) =>
        `${path}: ${new URL(url).host} is reached over plain http: everybody on the network path can read and change the messages`,
    )
  return [...plainHttp, ...openLane(lane), ...longTokens(issuers), ...expiredKeys(apiKeys, now)]
}

/** An expired key does not stop the start, since other backends can still be served. */
function expiredKeys(apiKeys: readonly ApiKeySettings[], now: number): readonly string[] {
  return apiKeys.flatMap(({ id, notAfter }, index) =>
    notAfter !== undefined && notAfter <= now
      ? [
          `apiKeys[${index}].notAfter: ${id} expired at ${new Date(notAfter).toISOString()}, so it is refused`,
        ]
      : [],
  )
}

/** What is kept and told there is sealed; its password and what is counted are not. */
function openLane(lane: LaneSettings | undefined): readonly string[] {
  const isLocal = ({ host }: LaneHost) => ['localhost', '127.0.0.1', '::1'].includes(host)
  const far = lane?.isTls === false ? lane.hosts.find((host) => !isLocal(host)) : undefined
  if (far === undefined) return []
  return [
    `lane: ${far.host} is reached without TLS: everybody on the network path can read its password and change what is counted there`,
  ]
}

/** A stolen token is good until it expires. */
function longTokens(issuers: readonly IssuerSettings[]): readonly string[] {
  return issuers.flatMap(({ maxLifetimeSeconds }, index) =>
    maxLifetimeSeconds > defaultMaxLifetimeSeconds
      ? [
          `issuers[${index}].maxLifetimeSeconds: tokens may live ${Math.ceil(maxLifetimeSeconds / 86_400)} days, and a stolen one is good until it expires`,
        ]
      : [],
  )
}

/** A secret has one use: a party that signs for an issuer must not be able to sign for guests (T9). */
function sharedSecrets({
  issuers,
  guests,
}: Pick<ParsedSections, 'issuers' | 'guests'>): readonly Problem[] {
  const key = guests?.key.reveal()
  return issuers.flatMap(({ keys }, index) =>
    keys.some((source) => source.type === 'secret' && source.secret.reveal() === key)
      ? [[['guests', 'key'], `is also the secret of issuers[${index}]`] as const]
      : [],
  )
}

/** Nobody would be served between the end of a proof and the next probe. */
function agingProofs({
  assistants,
  probe: { intervalHours, jitterMinutes, proofMaxAgeHours, requiredForReady },
}: Pick<ParsedSections, 'assistants' | 'probe'>): readonly Problem[] {
  const isRequired = requiredForReady || assistants.some(({ requireProof }) => requireProof)
  const lastsLonger = intervalHours * 60 + jitterMinutes < proofMaxAgeHours * 60
  if (intervalHours === 0 || !isRequired || lastsLonger) return []
  const message =
    'must be less than "proofMaxAgeHours" by more than "jitterMinutes": a proof that is required would end before the next probe'
  return [[['probe', 'intervalHours'], message]]
}

/** A certificate would seem to protect what goes in clear. */
function plainLane({ lane, redis }: Pick<ParsedSections, 'lane' | 'redis'>): readonly Problem[] {
  if (lane?.isTls !== false) return []
  const given = (['ca', 'certificate'] as const).filter((name) => redis[name] !== undefined)
  return given.map((name) => [['redis', name], 'is of no use without TLS: the lane must be rediss'])
}

/** Settings that are valid by themselves and exclude each other. */
function clashes({
  listen,
  metrics,
  assistants,
}: Pick<ParsedSections, 'listen' | 'metrics' | 'assistants'>): readonly Problem[] {
  const isAny = (host: string) => host === '0.0.0.0' || host === '::'
  const addressOf = ({ host }: ListenAddress) => (host === 'localhost' ? '127.0.0.1' : host)
  const isOnePort =
    metrics !== undefined &&
    listen.port !== 0 &&
    metrics.port === listen.port &&
    (addressOf(metrics) === addressOf(listen) || isAny(metrics.host) || isAny(listen.host))
  const apps = assistants.map(({ baseUrl, credentials }) =>
    credentials.type === 'oauth'
      ? { app: credentials.appId, host: new URL(baseUrl).host }
      : undefined,
  )
  return [
    ...(isOnePort ? [[['metrics', 'port'], 'is the port of listen as well'] as const] : []),
    ...apps.flatMap((one, index) => {
      const other = apps.findIndex((each) => each?.app === one?.app && each?.host !== one?.host)
      const isClash = one !== undefined && isRegion(one.host) && other >= 0 && other < index
      const message = `is of assistants[${other}] on another site: an app exists on one of them only`
      return isClash ? [[['assistants', index, 'credentials', 'appId'], message] as const] : []
    }),
  ]
}

/** Whether a list is left out or empty. Its schema reports anything else. */
function hasNoEntry(settings: unknown, name: string): boolean {
  const list = isPlain(settings) ? (settings[name] ?? []) : undefined
  return Array.isArray(list) && list.length === 0
}

/** The indexes of values that occur earlier in the list. Empty values are reported by their schema. */
function repeats(values: readonly string[]): readonly number[] {
  return [...values.keys()].filter((at) => values[at] && values.indexOf(values[at]) < at)
}
