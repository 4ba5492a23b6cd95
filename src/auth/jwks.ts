import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose'
import { UnauthenticatedError, UnavailableError } from '../errors.ts'
import type { JwksSettings } from '../config/issuer.ts'
import type { Clock } from '../lib/clock.ts'
import type { FetchJson } from '../lib/fetch-json.ts'
import type { Logger } from '../observe/logger.ts'

/** The keys that an issuer publishes, kept up to date. */
export interface RemoteKeys extends Disposable {
  /**
   * The one key that the header names.
   * @throws {UnauthenticatedError} if the issuer has no such key.
   * @throws {UnavailableError} if that cannot be known now.
   */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey>
}

/** While there is no key at all, the issuer is asked again after this time even if the cooldown is longer. */
const emptyCooldownMs = 1_000

export function createRemoteKeys(
  settings: JwksSettings & { readonly url: string },
  {
    clock,
    fetchJson,
    logger,
  }: { readonly clock: Clock; readonly fetchJson: FetchJson; readonly logger: Logger },
): RemoteKeys {
  const closed = new AbortController()
  let fetched: { readonly keys: LocalJWKSet; readonly at: number } | undefined
  let tried: { readonly at: number; readonly failed: boolean } | undefined
  let flight: Promise<void> | undefined

  const ageMs = () => (fetched ? clock.monotonic() - fetched.at : Number.POSITIVE_INFINITY)
  const isUsable = () => ageMs() <= settings.maxStaleSeconds * 1000

  /** Fetches the keys, unless that was tried a moment ago; concurrent callers share one fetch. Never rejects. */
  function refresh(): Promise<void> {
    if (flight) return flight
    const cooldownMs = settings.cooldownSeconds * 1000
    const waitMs = isUsable() ? cooldownMs : Math.min(cooldownMs, emptyCooldownMs)
    if (tried && clock.monotonic() - tried.at < waitMs) return Promise.resolve()
    flight = load().finally(() => (flight = undefined))
    return flight
  }

  async function load(): Promise<void> {
    const { url, timeoutMs, maxBytes } = settings
    try {
      const document = await fetchJson(url, { timeoutMs, maxBytes, signal: closed.signal })
      fetched = { keys: createLocalJWKSet(toKeySet(document)), at: clock.monotonic() }
      tried = { at: fetched.at, failed: false }
    } catch (error) {
      tried = { at: clock.monotonic(), failed: true }
      logger.warn({ url, err: error }, 'issuer keys could not be fetched')
    }
  }

  /** Undefined: the keys we hold do not include it. */
  async function look(header: JWSHeaderParameters, token: FlattenedJWSInput) {
    if (!fetched || !isUsable())
      throw new UnavailableError("The issuer's keys cannot be fetched now.")
    try {
      return await fetched.keys(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined
      throw error
    }
  }

  return {
    async find(header, token) {
      if (ageMs() > settings.maxAgeSeconds * 1000) await refresh()
      const known = await look(header, token)
      if (known) return known
      await refresh()
      const rotated = await look(header, token)
      if (rotated) return rotated
      if (tried?.failed) throw new UnavailableError("The issuer's keys cannot be fetched now.")
      throw new UnauthenticatedError(
        'The token is signed with a key that its issuer does not have.',
      )
    },
    [Symbol.dispose]: () => closed.abort(new Error('the authenticator is closed')),
  }
}

function toKeySet(document: unknown): { keys: Record<string, unknown>[] } {
  const keys = isRecord(document) ? document['keys'] : undefined
  if (!Array.isArray(keys) || !keys.every(isRecord)) throw new Error('not a JSON Web Key Set')
  return { keys }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
