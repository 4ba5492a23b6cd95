import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKeySettings } from '../config/sections/api-keys.ts'
import { BadRequestError, UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { Refusal } from '../observe/refusals.ts'
import type { Proof, Verified } from './identity.ts'
import { parseSubject } from './subject-header.ts'

/** The keys of trusted backends, which speak for users of theirs. */
export interface ApiKeys {
  /** Whether there is none, used up ones included. */
  readonly isEmpty: boolean
  /**
   * @param subject the `X-Session-Subject` header as it came.
   * @throws {UnauthenticatedError} if the key is not one of ours, or is used up.
   * @throws {BadRequestError} if the key is good, but no user is named.
   */
  verify(key: string, subject: string | undefined): Verified
  /** From now on these are the keys. What rests on others does not stand any more. */
  replace(keys: readonly ApiKeySettings[]): void
}

/** Shorter ones are refused, whatever digests are configured: they could be guessed. */
const minKeyLength = 32
const maxKeyLength = 512
/** A key without an end is proof for so long: streams under it are opened anew from time to time. */
const maxProofMs = 3_600_000

interface Entry {
  readonly settings: ApiKeySettings
  readonly digest: Buffer
  readonly proof: Proof
}

export function createApiKeys(keys: readonly ApiKeySettings[], clock: Clock): ApiKeys {
  let entries = keys.map(toEntry)

  function toEntry(settings: ApiKeySettings): Entry {
    const digest = Buffer.from(settings.sha256, 'hex')
    return { settings, digest, proof: { stands: async () => stands(settings) } }
  }

  /** Under another backend, tenant or scopes its callers would not be who they are. */
  function stands(settings: ApiKeySettings): boolean {
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

  /** Looks at all of them, each in constant time: how long it takes tells nothing about any. */
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
          expiresAt: notAfter ?? clock.now() + maxProofMs,
        },
        proof: found.proof,
      }
    },
    replace(next) {
      entries = next.map(toEntry)
    },
  }
}

/** All are refused in the same words: whoever tries keys learns of none. */
function refuse(refusal: Refusal): never {
  throw new UnauthenticatedError('The API key is not accepted.', { refusal })
}
