import {
  decodeJwt,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
  type ResolvedKey,
} from 'jose'
import type { IssuerSettings } from '../config/sections/issuer.ts'
import type { NameClaim } from '../config/sections/session-keys.ts'
import type { Caller } from '../domain.ts'
import { GatewayError, UnauthenticatedError } from '../errors.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { FetchJson } from '../lib/fetch-json.ts'
import type { Refusal } from '../observe/refusals.ts'
import { guestType } from './guests.ts'
import { isIdentifier, isSessionName, usableIdentifier } from './identifiers.ts'
import { permanentlyAccepted, type CredentialStatus, type AcceptedCredential } from './identity.ts'
import { createRemoteKeys } from './jwks.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

/** Verifies the tokens of the configured issuers. */
export interface TokenVerifier extends Disposable {
  /**
   * A token that was verified within the last minute is believed until it expires.
   * @throws {UnauthenticatedError} if the token is not one of a configured issuer, made for us, whole and current.
   * @throws {UnavailableError} if the issuer's keys cannot be had now.
   */
  verify(token: string): Promise<AcceptedCredential>
}

export interface TokenVerifierOptions {
  readonly issuers: readonly IssuerSettings[]
  readonly nameClaim?: NameClaim | undefined
  /** Characters; larger tokens are refused unread. */
  readonly maxTokenLength: number
  readonly clock: Clock
  readonly fetchJson: FetchJson
  /** Hears of every fetch of an issuer's keys that failed. */
  readonly onFetchFailure: (failure: UpstreamFailure) => void
}

/** The keys of an issuer, wherever they come from. */
interface KeyFinder {
  readonly find: JWTVerifyGetKey
  /** Of a key that was found. */
  readonly statusOf: (key: object) => CredentialStatus
}

/** Nobody has verified it: the log takes no more of it. */
const maxLoggedIssuer = 200
/** JWS compact serialization, signed: an encrypted token has five parts, an unsigned one ends with a dot. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { maxTokenLength } = options
  const stack = new DisposableStack()
  const verified = createVerifiedTokens(options.clock)
  // A map, not an object: the key comes from a token that nobody has verified yet.
  const issuers = new Map(
    options.issuers.map((issuer) => [
      issuer.issuer,
      { issuer, keys: createKeyFinder(issuer, options, stack) },
    ]),
  )
  return {
    async verify(token) {
      if (token.length > maxTokenLength) {
        refuse('The token is too large.', { expected: `at most ${maxTokenLength} characters` })
      }
      const known = verified.find(token)
      if (known !== undefined) return known
      const made = await check(token)
      verified.add(token, made)
      return made
    },
    [Symbol.dispose]: () => stack.dispose(),
  }

  async function check(token: string): Promise<AcceptedCredential> {
    if (!compact.test(token)) {
      refuse('The token is not a signed JWT.', { expected: 'three parts of base64url' })
    }
    const named = readIssuer(token)
    const known = issuers.get(named)
    if (!known) {
      const namedIssuer = named.slice(0, maxLoggedIssuer)
      const expected = [...issuers.keys()]
      refuse('The token is of an unknown issuer.', { namedIssuer, claim: 'iss', expected })
    }
    const { issuer, keys } = known
    const { payload, key } = await verifySignature(token, issuer, keys.find, options.clock)
    const { nameClaim } = options
    const nameFrom = nameClaim?.issuer === issuer.issuer ? nameClaim.claim : undefined
    return { caller: toCaller(payload, issuer, nameFrom), status: keys.statusOf(key) }
  }
}

function createKeyFinder(
  { issuer, keys }: IssuerSettings,
  { clock, fetchJson, onFetchFailure }: TokenVerifierOptions,
  stack: DisposableStack,
): KeyFinder {
  switch (keys.type) {
    case 'jwks': {
      const remote = stack.use(
        createRemoteKeys({ ...keys, issuer }, { clock, fetchJson, onFetchFailure }),
      )
      return {
        find: (header, token) => remote.find(header, token),
        statusOf: (key) => remote.statusOf(key),
      }
    }
    case 'public-key':
      return { find: () => keys.key, statusOf: () => permanentlyAccepted }
    case 'secret': {
      const secret = new TextEncoder().encode(keys.secret.reveal())
      return { find: () => secret, statusOf: () => permanentlyAccepted }
    }
  }
}

/** The `iss` claim, unverified: it only chooses whose keys and rules the token must satisfy. */
function readIssuer(token: string): string {
  try {
    const { iss } = decodeJwt(token)
    if (typeof iss === 'string') return iss
  } catch (cause) {
    refuse('The token is malformed.', { expected: 'claims that are a JSON object' }, cause)
  }
  return refuse('The token names no issuer.', { claim: 'iss', expected: 'to be text' })
}

async function verifySignature(
  token: string,
  settings: IssuerSettings,
  find: JWTVerifyGetKey,
  clock: Clock,
): Promise<JWTVerifyResult & ResolvedKey> {
  const { issuer, audience, algorithms, subjectClaim, clockToleranceSeconds } = settings
  try {
    return await jwtVerify(
      token,
      (header, parts) => {
        // jose knows `b64`; we use no extension, so a token that insists on one is refused.
        if (header.crit !== undefined) {
          const expected = 'a header without crit'
          refuse('The token has critical extensions.', { issuer, claim: 'crit', expected })
        }
        if (header.typ === guestType) {
          const expected = `another type than ${guestType}`
          refuse('The token is of a type that only we issue.', { issuer, claim: 'typ', expected })
        }
        return find(header, parts)
      },
      {
        issuer,
        audience: [...audience],
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(clock.now()),
        requiredClaims: ['iss', 'aud', 'exp', subjectClaim],
      },
    )
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    // Whatever a token makes jose throw, it is the token's fault: 401, never 500.
    const { message, ...why } = reasonOf(cause, settings)
    return refuse(message, { issuer, ...why }, cause)
  }
}

interface Reason {
  readonly message: string
  readonly claim?: string
  readonly expected: string | readonly string[]
}

/** Claims that `WWW-Authenticate` can name as they are. */
const safeInHeader = /^[\w.:/-]{1,64}$/

/** Claims are looked at after the signature: their names are told to whom the token belongs. */
function reasonOf(error: unknown, settings: IssuerSettings): Reason {
  const { algorithms, keys } = settings
  if (error instanceof errors.JWTExpired) {
    const expected = expectedOf('exp', settings)
    return { message: 'The token has expired.', claim: 'exp', expected }
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim } = error
    const named = safeInHeader.test(claim) ? `The claim ${claim}` : 'A claim'
    const message = `${named} of the token is missing or not accepted.`
    return { message, claim, expected: expectedOf(claim, settings) }
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    const message = 'The token is signed with an algorithm that is not accepted.'
    return { message, claim: 'alg', expected: algorithms }
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    const message = 'The signature of the token is wrong.'
    return { message, expected: `a signature by the configured ${keys.type}` }
  }
  if (error instanceof errors.JWSInvalid) {
    return { message: 'The token is malformed.', expected: 'a header and a signature of a JWS' }
  }
  if (error instanceof errors.JWTInvalid) {
    return { message: 'The token is malformed.', expected: 'claims that are a JSON object' }
  }
  if (error instanceof errors.JOSENotSupported) {
    const message = 'The token needs something that is not supported.'
    return { message, expected: 'a signature without extensions' }
  }
  // All other errors are about the key: it is too short, of another kind, or cannot be imported.
  const expected = `a key that ${algorithms.join(' or ')} can use: ${wordsOf(error)}`
  return { message: 'The key for the token cannot be used.', expected }
}

/** The message of jose or the runtime about a key; it quotes no part of the key or the token. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : typeof error
}

function expectedOf(
  claim: string,
  { issuer, audience, clockToleranceSeconds }: IssuerSettings,
): string | readonly string[] {
  switch (claim) {
    case 'iss':
      return issuer
    case 'aud':
      return audience
    case 'exp':
      return `a time to come, in seconds, ${clockToleranceSeconds} of them forgiven`
    case 'nbf':
      return `a time gone by, in seconds, ${clockToleranceSeconds} of them forgiven`
    default:
      return 'to be there, of the right type'
  }
}

function toCaller(
  claims: JWTPayload,
  { issuer, subjectClaim, tenantClaim, scopesClaim, clockToleranceSeconds }: IssuerSettings,
  nameClaim: string | undefined,
): Caller {
  const subject = claims[subjectClaim]
  if (!isIdentifier(subject)) {
    const message = 'The subject of the token cannot be used.'
    return refuse(message, { issuer, claim: subjectClaim, expected: usableIdentifier })
  }
  const expiresAt = (Number(claims.exp) + clockToleranceSeconds) * 1000
  if (!Number.isSafeInteger(Math.ceil(expiresAt))) {
    const expected = 'a time that a clock can show'
    refuse('The expiry of the token cannot be used.', { issuer, claim: 'exp', expected })
  }
  const tenant = tenantClaim === undefined ? undefined : claims[tenantClaim]
  if (tenantClaim !== undefined && !isIdentifier(tenant)) {
    const message = 'The tenant of the token is missing or cannot be used.'
    refuse(message, { issuer, claim: tenantClaim, expected: usableIdentifier })
  }
  const claimedName = nameClaim === undefined ? undefined : claims[nameClaim]
  if (nameClaim !== undefined && !isSessionName(claimedName)) {
    const message = 'The session name of the token is missing or cannot be used.'
    refuse(message, { issuer, claim: nameClaim, expected: '1 to 64 visible ASCII characters' })
  }
  return {
    kind: 'jwt',
    issuer,
    ...(isIdentifier(tenant) && { tenant }),
    subject,
    scopes: parseScopes(claims[scopesClaim], { issuer, claim: scopesClaim }),
    expiresAt,
    ...(isSessionName(claimedName) && { claimedName }),
  }
}

function parseScopes(claim: unknown, where: Pick<Refusal, 'issuer' | 'claim'>): readonly string[] {
  const list: unknown = typeof claim === 'string' ? claim.split(' ') : (claim ?? [])
  if (Array.isArray(list) && list.every((scope) => typeof scope === 'string')) {
    return list.filter((scope) => scope !== '')
  }
  const message = 'The scopes of the token are neither text nor a list of texts.'
  return refuse(message, { ...where, expected: 'text with spaces, or a list of texts' })
}

function refuse(message: string, refusal: Refusal, cause?: unknown): never {
  throw new UnauthenticatedError(message, { refusal, cause })
}
