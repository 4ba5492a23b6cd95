import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKeySettings } from '../config/sections/api-keys.ts'
import { BadRequestError, UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Refusal } from '../observe/refusals.ts'
import type { CredentialStatus, AcceptedCredential } from './identity.ts'
import { isIdentifier } from './identifiers.ts'

/** The header in which a trusted backend names the user whom its request is for. */
export const subjectHeader = 'x-session-subject'

/** The keys of trusted backends, which make requests for users of their own. */
export interface ApiKeys {
  /** Whether no key is configured. A key that is past its `notAfter` counts as configured. */
  readonly isEmpty: boolean
  /**
   * @param subject the `X-Session-Subject` header as it came.
   * @throws {UnauthenticatedError} if the key is not configured, or is past its `notAfter`.
   * @throws {BadRequestError} if the key is accepted, but no user is named.
   */
  verify(key: string, subject: string | undefined): AcceptedCredential
  /** Replaces all keys. Credentials of a key that is not among the new ones are no longer accepted. */
  replace(keys: readonly ApiKeySettings[]): void
}

/** Shorter keys are refused even if their digest is configured: they could be guessed. */
const minKeyLength = 32
const maxKeyLength = 512
/** A credential of a key without an end expires after this time, so that streams under it are reopened now and then. */
const maxCredentialMs = 3_600_000

/**
 * The characters that stand for themselves in a path segment or a query (RFC 3986 §3.3, §3.4): encoders differ in which
 * of them
 * they leave alone. Not the comma: HTTP joins doubled headers with it.
 */
const encoded = /^(?:[\w.~!$&'()*+;=:@/?-]|%[0-9a-f]{2})*$/i

interface Entry {
  readonly settings: ApiKeySettings
  readonly digest: Buffer
  readonly status: CredentialStatus
}

export function createApiKeys(keys: readonly ApiKeySettings[], clock: Clock): ApiKeys {
  let entries = keys.map(toEntry)

  function toEntry(settings: ApiKeySettings): Entry {
    const digest = Buffer.from(settings.sha256, 'hex')
    return {
      settings,
      digest,
      status: { isStillAccepted: async () => isStillConfigured(settings) },
    }
  }

  /** A key with another backend or tenant, or without a scope, makes other callers. */
  function isStillConfigured(settings: ApiKeySettings): boolean {
    const { sha256, backend, tenant } = settings
    const now = entries.find((entry) => entry.settings.sha256 === sha256)?.settings
    return (
      now !== undefined &&
      isCurrent(now) &&
      now.backend === backend &&
      now.tenant === tenant &&
      settings.scopes.every((scope) => now.scopes.includes(scope))
    )
  }

  function isCurrent({ notAfter }: ApiKeySettings): boolean {
    return notAfter === undefined || clock.now() < notAfter
  }

  /** Compares all digests, each in constant time, so that the time reveals nothing about them. */
  function find(key: string): Entry | undefined {
    const digest = createHash('sha256').update(key).digest()
    let found: Entry | undefined
    for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry
    return found
  }

  return {
    get isEmpty() {
      return entries.length === 0
    },
    verify(key, subject) {
      const isPlausible = key.length >= minKeyLength && key.length <= maxKeyLength
      if (!isPlausible) {
        refuse({ expected: `a key of ${minKeyLength} to ${maxKeyLength} characters` })
      }
      const found = find(key)
      if (found === undefined) refuse({ expected: 'a key whose SHA-256 is in apiKeys' })
      const { id, backend, tenant, scopes, notAfter } = found.settings
      if (!isCurrent(found.settings)) refuse({ apiKey: id, expected: 'a time before its notAfter' })
      if (subject === undefined) {
        throw new BadRequestError('An API key needs X-Session-Subject, which names the user.', {
          refusal: { apiKey: id },
        })
      }
      return {
        caller: {
          kind: 'api-key',
          issuer: backend,
          ...(tenant !== undefined && { tenant }),
          subject: parseSubject(subject, id),
          scopes,
          expiresAt: notAfter ?? clock.now() + maxCredentialMs,
        },
        status: found.status,
      }
    },
    replace(next) {
      entries = next.map(toEntry)
    },
  }
}

/** Every refusal has the same words, so that a caller who tries keys learns nothing. */
function refuse(refusal: Refusal): never {
  throw new UnauthenticatedError('The API key is not accepted.', { refusal })
}

/**
 * The subject that `X-Session-Subject` names: its UTF-8 bytes, percent-encoded.
 *
 * A header alone cannot hold every subject: HTTP trims spaces, joins doubled headers with a comma, and many clients
 * refuse what is not ASCII. Any percent-encoding of a subject is that subject: the languages' encoders differ in which
 * characters they encode, and in the case of the digits. What is decoded is compared to the last byte, so that two
 * subjects never meet. A `+` is a plus: encoders of forms, which write a space so, do not fit.
 * @param apiKey the `id` of the key that was shown, for the log.
 * @throws {@link BadRequestError}
 */
export function parseSubject(header: string, apiKey?: string): string {
  const refusal = apiKey === undefined ? {} : { apiKey }
  const subject = decode(header)
  if (subject === undefined) {
    throw new BadRequestError(
      'X-Session-Subject must be percent-encoded UTF-8, as encodeURIComponent writes it.',
      { refusal },
    )
  }
  if (!isIdentifier(subject)) {
    throw new BadRequestError(
      'X-Session-Subject must name 1 to 256 bytes that are not blank, without control characters.',
      { refusal },
    )
  }
  return subject
}

/** Returns undefined for a character that must be encoded, an invalid `%`, or bytes that are not UTF-8. */
function decode(header: string): string | undefined {
  if (!encoded.test(header)) return undefined
  try {
    return decodeURIComponent(header)
  } catch {
    return undefined
  }
}
