import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  errors,
  exportJWK,
  flattenedVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWK,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose'
import { UnauthenticatedError, UnavailableError } from '../errors.ts'
import type { RemoteKeySource } from '../config/key-source.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { FetchJson } from '../lib/fetch-json.ts'
import type { CredentialStatus } from './identity.ts'
import { fetchKeySet, KeySetError } from './key-set.ts'

/** The keys that an issuer publishes, kept up to date. */
export interface RemoteKeys extends Disposable {
  /**
   * The key that the header names. Where several keys fit, they are tried, and the one that signed the token is returned.
   * @throws {UnauthenticatedError} if the issuer has no such key, or too many that fit.
   * @throws {UnavailableError} if that cannot be known now.
   */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput, iss: string): Promise<CryptoKey>
  /** The status of tokens that were verified with a key found here: accepted while the issuer publishes the key. */
  statusOf(key: object): CredentialStatus
}

/** The most shared statuses that are remembered. A forgotten one still works for those that have it. */
const maxStatuses = 100
/** The most keys that are tried for a token without `kid`: each costs a verification. */
const maxCandidates = 4
/** The log lists at most this many names of keys. */
const maxLoggedKeys = 10
/** While there is no key at all, keys are fetched again after this time even if the cooldown is longer. */
const emptyCooldownMs = 1_000

export interface RemoteKeyOptions {
  readonly clock: Clock
  readonly fetchJson: FetchJson
  /** Called for every fetch of an issuer's keys that failed. */
  readonly onFetchFailure: (failure: UpstreamFailure) => void
}

export function createRemoteKeys(
  settings: RemoteKeySource,
  issuer: string,
  { clock, fetchJson, onFetchFailure }: RemoteKeyOptions,
): RemoteKeys {
  const closed = new AbortController()
  let fetched: { readonly keys: PublishedKeys; readonly at: number } | undefined
  let tried: { readonly at: number; readonly failed: boolean } | undefined
  let flight: Promise<void> | undefined
  const statuses = new Map<string, CredentialStatus>()
  const statusOfKey = new WeakMap<object, CredentialStatus>()

  const ageMs = () => (fetched ? clock.monotonic() - fetched.at : Number.POSITIVE_INFINITY)
  const isUsable = () => ageMs() <= settings.maxStaleSeconds * 1000

  /** Fetches the keys, unless that was tried a moment ago. Concurrent callers share one fetch. Never rejects. */
  function refresh(): Promise<void> {
    if (flight) return flight
    const cooldownMs = settings.cooldownSeconds * 1000
    const waitMs = isUsable() ? cooldownMs : Math.min(cooldownMs, emptyCooldownMs)
    if (tried && clock.monotonic() - tried.at < waitMs) return Promise.resolve()
    flight = load().finally(() => (flight = undefined))
    return flight
  }

  async function load(): Promise<void> {
    const { signal } = closed
    try {
      const keys = await fetchKeySet(settings, issuer, { fetchJson, signal })
      fetched = { keys: publishedKeys(keys), at: clock.monotonic() }
      tried = { at: fetched.at, failed: false }
    } catch (error) {
      tried = { at: clock.monotonic(), failed: true }
      // Any other error means that the gateway is closing.
      if (error instanceof KeySetError) onFetchFailure(error.failure)
    }
  }

  /** The known keys that fit the header, up to one more than are tried. */
  async function candidates(
    header: JWSHeaderParameters,
    iss: string,
  ): Promise<readonly CryptoKey[]> {
    if (!fetched || !isUsable())
      throw new UnavailableError("The issuer's keys cannot be fetched now.")
    try {
      return [await fetched.keys.of(iss)(header)]
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return []
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      const keys: CryptoKey[] = []
      for await (const key of error) if (keys.push(key) > maxCandidates) break
      return keys
    }
  }

  /** Returns undefined if no known key signed the token. */
  async function look(
    header: JWSHeaderParameters,
    token: FlattenedJWSInput,
    iss: string,
  ): Promise<CryptoKey | undefined> {
    const keys = await candidates(header, iss)
    const [only, ...more] = keys
    // If the token names its key, no other key is tried.
    if (header.kid !== undefined && more.length === 0) return only
    if (keys.length > maxCandidates) {
      throw new UnauthenticatedError('The token does not name one of the keys of its issuer.', {
        refusal: {
          issuer,
          claim: 'kid',
          expected: `one of ${fetched?.keys.kids ?? 'none'}: more than ${maxCandidates} fit`,
        },
      })
    }
    for (const key of keys) if (await isSignedBy(token, key, keys.length > 1)) return key
    return undefined
  }

  async function seek(
    header: JWSHeaderParameters,
    token: FlattenedJWSInput,
    iss: string,
  ): Promise<CryptoKey> {
    await refreshIfOld()
    const known = await look(header, token, iss)
    if (known) return known
    await refresh()
    const rotated = await look(header, token, iss)
    if (rotated) return rotated
    if (tried?.failed) throw new UnavailableError("The issuer's keys cannot be fetched now.")
    throw new UnauthenticatedError(
      'The token is signed with a key that its issuer does not have.',
      { refusal: { issuer, claim: 'kid', expected: `one of ${fetched?.keys.kids ?? 'none'}` } },
    )
  }

  async function refreshIfOld(): Promise<void> {
    if (ageMs() <= settings.maxAgeSeconds * 1000) return
    const refreshed = refresh()
    // An unreachable issuer does not delay tokens whose key is still known: only the first caller has waited.
    if (!(tried?.failed === true && isUsable())) await refreshed
  }

  /** Keys are fetched repeatedly, so a key is compared by its thumbprint. */
  async function shareStatus(
    key: CryptoKey,
    { alg, kid }: JWSHeaderParameters,
    iss: string,
  ): Promise<void> {
    const thumbprint = await thumbprintOf(key)
    const name = JSON.stringify([alg, kid, thumbprint])
    let status = statuses.get(name)
    if (!status) {
      const header = { ...(alg !== undefined && { alg }), ...(kid !== undefined && { kid }) }
      status = { isStillAccepted: () => isPublished(header, thumbprint, iss) }
      for (const oldest of statuses.keys()) {
        if (statuses.size < maxStatuses) break
        statuses.delete(oldest)
      }
      statuses.set(name, status)
    }
    statusOfKey.set(key, status)
  }

  async function isPublished(
    header: JWSHeaderParameters,
    thumbprint: string,
    iss: string,
  ): Promise<boolean> {
    await refreshIfOld()
    try {
      const keys = await candidates(header, iss)
      const thumbprints = await Promise.all(keys.slice(0, maxCandidates).map(thumbprintOf))
      return thumbprints.includes(thumbprint)
    } catch (error) {
      // No key of the set can be used, so no token would be accepted.
      if (error instanceof errors.JOSEError) return false
      throw error
    }
  }

  return {
    async find(header, token, iss) {
      const key = await seek(header, token, iss)
      if (!statusOfKey.has(key)) await shareStatus(key, header, iss)
      return key
    },
    statusOf(key) {
      const status = statusOfKey.get(key)
      if (!status) throw new TypeError('"key" must be one that was found here')
      return status
    },
    [Symbol.dispose]: () => closed.abort(new Error('the authenticator is closed')),
  }
}

/** `isOneOfSeveral`: a key that cannot be used is skipped. */
async function isSignedBy(
  token: FlattenedJWSInput,
  key: CryptoKey,
  isOneOfSeveral: boolean,
): Promise<boolean> {
  try {
    await flattenedVerify(token, key)
    return true
  } catch (error) {
    if (isOneOfSeveral || error instanceof errors.JWSSignatureVerificationFailed) return false
    throw error
  }
}

interface PublishedKeys {
  /** The keys that may sign tokens with this `iss`. */
  of(iss: string): LocalJWKSet
  /** The ids of the keys, which are public, for the log. */
  readonly kids: string
}

/**
 * A key of Microsoft Entra may have a member `issuer`. Then it signs tokens of that tenant only, although the key set is
 * shared by all tenants.
 */
function publishedKeys(keys: readonly JWK[]): PublishedKeys {
  /** Keyed by the indexes of the keys in it. There is at most one set for each issuer that a key names, and one more. */
  const sets = new Map<string, LocalJWKSet>()
  const kids = keys.map(({ kid }) => kid ?? 'a key without kid')
  return {
    of(iss) {
      const own = keys.filter((key) => maySignFor(key, iss))
      const name = own.map((key) => keys.indexOf(key)).join()
      const set = sets.get(name) ?? createLocalJWKSet({ keys: own })
      sets.set(name, set)
      return set
    },
    kids: kids.slice(0, maxLoggedKeys).join(', ') || 'no keys',
  }
}

/** An `issuer` with a hole, such as `{tenantid}`, means every tenant. */
function maySignFor(key: JWK, iss: string): boolean {
  const issuer = 'issuer' in key ? key.issuer : undefined
  return typeof issuer !== 'string' || issuer.includes('{') || issuer === iss
}

async function thumbprintOf(key: CryptoKey): Promise<string> {
  return await calculateJwkThumbprint(await exportJWK(key))
}
