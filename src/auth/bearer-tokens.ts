import {
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose'
import { GatewayError, UnauthenticatedError, UnavailableError } from '../errors.ts'
import type { Refusal } from '../observe/refusals.ts'
import { toCaller } from './claims.ts'
import { guestType } from './guests.ts'
import type { AcceptedCredential, CredentialStatus } from './identity.ts'
import { openIssuers, type Issuer, type IssuersOptions, type OpenKeySource } from './issuers.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

/** Verifies the tokens of the configured issuers. */
export interface TokenVerifier extends Disposable {
  /**
   * A token that was verified within the last minute is accepted without another look until it expires.
   * @throws {UnauthenticatedError} if the token is not one of a configured issuer, made for us, whole and current.
   * @throws {UnavailableError} if the issuer's keys cannot be had now.
   */
  verify(token: string): Promise<AcceptedCredential>
}

export interface TokenVerifierOptions extends IssuersOptions {
  /** Characters; larger tokens are refused unread. */
  readonly maxTokenLength: number
}

/** A token whose parts can be read. Nothing in it is verified. */
export interface ReadToken {
  readonly text: string
  readonly header: ProtectedHeaderParameters
  readonly claims: JWTPayload
}

/** JWS compact serialization, signed: an encrypted token has five parts, an unsigned one ends with a dot. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const issuers = openIssuers(options)
  const verified = createVerifiedTokens(options.clock)
  return {
    async verify(text) {
      const known = verified.find(text)
      if (known !== undefined) return known
      const token = readToken(text, options)
      const issuer = issuers.find(token.claims)
      checkHeader(token, issuer)
      const status = await verifySignature(token, issuer)
      const accepted = { caller: toCaller(token.claims, issuer.rules()), status }
      verified.add(text, accepted)
      return accepted
    },
    [Symbol.dispose]: () => issuers[Symbol.dispose](),
  }
}

/** @throws {@link UnauthenticatedError} if the text is no signed JWT. */
export function readToken(
  text: string,
  { maxTokenLength }: Pick<TokenVerifierOptions, 'maxTokenLength'>,
): ReadToken {
  if (text.length > maxTokenLength) {
    refuse('The token is too large.', { expected: `at most ${maxTokenLength} characters` })
  }
  if (!compact.test(text)) {
    refuse('The token is not a signed JWT.', { expected: 'three parts of base64url' })
  }
  try {
    return { text, header: decodeProtectedHeader(text), claims: decodeJwt(text) }
  } catch (cause) {
    const expected = 'a header and claims that are JSON objects'
    return refuse('The token is malformed.', { expected }, cause)
  }
}

/** @throws {@link UnauthenticatedError} if the token's header asks for something that is not accepted. */
export function checkHeader({ header }: ReadToken, { settings: { issuer } }: Issuer): void {
  // jose knows `b64`; we use no extension, so a token that requires one is refused.
  if (header.crit !== undefined) {
    const expected = 'a header without crit'
    refuse('The token has critical extensions.', { issuer, claim: 'crit', expected })
  }
  if (header.typ === guestType) {
    const expected = `another type than ${guestType}`
    refuse('Only the gateway issues tokens of this type.', { issuer, claim: 'typ', expected })
  }
}

/**
 * Tries the key sources that accept the token's algorithm.
 * @throws {@link UnauthenticatedError} if none of them has the key that signed the token.
 * @throws {@link UnavailableError} if that cannot be known now.
 */
export async function verifySignature(
  { text, header: { alg }, claims }: ReadToken,
  { settings: { issuer }, sources }: Issuer,
): Promise<CredentialStatus> {
  let failure: GatewayError | undefined
  for (const source of sources) {
    const algorithms = source.algorithms.filter((algorithm) => algorithm === alg)
    if (algorithms.length === 0) continue
    try {
      const { key } = await compactVerify(
        text,
        (header, parts) => source.find(header, parts, String(claims.iss)),
        { algorithms },
      )
      return source.statusOf(key)
    } catch (cause) {
      // Every error that jose throws for a token is a fault of the token: 401, never 500.
      const error = cause instanceof GatewayError ? cause : refusalOf(cause, source, issuer)
      if (!(failure instanceof UnavailableError)) failure = error
    }
  }
  if (failure !== undefined) throw failure
  const expected = [...new Set(sources.flatMap(({ algorithms }) => algorithms))]
  const message = 'The token is signed with an algorithm that is not accepted.'
  return refuse(message, { issuer, claim: 'alg', expected })
}

function refusalOf(
  cause: unknown,
  { algorithms, type }: OpenKeySource,
  issuer: string,
): UnauthenticatedError {
  const refusal = (message: string, expected: string) =>
    new UnauthenticatedError(message, { refusal: { issuer, expected }, cause })
  if (cause instanceof errors.JWSSignatureVerificationFailed) {
    return refusal('The signature of the token is wrong.', `a signature by the configured ${type}`)
  }
  if (cause instanceof errors.JWSInvalid) {
    return refusal('The token is malformed.', 'a header and a signature of a JWS')
  }
  if (cause instanceof errors.JOSENotSupported) {
    const message = 'The token needs a feature that is not supported.'
    return refusal(message, 'a signature without extensions')
  }
  // All other errors are about the key: it is too short, of another kind, or cannot be imported.
  const expected = `a key that ${algorithms.join(' or ')} can use: ${wordsOf(cause)}`
  return refusal('The key for the token cannot be used.', expected)
}

/** The message of jose or the runtime about a key; it quotes no part of the key or the token. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : typeof error
}

function refuse(message: string, refusal: Refusal, cause?: unknown): never {
  throw new UnauthenticatedError(message, { refusal, cause })
}
