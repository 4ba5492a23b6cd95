import {
  decodeJwt,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
  type ResolvedKey,
} from 'jose'
import type { IssuerSettings } from '../config/issuer.ts'
import type { NameClaim } from '../config/session-keys.ts'
import type { Caller } from '../domain.ts'
import { GatewayError, UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { FetchJson } from '../lib/fetch-json.ts'
import type { Logger } from '../observe/logger.ts'
import { guestType } from './guests.ts'
import { isIdentifier, isSessionName } from './identifier.ts'
import { lasting, type Proof, type Verified } from './identity.ts'
import { createRemoteKeys } from './jwks.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

/** Verifies the tokens of the configured issuers. */
export interface TokenVerifier extends Disposable {
  /**
   * A token that was verified within the last minute is believed until it expires.
   * @throws {UnauthenticatedError} if the token is not one of a configured issuer, made for us, whole and current.
   * @throws {UnavailableError} if the issuer's keys cannot be had now.
   */
  verify(token: string): Promise<Verified>
}

export interface TokenVerifierOptions {
  readonly issuers: readonly IssuerSettings[]
  readonly nameClaim?: NameClaim | undefined
  readonly clock: Clock
  readonly fetchJson: FetchJson
  readonly logger: Logger
}

/** The keys of an issuer, wherever they come from. */
interface KeyFinder {
  readonly find: JWTVerifyGetKey
  /** Of a key that was found. */
  readonly proofOf: (key: object) => Proof
}

/** Larger tokens are refused unread: no honest one comes near. */
const maxTokenLength = 8_192
/** JWS compact serialization, signed: an encrypted token has five parts, an unsigned one ends with a dot. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
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
      if (token.length > maxTokenLength) throw new UnauthenticatedError('The token is too large.')
      const known = verified.find(token)
      if (known !== undefined) return known
      const made = await check(token)
      verified.add(token, made)
      return made
    },
    [Symbol.dispose]: () => stack.dispose(),
  }

  async function check(token: string): Promise<Verified> {
    if (!compact.test(token)) throw new UnauthenticatedError('The token is not a signed JWT.')
    const known = issuers.get(readIssuer(token))
    if (!known) throw new UnauthenticatedError('The token is of an unknown issuer.')
    const { issuer, keys } = known
    const { payload, key } = await verifySignature(token, issuer, keys.find, options.clock)
    const { nameClaim } = options
    const named = nameClaim?.issuer === issuer.issuer ? nameClaim.claim : undefined
    return { caller: toCaller(payload, issuer, named), proof: keys.proofOf(key) }
  }
}

function createKeyFinder(
  { keys }: IssuerSettings,
  { clock, fetchJson, logger }: TokenVerifierOptions,
  stack: DisposableStack,
): KeyFinder {
  switch (keys.type) {
    case 'jwks': {
      const remote = stack.use(createRemoteKeys(keys, { clock, fetchJson, logger }))
      return {
        find: (header, token) => remote.find(header, token),
        proofOf: (key) => remote.proofOf(key),
      }
    }
    case 'public-key':
      return { find: () => keys.key, proofOf: () => lasting }
    case 'secret': {
      const secret = new TextEncoder().encode(keys.secret.reveal())
      return { find: () => secret, proofOf: () => lasting }
    }
  }
}

/** The `iss` claim, unverified: it only chooses whose keys and rules the token must satisfy. */
function readIssuer(token: string): string {
  try {
    const { iss } = decodeJwt(token)
    if (typeof iss === 'string') return iss
  } catch (cause) {
    throw new UnauthenticatedError('The token is malformed.', { cause })
  }
  throw new UnauthenticatedError('The token names no issuer.')
}

async function verifySignature(
  token: string,
  { issuer, audience, algorithms, clockToleranceSeconds }: IssuerSettings,
  find: JWTVerifyGetKey,
  clock: Clock,
): Promise<JWTVerifyResult & ResolvedKey> {
  try {
    return await jwtVerify(
      token,
      (header, parts) => {
        // jose knows `b64`; we use no extension, so a token that insists on one is refused.
        if (header.crit !== undefined)
          throw new UnauthenticatedError('The token has critical extensions.')
        if (header.typ === guestType)
          throw new UnauthenticatedError('The token is of a type that only we issue.')
        return find(header, parts)
      },
      {
        issuer,
        audience: [...audience],
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(clock.now()),
        requiredClaims: ['iss', 'aud', 'exp', 'sub'],
      },
    )
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    // Whatever a token makes jose throw, it is the token's fault: 401, never 500.
    throw new UnauthenticatedError(reasonOf(cause), { cause })
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return 'The token has expired.'
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return 'The token is signed with an algorithm that is not accepted.'
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return 'The signature of the token is wrong.'
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return 'A claim of the token is missing or not accepted.'
    default:
      return 'The token is malformed.'
  }
}

function toCaller(
  claims: JWTPayload,
  { issuer, tenantClaim, scopesClaim, clockToleranceSeconds }: IssuerSettings,
  nameClaim: string | undefined,
): Caller {
  const { sub, exp } = claims
  if (!isIdentifier(sub)) throw new UnauthenticatedError('The subject of the token cannot be used.')
  const expiresAt = (Number(exp) + clockToleranceSeconds) * 1000
  if (!Number.isSafeInteger(Math.ceil(expiresAt))) {
    throw new UnauthenticatedError('The expiry of the token cannot be used.')
  }
  const tenant = tenantClaim === undefined ? undefined : claims[tenantClaim]
  if (tenantClaim !== undefined && !isIdentifier(tenant)) {
    throw new UnauthenticatedError('The tenant of the token is missing or cannot be used.')
  }
  const claimedName = nameClaim === undefined ? undefined : claims[nameClaim]
  if (nameClaim !== undefined && !isSessionName(claimedName)) {
    throw new UnauthenticatedError('The session name of the token is missing or cannot be used.')
  }
  return {
    kind: 'jwt',
    issuer,
    ...(isIdentifier(tenant) && { tenant }),
    subject: sub,
    scopes: parseScopes(claims[scopesClaim]),
    expiresAt,
    ...(isSessionName(claimedName) && { claimedName }),
  }
}

function parseScopes(claim: unknown): readonly string[] {
  const list: unknown = typeof claim === 'string' ? claim.split(' ') : (claim ?? [])
  if (Array.isArray(list) && list.every((scope) => typeof scope === 'string')) {
    return list.filter((scope) => scope !== '')
  }
  throw new UnauthenticatedError('The scopes of the token are neither text nor a list of texts.')
}
