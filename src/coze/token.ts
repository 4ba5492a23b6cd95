import { LRUCache } from 'lru-cache'
import { untilAborted } from '../lib/on-abort.ts'
import type { Secret } from '../lib/secret.ts'
import type { Metrics } from '../observe/metrics.ts'
import {
  createMinter,
  type MinterOptions,
  type OAuthCredentials,
  type AccessToken,
  type MintedToken,
} from './minting.ts'
import type { CozeTarget } from './client.ts'
import { CozeError } from './errors.ts'

/** One upstream identity for all sessions: a personal access token, as self-hosted Coze Studio knows nothing else. */
export interface SharedTokenCredentials {
  readonly type: 'shared-token'
  readonly baseUrl: string
  readonly token: Secret
}

export type TokenCredentials = OAuthCredentials | SharedTokenCredentials

/** The access tokens of one assistant's credentials. */
export interface TokenResolver extends AsyncDisposable {
  /**
   * The session's access token: cached, refreshed ahead in the background, minted at most once at a time. The signal ends
   * only this caller's waiting.
   * @throws {@link CozeError} with `accepted: 'no'`: without a token nothing was sent.
   */
  token(sessionName: string, signal: AbortSignal): Promise<AccessToken>
  /**
   * Forgets a token that the upstream refused, unless another one has taken its place. True: the session can have
   * another one.
   */
  drop(refused: AccessToken): boolean
}

/** Access tokens that several gateways share. They are only fast: a token can be minted whatever becomes of them. */
export interface SharedTokens {
  /** Returns the session's token: one that another gateway has minted, or one of `mint`, which is shared then. */
  obtain(
    sessionName: string,
    mint: () => Promise<MintedToken>,
    signal: AbortSignal,
  ): Promise<MintedToken>
  /** Takes a token that the upstream refused away from all, unless another one has taken its place. */
  drop(refused: AccessToken): void
}

export interface TokenResolverOptions extends Omit<MinterOptions, 'credentials'> {
  readonly credentials: TokenCredentials
  readonly metrics: MinterOptions['metrics'] & Pick<Metrics, 'tokenReused'>
  /** Sessions whose tokens are kept; the least recently used goes. */
  readonly maxEntries: number
  /** Undefined: no other gateway mints for the same sessions, or each for itself. */
  readonly shared?: SharedTokens | undefined
}

/** @throws {TypeError} naming the credential that cannot be used. */
export function createTokenResolver(options: TokenResolverOptions): TokenResolver {
  const { credentials } = options
  if (credentials.type === 'oauth') return createMintingResolver({ ...options, credentials })
  const { baseUrl, token } = credentials
  return {
    async token(sessionName, signal) {
      signal.throwIfAborted()
      return { sessionName, target: { baseUrl, token } }
    },
    drop: () => false,
    async [Symbol.asyncDispose]() {},
  }
}

function createMintingResolver(
  options: TokenResolverOptions & { readonly credentials: OAuthCredentials },
): TokenResolver {
  const { clock, metrics, shared } = options
  const minter = createMinter(options)
  const lifetime = new AbortController()

  // One flight per session, joined by all who ask meanwhile. The callers' signals stay out of it: one that gives up must
  // not fail the others. A flight whose entry was evicted or dropped still answers those who wait for it.
  const cache = new LRUCache<string, MintedToken>({
    max: options.maxEntries,
    ttl: 1,
    ttlResolution: 0,
    // lru-cache takes a start at 0 for "no ttl".
    perf: { now: () => clock.monotonic() + 1 },
    ignoreFetchAbort: true,
    noDeleteOnFetchRejection: true,
    noDeleteOnStaleGet: true,
    fetchMethod: async (sessionName, _, { options: entry }) => {
      const mint = () => minter.mint(sessionName)
      const minted = await (shared?.obtain(sessionName, mint, lifetime.signal) ?? mint())
      entry.ttl = Math.max(1, minted.refreshAt - clock.monotonic())
      return minted
    },
  })

  return {
    async token(sessionName, signal) {
      signal.throwIfAborted()
      minter.throwIfClosed()
      const known = cache.peek(sessionName, { allowStale: true })
      const allowStale = known !== undefined && clock.monotonic() < known.expiresAt
      const status: LRUCache.Status<string, MintedToken> = {}
      const wanted = cache.fetch(sessionName, { allowStale, status })
      if (status.fetch === 'hit' || status.returnedStale) metrics.tokenReused()
      const token = await untilAborted(wanted, signal)
      // T15: whatever a cache may mix up, no session gets another one's token.
      if (token?.sessionName !== sessionName) throw new Error('the token cache mixed up sessions')
      return token
    },
    drop(refused) {
      const known = cache.peek(refused.sessionName, { allowStale: true })
      if (known === refused) cache.delete(refused.sessionName)
      shared?.drop(refused)
      return true
    },
    async [Symbol.asyncDispose]() {
      lifetime.abort(new Error('the gateway is closing'))
      await minter[Symbol.asyncDispose]()
      cache.clear()
    },
  }
}

/**
 * Calls upstream as the session. If the token is refused and nothing was accepted, mints once and repeats once (F3).
 */
export async function withToken<T>(
  tokens: TokenResolver,
  sessionName: string,
  run: (target: CozeTarget) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const token = await tokens.token(sessionName, signal)
  try {
    return await run(token.target)
  } catch (error) {
    if (!isTokenRefusal(error) || !tokens.drop(token)) throw error
  }
  const { target } = await tokens.token(sessionName, signal)
  return run(target)
}

function isTokenRefusal(error: unknown): boolean {
  return error instanceof CozeError && error.kind === 'auth' && error.accepted === 'no'
}
