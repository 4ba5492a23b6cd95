import type { UpstreamFailure } from '../domain/upstream.ts'
import type { CozeCall } from './calls.ts'

/**
 * What went wrong upstream, in the one form that leaves this room. The strategy translates it once.
 *
 * | kind | what happened |
 * | --- | --- |
 * | `unavailable` | no connection (DNS, refused, timed out), or it broke before any answer (then `accepted` is `unknown`) |
 * | `tls` | the connection could not be secured |
 * | `auth` | the access token, or the JWT offered for one, is refused |
 * | `rate-limited` | too many requests; `retryAfterMs` if the upstream said when |
 * | `quota` | the account's tokens, balance or daily allowance are used up |
 * | `busy` | another chat runs in the conversation |
 * | `conversation-gone` | the conversation or chat does not exist (any more) for this token |
 * | `refused` | the request is wrong or not allowed |
 * | `file` | the upload is not a file that the platform takes |
 * | `not-supported` | the platform has no such call |
 * | `server` | the upstream failed |
 * | `failed` | the assistant itself failed while it ran: a node, a plug-in, a panic |
 * | `model-failed` | the model failed this time |
 * | `model-refused` | the model cannot answer this message |
 * | `truncated` | the answer broke off before its end |
 * | `timeout` | no answer, or silence in its middle, for too long |
 * | `protocol` | the answer is not what the wire contract says |
 * | `too-large` | one event or JSON body above its limit |
 * | `limit` | the whole run above its limits of time, text or events |
 */
export type CozeErrorKind =
  | 'unavailable'
  | 'tls'
  | 'auth'
  | 'rate-limited'
  | 'quota'
  | 'busy'
  | 'conversation-gone'
  | 'refused'
  | 'file'
  | 'not-supported'
  | 'server'
  | 'failed'
  | 'model-failed'
  | 'model-refused'
  | 'truncated'
  | 'timeout'
  | 'protocol'
  | 'too-large'
  | 'limit'

/** Whether the upstream took the request on: only `no` allows sending it again. */
export type Accepted = 'no' | 'unknown' | 'yes'

/** The mistake in the configuration of an assistant, here or on the platform. */
export type Misconfiguration =
  | 'unpublished'
  | 'unknown'
  | 'forbidden'
  | 'parameters'
  | 'conversation-name'
  | 'user-name'
  | 'workflow'
  | 'model'
  | 'no-oauth'

export interface CozeErrorDetails {
  readonly accepted: Accepted
  /** The upstream's own code, whatever its type on the wire. Numeric codes as decimal text. */
  readonly upstreamCode?: string | undefined
  readonly logId?: string | undefined
  readonly httpStatus?: number | undefined
  /** Why the connection failed: a code of the system, of TLS, of the HTTP parser, or our own (`CONNECT_TIMEOUT`). */
  readonly systemCode?: string | undefined
  readonly retryAfterMs?: number | undefined
  /** The upstream's clock (its `Date` header), in ms since the epoch. */
  readonly serverTime?: number | undefined
  /** The part that an operator has to mend, where the refusal says it. */
  readonly misconfiguration?: Misconfiguration | undefined
  readonly cause?: unknown
}

/** Which call failed, and where it went. */
export interface CallOrigin {
  readonly call: CozeCall
  /** Host and port. */
  readonly host: string
}

/** A failed upstream call. The message holds no upstream text: that may echo what the user wrote. */
export class CozeError extends Error {
  override readonly name = 'CozeError'
  readonly kind: CozeErrorKind
  readonly accepted: Accepted
  readonly upstreamCode: string | undefined
  readonly logId: string | undefined
  readonly httpStatus: number | undefined
  readonly systemCode: string | undefined
  readonly retryAfterMs: number | undefined
  readonly serverTime: number | undefined
  readonly misconfiguration: Misconfiguration | undefined
  #origin: CallOrigin | undefined
  constructor(kind: CozeErrorKind, what: string, details: CozeErrorDetails) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause })
    this.kind = kind
    this.accepted = details.accepted
    this.upstreamCode = details.upstreamCode
    this.logId = details.logId
    this.httpStatus = details.httpStatus
    this.systemCode = details.systemCode
    this.retryAfterMs = details.retryAfterMs
    this.serverTime = details.serverTime
    this.misconfiguration = details.misconfiguration
  }

  /** Undefined until the client knows. */
  get origin(): CallOrigin | undefined {
    return this.#origin
  }

  /** Records which call failed, unless that is known. Returns the error itself. */
  from(origin: CallOrigin): this {
    this.#origin ??= origin
    return this
  }

  /** For the log and the meters; undefined while it is not known which call failed. */
  get facts(): UpstreamFailure | undefined {
    if (this.#origin === undefined) return undefined
    const { kind, systemCode, upstreamCode, httpStatus, logId } = this
    return { ...this.#origin, kind, systemCode, upstreamCode, httpStatus, logId }
  }
}

/**
 * The error that an upstream code or HTTP status means. The code decides first, since one code comes with various statuses.
 *
 * @param told `text`: the upstream's own words, where an overloaded code means several things. They are not kept.
 */
export function createUpstreamError({
  text,
  ...told
}: CozeErrorDetails & { readonly text?: string | undefined }): CozeError {
  const { httpStatus, accepted } = told
  const code = codeForm.test(told.upstreamCode ?? '') ? told.upstreamCode : undefined
  const { upstreamCode, kind, misconfiguration } = meaningOf(code, httpStatus, text ?? '')
  const said = [
    upstreamCode === undefined ? undefined : `code ${upstreamCode}`,
    httpStatus === undefined ? undefined : `HTTP ${httpStatus}`,
  ].filter((part) => part !== undefined)
  return new CozeError(kind, `the upstream answered with ${said.join(', ') || 'an error'}`, {
    ...told,
    upstreamCode,
    accepted: accepted === 'no' ? (begunBefore[kind] ?? 'no') : accepted,
    misconfiguration,
  })
}

/** By the kind of a failure that a call reports from inside: whether the call had been accepted by then. */
const begunBefore: Partial<Readonly<Record<CozeErrorKind, Accepted>>> = {
  server: 'unknown',
  timeout: 'unknown',
  failed: 'yes',
}

/** Codes go to the log: what does not look like one may be anything. */
const codeForm = /^[\w.-]{1,64}$/

/** The codes of docs/coze-platform.md#error-codes, and those of docs/coze-platform.md#oauth. */
const codes: readonly (readonly [CozeErrorKind, string])[] = [
  ['auth', '401 4100 4101 700012006 invalid_client access_deny'],
  ['rate-limited', '429 4009 4020'],
  ['quota', '4008 4011 4019 4022'],
  ['busy', '4016'],
  ['conversation-gone', '4001 4002 103000002'],
  ['model-failed', '4013 103200002'],
  ['model-refused', '4010 4012 4014'],
  ['failed', '720701013 777777775'],
  ['server', '5000 6023 103100001 720702085 internal_error'],
  ['file', '4300 4301 4302 4303 4304'],
  ['refused', '4000 4003 4004 4005 4006 4007 4015 4021 4102 4104 4105 4200 4314 4315'],
  ['refused', '6003 6031 6039 100000000 103000000 103000001 103200003 103200005 106000001'],
  ['refused', '720702001 720702002 720702004 720702011 720702078 720712014 777777762'],
  ['refused', 'invalid_request unsupported_grant_type'],
]
const kinds: ReadonlyMap<string, CozeErrorKind> = new Map(
  codes.flatMap(([kind, list]) => list.split(' ').map((code) => [code, kind] as const)),
)

const misconfigured: readonly (readonly [Misconfiguration, string])[] = [
  ['unpublished', '4015 4200 6031 720702011'],
  ['unknown', '4006 720702004'],
  ['forbidden', '103000001 106000001'],
  ['parameters', '4000 720702001 720702002 720712014'],
  ['workflow', '4021'],
  ['model', '4012'],
]
const misconfigurations: ReadonlyMap<string, Misconfiguration> = new Map(
  misconfigured.flatMap(([what, list]) => list.split(' ').map((code) => [code, what] as const)),
)
const limits: ReadonlySet<CozeErrorKind> = new Set(['rate-limited', 'quota', 'busy'])

/** Whether a code is documented: all that there are. */
export function isKnownCode(code: string): boolean {
  return kinds.has(code)
}

interface Meaning {
  /** The code that the upstream means: the one inside, where it wraps another. */
  readonly upstreamCode: string | undefined
  readonly kind: CozeErrorKind
  readonly misconfiguration?: Misconfiguration | undefined
}

/**
 * Studio wraps other errors in some codes: `code=106000001 message=unauthorized access : no permission`. Only the
 * beginning of the text is read, since what follows may quote what the user wrote.
 */
const wrapping: ReadonlySet<string | undefined> = new Set(['400', '777777775', '103100001'])
const wrapped = /^(?:Workflow operation failure: *)?(?:code=(\d{3,12}) message=)?/

/** The meaning of a code that Studio uses for many failures, by the first words of its text. */
const words: readonly (readonly [
  code: string,
  text: RegExp,
  means: Omit<Meaning, 'upstreamCode'>,
])[] = [
  ['777777775', /^conversation not found/i, { kind: 'conversation-gone' }],
  [
    '777777775',
    /^conversation name is requ/i,
    { kind: 'refused', misconfiguration: 'conversation-name' },
  ],
  [
    '103100001',
    /^invalid parameter *: *agent not published/i,
    { kind: 'refused', misconfiguration: 'unpublished' },
  ],
  [
    '103100001',
    /^Error 1406 \(22001\): Data too long for column 'user_id'/,
    { kind: 'refused', misconfiguration: 'user-name' },
  ],
]

function meaningOf(code: string | undefined, status: number | undefined, text: string): Meaning {
  if ((status ?? 401) === 401 && text.startsWith('missing session_key')) {
    return { upstreamCode: code, kind: 'not-supported' }
  }
  const isWrapping = wrapping.has(code)
  const [prefix, inside] = (isWrapping && wrapped.exec(text)) || ['']
  const upstreamCode = inside ?? code
  const rest = text.slice(prefix.length)
  const meant = isWrapping
    ? words.find(([one, pattern]) => one === code && pattern.test(rest))?.[2]
    : undefined
  if (meant !== undefined) return { upstreamCode, ...meant }
  // The code around it decides what the code inside does not.
  const known = inside !== undefined && kinds.has(inside) ? inside : code
  return {
    upstreamCode,
    kind: kindOf(known, status),
    misconfiguration: known === undefined ? undefined : misconfigurations.get(known),
  }
}

function kindOf(code: string | undefined, status: number | undefined): CozeErrorKind {
  const known = code === undefined ? undefined : kinds.get(code)
  // A gate before the platform writes any code into its 429. The platform's own words for a limit are more exact.
  if (status === 429 && !(known !== undefined && limits.has(known))) return 'rate-limited'
  if (known !== undefined) return known
  if (status === 401) return 'auth'
  // How a server ends a connection that it has waited on for too long.
  if (status === 408) return 'timeout'
  if (status !== undefined && status >= 500) return 'server'
  if (status !== undefined && status >= 400) return 'refused'
  // Redirects are never followed: they would carry the token elsewhere.
  if (status !== undefined && status >= 300) return 'protocol'
  return code !== undefined && /^4\d{3}$/.test(code) ? 'refused' : 'server'
}
