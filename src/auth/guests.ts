import { decodeJwt, errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import type { GuestSettings } from '../config/sections/guests.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Refusal } from '../observe/refusals.ts'
import { isIdentifier, usableIdentifier } from './identifiers.ts'
import { permanentlyAccepted, type AcceptedCredential } from './identity.ts'

/** People without an account. The token that we sign is all that makes one the same tomorrow. */
export interface Guests {
  /** A token of a guest who was never here, or a fresh one of a guest who was. */
  issue(subject?: string): Promise<GuestPass>
  /** @throws {UnauthenticatedError} unless we signed the token for a guest, and it is current. */
  verify(token: string): Promise<AcceptedCredential>
}

export interface GuestPass {
  readonly token: string
  /** ms since the epoch. */
  readonly expiresAt: number
}

/** No configured issuer may have this name, and its tokens have a type of their own: none passes for another's (T9). */
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
        refuse('The token has expired.', { claim: 'exp', expected: 'a time to come' }, cause)
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

/** Whether a token says of itself that we signed it for a guest; nothing else about it is known. */
export function claimsToBeGuest(token: string): boolean {
  try {
    return decodeJwt(token).iss === guestIssuer
  } catch {
    return false
  }
}
