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
 * | `server` | the upstream failed |
 * | `model` | the model failed or cannot answer |
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
  | 'server'
  | 'model'
  | 'truncated'
  | 'timeout'
  | 'protocol'
  | 'too-large'
  | 'limit'

/** Whether the upstream took the request on: only `no` allows sending it again. */
export type Accepted = 'no' | 'unknown' | 'yes'

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

/** The error that an upstream code or HTTP status means. The code speaks first: statuses vary (coze-api.md §1). */
export function createUpstreamError(told: CozeErrorDetails): CozeError {
  const details = {
    ...told,
    upstreamCode: codeForm.test(told.upstreamCode ?? '') ? told.upstreamCode : undefined,
  }
  const { upstreamCode, httpStatus } = details
  const kind = kindOf(upstreamCode, httpStatus)
  const said = [
    upstreamCode === undefined ? undefined : `code ${upstreamCode}`,
    httpStatus === undefined ? undefined : `HTTP ${httpStatus}`,
  ].filter((part) => part !== undefined)
  return new CozeError(kind, `the upstream answered with ${said.join(', ') || 'an error'}`, {
    ...details,
    // Who failed inside may have begun before that.
    accepted: details.accepted === 'no' && kind === 'server' ? 'unknown' : details.accepted,
  })
}

/** Codes go to the log: what does not look like one may be anything. */
const codeForm = /^[\w.-]{1,64}$/

/** coze-api.md §9, and the OAuth codes of §1. */
const codes: readonly (readonly [CozeErrorKind, string])[] = [
  ['auth', '401 4100 4101 700012006 invalid_client access_deny'],
  ['rate-limited', '429 4009 4020'],
  ['quota', '4008 4011 4019 4022'],
  ['busy', '4016'],
  ['conversation-gone', '4001 4002 777777775 103000002'],
  ['model', '4010 4012 4013 4014'],
  ['server', '5000 6023 720701013 720702085 internal_error'],
  ['file', '4300 4301 4302 4303 4304'],
  ['refused', '4000 4003 4004 4005 4006 4007 4015 4021 4102 4104 4105 4200 4314 4315'],
  ['refused', '6003 6031 6039 invalid_request unsupported_grant_type'],
]
const kinds: ReadonlyMap<string, CozeErrorKind> = new Map(
  codes.flatMap(([kind, list]) => list.split(' ').map((code) => [code, kind] as const)),
)

/** Whether a code is documented: all that there are. */
export function isKnownCode(code: string): boolean {
  return kinds.has(code)
}

function kindOf(code: string | undefined, status: number | undefined): CozeErrorKind {
  const known = code === undefined ? undefined : kinds.get(code)
  if (known !== undefined) return known
  if (status === 401) return 'auth'
  if (status === 429) return 'rate-limited'
  if (status !== undefined && status >= 500) return 'server'
  if (status !== undefined && status >= 400) return 'refused'
  // Redirects are never followed: they would carry the token elsewhere.
  if (status !== undefined && status >= 300) return 'protocol'
  return code !== undefined && /^4\d{3}$/.test(code) ? 'refused' : 'server'
}
