import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Metrics } from '../observe/metrics.ts'
import { createDeadline } from '../lib/deadline.ts'
import { Secret } from '../lib/secret.ts'
import type { CozeAnswer } from './envelope.ts'
import type { CozeClient, CozeTarget } from './client.ts'
import { CozeError } from './errors.ts'
import { type SignAssertion, createSigner } from './assertion.ts'

export interface OAuthCredentials {
  readonly type: 'oauth'
  readonly baseUrl: string
  /** The OAuth app's id. */
  readonly appId: string
  /** The fingerprint of the app's public key, as the platform shows it. */
  readonly keyId: string
  /** RSA, PEM, PKCS#8 or PKCS#1. */
  readonly privateKey: Secret
  /** Lifetime to ask for, in seconds, 1 to 86399. */
  readonly accessTokenSeconds: number
  /** The audience of assertions: the host (and port) of the platform. */
  readonly audience: string
  /** The organisation to mint for; needed with several. */
  readonly accountId?: string | undefined
}

export interface AccessToken {
  /** Whose it is: the session that it was minted for, or that a shared one was handed to. */
  readonly sessionName: string
  readonly target: CozeTarget
}

/** Lifetimes are counted on the monotonic clock: a wall clock that jumps neither keeps nor loses a token (F40). */
export interface MintedToken extends AccessToken {
  readonly refreshAt: number
  readonly expiresAt: number
}

export interface MinterOptions {
  readonly client: Pick<CozeClient, 'request'>
  readonly credentials: OAuthCredentials
  readonly clock: Clock
  readonly newId: NewId
  readonly metrics: Pick<Metrics, 'tokenMinted'>
  /** Mints on their way at once. */
  readonly maxConcurrentMints: number
  /** How long a mint may take, waiting for its turn included, in ms. */
  readonly mintTimeoutMs: number
  /** Default: RS256 under the credentials' key. */
  readonly sign?: SignAssertion | undefined
}

/** Exchanges signed assertions for access tokens of sessions. Disposing it ends the mints that are on their way. */
export interface Minter extends AsyncDisposable {
  /** @throws {@link CozeError} with `accepted: 'no'` */
  mint(sessionName: string): Promise<MintedToken>
  /** @throws {@link CozeError} once it is disposed */
  throwIfClosed(): void
}

const maxAccessTokenSeconds = 86_399

/** Characters of a bearer token: any other one ends the header, or may not stand in it. */
const headerText = /^[\x21-\x7e]+$/

/** @throws {TypeError} naming the credential that cannot be used. */
export function createMinter(options: MinterOptions): Minter {
  const { client, credentials, clock, newId, metrics, mintTimeoutMs } = options
  const { baseUrl, accessTokenSeconds } = credentials
  checkLifetime(accessTokenSeconds)
  const signer = createSigner(credentials)
  const sign = options.sign ?? signer
  const permits = createMintPermits(options.maxConcurrentMints)
  const lifetime = new AbortController()
  const mints = new Set<Promise<MintedToken>>()
  /** What the upstream's clock shows more than ours, in ms; learnt when it refuses us for it (F5). */
  let skewMs = 0

  async function mint(sessionName: string): Promise<MintedToken> {
    const minting = mintWithin(sessionName)
    mints.add(minting)
    try {
      const minted = await minting
      metrics.tokenMinted('minted')
      return minted
    } catch (error) {
      metrics.tokenMinted('failed')
      throw lifetime.signal.aborted ? closed() : withoutToken(error)
    } finally {
      mints.delete(minting)
    }
  }

  async function mintWithin(sessionName: string): Promise<MintedToken> {
    using deadline = createDeadline(clock, mintTimeoutMs, mintTimeout)
    const signal = AbortSignal.any([deadline.signal, lifetime.signal])
    using _ = await permits.take(signal)
    // Another mint may correct it while this one is on its way, with the old one in its assertion.
    const signedSkewMs = skewMs
    try {
      return await exchange(sessionName, signal)
    } catch (error) {
      const corrected = findSkew(error, signedSkewMs)
      if (corrected === undefined) throw error
      skewMs = corrected
      return await exchange(sessionName, signal)
    }
  }

  async function exchange(sessionName: string, signal: AbortSignal): Promise<MintedToken> {
    const { accountId } = credentials
    const account = accountId === undefined ? '' : `account/${encodeURIComponent(accountId)}/`
    return await client.request(
      {
        call: 'token',
        target: { baseUrl, token: await assertionFor(sessionName) },
        method: 'POST',
        path: `/api/permission/oauth2/${account}token`,
        body: {
          grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
          duration_seconds: accessTokenSeconds,
        },
        timeoutMs: mintTimeoutMs,
        // The platform takes the `jti` of an assertion once.
        renewToken: () => assertionFor(sessionName),
        read: (answer) => readToken(sessionName, answer),
      },
      signal,
    )
  }

  function readToken(sessionName: string, { body, serverTime, logId }: CozeAnswer): MintedToken {
    const { access_token: token, expires_in: expiresIn } = body
    if (typeof token !== 'string' || token === '' || typeof expiresIn !== 'number') {
      throw new CozeError('protocol', 'the token endpoint gave no token', { accepted: 'no', logId })
    }
    if (!headerText.test(token)) {
      throw new CozeError('protocol', 'the access token cannot stand in a header', {
        accepted: 'no',
        logId,
      })
    }
    // `expires_in` is an instant on the upstream's clock, not a lifetime (docs/coze-platform.md#oauth).
    const left = expiresIn * 1000 - (serverTime ?? clock.now() + skewMs)
    const lifeMs = Math.min(left, accessTokenSeconds * 1000)
    if (!(lifeMs > 0)) {
      throw new CozeError('protocol', 'the token endpoint gave an expired token', {
        accepted: 'no',
        logId,
      })
    }
    const mintedAt = clock.monotonic()
    const ahead = Math.min(Math.max(lifeMs / 10, 60_000), lifeMs / 2)
    return {
      sessionName,
      target: { baseUrl, token: new Secret(token) },
      refreshAt: mintedAt + lifeMs - ahead,
      // A call under way when the token dies would be refused.
      expiresAt: mintedAt + lifeMs - Math.min(5000, lifeMs / 10),
    }
  }

  async function assertionFor(sessionName: string): Promise<Secret> {
    // Back-dated, for an upstream clock that is a little behind ours.
    const iat = Math.floor((clock.now() + skewMs) / 1000) - 30
    const jwt = await sign({
      iss: credentials.appId,
      aud: credentials.audience,
      iat,
      exp: iat + 3600,
      // The platform advises more than 32 bytes; one id has 22.
      jti: newId() + newId(),
      session_name: sessionName,
    })
    return new Secret(jwt)
  }

  /** The clock difference that may be why a JWT was refused; undefined if it cannot be the reason. */
  function findSkew(error: unknown, signedSkewMs: number): number | undefined {
    if (!(error instanceof CozeError) || error.serverTime === undefined) return undefined
    if (error.kind !== 'auth' && error.kind !== 'refused') return undefined
    const difference = error.serverTime - clock.now()
    return Math.abs(difference - signedSkewMs) > 5000 ? difference : undefined
  }

  return {
    mint,
    throwIfClosed() {
      if (lifetime.signal.aborted) throw closed()
    },
    async [Symbol.asyncDispose]() {
      lifetime.abort(new Error('the gateway is closing'))
      await Promise.allSettled(mints)
    },
  }
}

function closed() {
  return new CozeError('unavailable', 'the gateway is closing', { accepted: 'no' })
}

function mintTimeout() {
  const details = { accepted: 'no', systemCode: 'ANSWER_TIMEOUT' } as const
  return new CozeError('timeout', 'the token endpoint took too long', details)
}

/** Whatever became of the exchange: the call that needed the token was not sent. A refused assertion is a refused credential. */
function withoutToken(error: unknown): unknown {
  if (!(error instanceof CozeError)) return error
  const { kind, message, upstreamCode, logId, httpStatus, systemCode, retryAfterMs } = error
  const isRefusal = kind === 'refused' || kind === 'not-supported'
  if (error.accepted === 'no' && !isRefusal) return error
  const told = new CozeError(isRefusal ? 'auth' : kind, message, {
    accepted: 'no',
    misconfiguration: kind === 'not-supported' ? 'no-oauth' : undefined,
    upstreamCode,
    logId,
    httpStatus,
    systemCode,
    retryAfterMs,
    cause: error,
  })
  return error.origin === undefined ? told : told.from(error.origin)
}

function checkLifetime(seconds: number) {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= maxAccessTokenSeconds) return
  throw new TypeError(
    `"accessTokenSeconds" must be an integer from 1 to ${maxAccessTokenSeconds}, got ${seconds}`,
  )
}

/** Lets at most so many mints run at once, in the order in which they were asked for. */
interface MintPermits {
  /** Waits for a permit; dispose it when done. Rejects with the signal's reason when it aborts first. */
  take(signal: AbortSignal): Promise<Disposable>
}

function createMintPermits(max: number): MintPermits {
  let free = max
  const waiting = new Set<() => void>()

  function give() {
    const [next] = waiting
    if (next === undefined) free += 1
    else next()
  }
  const permit = (): Disposable => ({ [Symbol.dispose]: give })

  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) {
        free -= 1
        return permit()
      }
      const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
      const enter = () => {
        leave()
        resolve(permit())
      }
      const abort = () => {
        leave()
        reject(signal.reason)
      }
      const leave = () => {
        waiting.delete(enter)
        signal.removeEventListener('abort', abort)
      }
      waiting.add(enter)
      signal.addEventListener('abort', abort)
      return promise
    },
  }
}
