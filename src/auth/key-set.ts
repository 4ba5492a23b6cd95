import type { JWK } from 'jose'
import type { RemoteKeySource } from '../config/key-source.ts'
import type { IssuerSettings } from '../config/sections/issuer.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import { FetchError, type FetchJson } from '../lib/fetch-json.ts'
import { isPlain } from '../lib/plain.ts'

/** The keys of an issuer could not be fetched. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
  readonly failure: UpstreamFailure
  constructor(failure: UpstreamFailure, options: ErrorOptions) {
    super(`no key set from ${failure.host}`, options)
    this.failure = failure
  }
}

/**
 * Fetches the keys that an issuer publishes now. If no key set is configured, the discovery document (OpenID Connect
 * Discovery 1.0 §4) names it, and is read every time.
 * @throws {KeySetError}, or the signal's reason
 */
export async function fetchKeySet(
  { type, url, timeoutMs, maxBytes }: RemoteKeySource,
  issuer: string,
  { fetchJson, signal }: { readonly fetchJson: FetchJson; readonly signal: AbortSignal },
): Promise<readonly JWK[]> {
  async function get<T>(from: string, read: (document: unknown) => T): Promise<T> {
    try {
      return read(await fetchJson(from, { timeoutMs, maxBytes, signal }))
    } catch (error) {
      signal.throwIfAborted()
      throw new KeySetError(failureOf(from, error), { cause: error })
    }
  }
  const keySetUrl =
    type === 'jwks' ? url : await get(url, (document) => readDiscovery(document, { url, issuer }))
  return await get(keySetUrl, readKeySet)
}

/** The state of one key source, for operators. */
export interface KeySetReport {
  readonly issuer: string
  /** The URL of the key set or of the discovery document. */
  readonly url: string
  /** Undefined: the keys were fetched. */
  readonly failure?: UpstreamFailure | undefined
  /** Empty if they could not be fetched. */
  readonly keys: readonly JWK[]
  /** How many of the keys fit the algorithms that are pinned for this source. */
  readonly usable: number
}

/** Fetches the keys of every configured issuer once. */
export async function checkKeySets(
  issuers: readonly IssuerSettings[],
  options: { readonly fetchJson: FetchJson; readonly signal: AbortSignal },
): Promise<readonly KeySetReport[]> {
  const sources = issuers.flatMap(({ issuer, keys }) =>
    keys.flatMap((source) =>
      source.type === 'jwks' || source.type === 'discovery' ? [{ issuer, source }] : [],
    ),
  )
  return await Promise.all(
    sources.map(async ({ issuer, source }): Promise<KeySetReport> => {
      const { url } = source
      try {
        const keys = await fetchKeySet(source, issuer, options)
        const usable = keys.filter((key) => fits(key, source.algorithms)).length
        return { issuer, url, keys, usable }
      } catch (error) {
        if (!(error instanceof KeySetError)) throw error
        return { issuer, url, keys: [], usable: 0, failure: error.failure }
      }
    }),
  )
}

/** Whether a key can verify one of the algorithms, according to the key set. */
function fits({ kty, alg, crv, use }: JWK, algorithms: readonly string[]): boolean {
  if (use !== undefined && use !== 'sig') return false
  return algorithms.some((algorithm) => {
    if (alg !== undefined) return alg === algorithm
    if (kty === 'RSA') return /^[RP]S/.test(algorithm)
    if (kty === 'OKP') return algorithm === 'EdDSA' || algorithm === crv
    return curves.get(algorithm) === crv
  })
}

const curves: ReadonlyMap<string, string> = new Map([
  ['ES256', 'P-256'],
  ['ES384', 'P-384'],
  ['ES512', 'P-521'],
])

/** The document must name this issuer: that of another issuer would vouch for that issuer's tokens. */
function readDiscovery(
  document: unknown,
  { url, issuer }: { readonly url: string; readonly issuer: string },
): string {
  const { issuer: named, jwks_uri: found } = isPlain(document) ? document : {}
  if (named !== issuer) throw protocolError('the document is of another issuer', 'ISSUER_MISMATCH')
  const keySetUrl = typeof found === 'string' ? URL.parse(found) : null
  if (keySetUrl === null) throw protocolError('the document names no key set', 'NO_JWKS_URI')
  const isAsSafe =
    keySetUrl.protocol === 'https:' ||
    (keySetUrl.protocol === 'http:' && new URL(url).protocol === 'http:')
  if (!isAsSafe) throw protocolError('the key set is not on https', 'JWKS_URI_NOT_HTTPS')
  return keySetUrl.href
}

function readKeySet(document: unknown): readonly JWK[] {
  const keys = isPlain(document) ? document['keys'] : undefined
  if (!Array.isArray(keys) || !keys.every(isPlain)) {
    throw protocolError('not a JSON Web Key Set', 'NO_KEY_SET')
  }
  return keys
}

function protocolError(message: string, systemCode: string): FetchError {
  return new FetchError('protocol', message, { systemCode })
}

function failureOf(url: string, error: unknown): UpstreamFailure {
  const { kind, systemCode, httpStatus } =
    error instanceof FetchError
      ? error
      : { kind: 'protocol', systemCode: undefined, httpStatus: undefined }
  const { host } = new URL(url)
  const unknown = { upstreamCode: undefined, logId: undefined }
  return { call: 'key-set', host, kind, systemCode, httpStatus, ...unknown }
}
