import { decodeJwt, errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import type { GuestSettings } from '../config/sections/guests.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Refusal } from '../observe/refusals.ts'
import { isIdentifier, usableIdentifier } from './identifiers.ts'
import { permanentlyAccepted, type AcceptedCredential } from './identity.ts'

/** People without an account. A guest keeps its session by the token that the gateway signs. */
export interface Guests {
  /** Makes a token for a new guest, or a fresh token for the guest `subject`. */
  issue(subject?: string): Promise<GuestPass>
  /** @throws {UnauthenticatedError} unless the gateway signed the token for a guest, and it is current. */
  verify(token: string): Promise<AcceptedCredential>
}

export interface GuestPass {
  readonly token: string
  /** ms since the epoch. */
  readonly expiresAt: number
}

/**
 * No configured issuer may have this name, and the tokens have a type of their own, so that no token of an issuer passes for
 * a guest's or the other way round (docs/threats-and-faults.md#t9).
 */
export const guestIssuer = 'urn:coze-graphql-gateway:guests'
export const guestType = 'guest+jwt'
const audience = 'urn:coze-graphql-gateway'
const algorithm = 'HS256'
const maxTokenLength = 1_024
const invalid = 'The guest token is not accepted.'

export function createGuests(
  { key, lifetimeSeconds }: Pick<GuestSettings, 'key' | 'lifetimeSeconds'>,
  { clock, newId }: { readonly clock: Clock; readonly newId: NewId },
): Guests {
  const secret = new TextEncoder().encode(key.reveal())

  return {
    async issue(subject = newId()) {
      const now = Math.floor(clock.now() / 1000)
      const exp = now + lifetimeSeconds
      const token = await new SignJWT()
        .setProtectedHeader({ alg: algorithm, typ: guestType })
        .setIssuer(guestIssuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(now)
        .setExpirationTime(exp)
        .sign(secret)
      return { token, expiresAt: exp * 1000 }
    },
    async verify(token) {
      if (token.length > maxTokenLength) {
        refuse(invalid, { expected: `a token of at most ${maxTokenLength} characters` })
      }
      const { sub, exp } = await check(token)
      if (!isIdentifier(sub)) refuse(invalid, { claim: 'sub', expected: usableIdentifier })
      if (exp === undefined) refuse(invalid, { claim: 'exp', expected: 'to be there' })
      return {
        caller: {
          kind: 'guest',
          issuer: 'guests',
          subject: sub,
          scopes: [],
          expiresAt: exp * 1000,
        },
        status: permanentlyAccepted,
      }
    },
  }

  async function check(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, secret, {
        issuer: guestIssuer,
        audience,
        typ: guestType,
        algorithms: [algorithm],
        currentDate: new Date(clock.now()),
      })
      return payload
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) {
        refuse('The token has expired.', { claim: 'exp', expected: 'a time in the future' }, cause)
      }
      if (cause instanceof errors.JWSSignatureVerificationFailed) {
        refuse(invalid, { expected: 'the signature of the present guests.key' }, cause)
      }
      const claim = cause instanceof errors.JWTClaimValidationFailed ? cause.claim : undefined
      refuse(invalid, { ...(claim !== undefined && { claim }), expected: 'a token of ours' }, cause)
    }
  }
}

function refuse(message: string, refusal: Refusal, cause?: unknown): never {
  throw new UnauthenticatedError(message, { refusal: { issuer: guestIssuer, ...refusal }, cause })
}

/** Whether an unverified token says that the gateway signed it for a guest. */
export function claimsToBeGuest(token: string): boolean {
  try {
    return decodeJwt(token).iss === guestIssuer
  } catch {
    return false
  }
}
