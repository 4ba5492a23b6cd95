import type { ApiKeySettings } from '../config/sections/api-keys.ts'
import type { CookieSettings } from '../config/sections/cookie.ts'
import type { Caller } from '../domain.ts'
import { BadRequestError, UnauthenticatedError } from '../errors.ts'
import { createApiKeys, subjectHeader } from './api-keys.ts'
import { createTokenVerifier, type TokenVerifierOptions } from './bearer-tokens.ts'
import { claimsToBeGuest, type Guests } from './guests.ts'
import type { AcceptedCredential, Identity } from './identity.ts'

/** The headers of a request: `Headers`, or anything like it. */
export interface RequestHeaders {
  /** Returns undefined or null if there is none. Headers of one name are joined by a comma, cookies by a semicolon. */
  get(name: string): string | null | undefined
}

/** Finds out who sent a request, from its credentials and nothing else. */
export interface Authenticator extends Disposable {
  /**
   * Every presented credential must be accepted, and all must be of one caller. If there are two, the header counts.
   * Returns undefined if none is presented.
   * @throws {UnauthenticatedError} if one is refused, or two are of different callers.
   * @throws {BadRequestError} if an API key names no user, or a user is named without one.
   * @throws {UnavailableError} if a credential cannot be checked now.
   */
  authenticate(headers: RequestHeaders): Promise<Identity | undefined>
  /**
   * The `WWW-Authenticate` header of a refusal (RFC 6750 §3): the accepted schemes, and the reason if a credential was
   * presented.
   */
  challenge(error: UnauthenticatedError, headers: RequestHeaders): string
  /** Replaces all API keys. Credentials of a key that is not among the new ones are no longer accepted. */
  replaceApiKeys(keys: readonly ApiKeySettings[]): void
}

export interface AuthenticatorOptions extends TokenVerifierOptions {
  /** Default: none. */
  readonly apiKeys?: readonly ApiKeySettings[]
  /** Undefined: cookies are not read. */
  readonly cookie?: Pick<CookieSettings, 'name'> | undefined
  /** Undefined: there are no guests. */
  readonly guests?: Pick<Guests, 'verify'> | undefined
}

/** The one credential of an `Authorization` header. */
interface HeaderCredential {
  readonly scheme: 'bearer' | 'apikey'
  readonly value: string
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { cookie, guests } = options
  const tokens = createTokenVerifier(options)
  const apiKeys = createApiKeys(options.apiKeys ?? [], options.clock)

  async function verifyToken(token: string): Promise<AcceptedCredential> {
    return guests && claimsToBeGuest(token) ? guests.verify(token) : tokens.verify(token)
  }

  async function byHeader(headers: RequestHeaders): Promise<AcceptedCredential | undefined> {
    const credential = readAuthorization(headers)
    if (credential === undefined) return undefined
    if (credential.scheme === 'bearer') return verifyToken(credential.value)
    return apiKeys.verify(credential.value, headers.get(subjectHeader) ?? undefined)
  }

  function cookiesOf(headers: RequestHeaders): readonly string[] {
    return cookie === undefined ? [] : readCookie(headers.get('cookie') ?? '', cookie.name)
  }

  async function byCookie(headers: RequestHeaders): Promise<AcceptedCredential | undefined> {
    const [token, ...more] = cookiesOf(headers)
    if (token === undefined) return undefined
    if (more.length > 0) {
      throw new UnauthenticatedError('There are two cookies with one name.', {
        refusal: { expected: `one cookie ${cookie?.name}` },
      })
    }
    return verifyToken(token)
  }

  return {
    async authenticate(headers) {
      const header = await byHeader(headers)
      const inCookie = await byCookie(headers)
      if (header && inCookie && !isSameCaller(header.caller, inCookie.caller)) {
        throw new UnauthenticatedError('The header and the cookie are of different callers.', {
          refusal: { issuer: header.caller.issuer, expected: differenceOf(header, inCookie) },
        })
      }
      const verified = header ?? inCookie
      if (verified?.caller.kind !== 'api-key' && headers.get(subjectHeader) != null) {
        throw new BadRequestError('X-Session-Subject is only for API keys.', {
          refusal: verified === undefined ? {} : { issuer: verified.caller.issuer },
        })
      }
      return verified && { ...verified, by: header ? 'header' : 'cookie' }
    },
    challenge(error, headers) {
      const isApiKey = /^apikey\b/i.test(headers.get('authorization') ?? '')
      const isPresented = headers.get('authorization') != null || cookiesOf(headers).length > 0
      const reason = `error="invalid_token", error_description="${error.message}"`
      const bearer = isPresented && !isApiKey ? `Bearer ${reason}` : 'Bearer'
      if (apiKeys.isEmpty) return bearer
      return `${bearer}, ${isApiKey ? `ApiKey ${reason}` : 'ApiKey'}`
    },
    replaceApiKeys: (keys) => apiKeys.replace(keys),
    [Symbol.dispose]: () => tokens[Symbol.dispose](),
  }
}

/** The bearer token of a request, unverified. Undefined: there is none, or another credential. */
export function bearerTokenOf(headers: RequestHeaders): string | undefined {
  const { scheme, value } = readAuthorization(headers) ?? {}
  return scheme === 'bearer' ? value : undefined
}

/** @throws {@link UnauthenticatedError} for a scheme that is not accepted. */
function readAuthorization(headers: RequestHeaders): HeaderCredential | undefined {
  const header = headers.get('authorization') ?? undefined
  if (header === undefined) return undefined
  // Two headers arrive joined by a comma and a space, which no credential contains.
  const [, scheme = '', value = ''] = /^(Bearer|ApiKey) +(\S+)$/i.exec(header) ?? []
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { scheme: 'bearer', value }
    case 'apikey':
      return { scheme: 'apikey', value }
    default:
      throw new UnauthenticatedError('The credential is neither a bearer token nor an API key.', {
        refusal: { expected: 'one Authorization header: Bearer TOKEN or ApiKey KEY' },
      })
  }
}

/**
 * The different values of the cookie with that name in a `Cookie` header. There are several if somebody tries to shadow it.
 *
 * Only space and tab are trimmed, and nothing is unquoted or folded: where a server trims more than browsers do, a
 * cookie that no `__Host-` rule guards passes for one that it does.
 */
export function readCookie(header: string, name: string): readonly string[] {
  const values = header
    .split(';')
    .map((pair) => /^[ \t]*([^=]*)=(.*)$/s.exec(pair))
    .filter((match) => match?.[1] === name)
    .map((match) => (match?.[2] ?? '').replace(/[ \t]+$/, ''))
  return [...new Set(values)]
}

/** The parts in which the cookie's caller differs from the header's, in words for the log. */
function differenceOf(
  { caller: one }: AcceptedCredential,
  { caller: other }: AcceptedCredential,
): string {
  const parts = (['kind', 'issuer', 'tenant', 'subject'] as const).filter(
    (part) => one[part] !== other[part],
  )
  return `a cookie of the same ${parts.join(', ')} as the header`
}

function isSameCaller(one: Caller, other: Caller): boolean {
  return (
    one.kind === other.kind &&
    one.issuer === other.issuer &&
    one.tenant === other.tenant &&
    one.subject === other.subject
  )
}
