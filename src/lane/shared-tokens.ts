import { LRUCache } from 'lru-cache'
import type { MintedToken, OAuthCredentials, AccessToken } from '../coze/minting.ts'
import type { SharedTokens } from '../coze/token.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import { Secret } from '../lib/secret.ts'
import { createScript, deleteIfSame, type Lane } from './lane.ts'
import type { TokenSeal } from './token-seal.ts'

/** The sealed token and the time that is left of it, of one moment. */
const read = createScript("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")

/** How long one instance waits for another one's mint before it mints by itself, in ms. */
const maxWaitMs = 2_000
const lookMs = 25

export interface SharedTokensOptions {
  readonly lane: Lane
  readonly seal: TokenSeal
  readonly credentials: Pick<OAuthCredentials, 'baseUrl' | 'appId' | 'accountId'>
  readonly clock: Clock
  readonly newId: NewId
  /** Refused tokens that are remembered. */
  readonly maxEntries: number
}

interface FoundToken {
  readonly token: MintedToken
  /** It still holds, and it is time for another one. */
  readonly isDue: boolean
}

/**
 * The access tokens of one account, minted once for all instances.
 *
 *     find ──▶ there is one ─────────────────────────────────▶ used
 *      ▲ │ none, or due for a new one
 *      │ ▼
 *      │ lock ──▶ taken, or the lane is away ──▶ mint, write ─▶ used
 *      └───┘ another instance has it: again, for a while
 */
export function createSharedTokens(options: SharedTokensOptions): SharedTokens {
  const { lane, seal, clock, newId } = options
  const { baseUrl, appId, accountId } = options.credentials
  const scope = JSON.stringify([baseUrl, appId, accountId ?? null])
  /** What is stored of a token, to be deleted if the token is refused. */
  const sealed = new WeakMap<AccessToken, string>()
  /** Not believed again, should the deletion be lost. */
  const refused = new LRUCache<string, string>({ max: options.maxEntries })

  const keyOf = (sessionName: string) => `token:${seal.digest(scope, sessionName)}`

  /** Undefined: there is none. */
  async function find(sessionName: string): Promise<FoundToken | undefined> {
    const reply = await lane.run('token', read, keyOf(sessionName))
    const [text, leftMs] = Array.isArray(reply) ? reply : []
    if (typeof text !== 'string' || typeof leftMs !== 'number' || leftMs <= 0) return undefined
    if (refused.get(sessionName) === text) return undefined
    const opened = await seal.open(text, scope, sessionName)
    if (opened === undefined) return undefined
    const now = clock.monotonic()
    const expiresAt = now + leftMs
    const token: MintedToken = {
      sessionName,
      target: { baseUrl, token: new Secret(opened.token) },
      refreshAt: expiresAt - opened.aheadMs,
      expiresAt,
    }
    sealed.set(token, text)
    return { token, isDue: token.refreshAt <= now }
  }

  /** Nobody waits for the lane, only for the seal, by which a refused token is found again. */
  async function share(token: MintedToken): Promise<void> {
    const leftMs = Math.floor(token.expiresAt - clock.monotonic())
    if (leftMs <= 0) return
    const aheadMs = token.expiresAt - token.refreshAt
    const content = { token: token.target.token.reveal(), aheadMs }
    const text = await seal.close(content, scope, token.sessionName)
    sealed.set(token, text)
    const key = keyOf(token.sessionName)
    void lane.command('token', 'SET', key, text, 'PX', String(leftMs))
  }

  /** Null: another instance has the lock. Undefined: the lane is away. */
  const take = (lock: string, owner: string) =>
    lane.command('token', 'SET', lock, owner, 'NX', 'PX', String(maxWaitMs))

  return {
    async obtain(sessionName, mint, signal) {
      const lock = `${keyOf(sessionName)}:lock`
      const owner = newId()
      const givesUpAt = clock.monotonic() + maxWaitMs
      let taken: unknown = null
      while (taken === null && clock.monotonic() < givesUpAt) {
        const found = await find(sessionName)
        if (found?.isDue === false) return found.token
        taken = await take(lock, owner)
        if (taken !== null) break
        if (found !== undefined) return found.token
        await clock.sleep(lookMs, signal)
      }
      try {
        // Whoever had the lock may have written a token since it was looked for.
        const found = taken === 'OK' ? await find(sessionName) : undefined
        if (found?.isDue === false) return found.token
        const token = await mint()
        await share(token)
        return token
      } finally {
        if (taken === 'OK') void lane.run('token', deleteIfSame, lock, owner)
      }
    },
    drop(token) {
      const text = sealed.get(token)
      if (text === undefined) return
      refused.set(token.sessionName, text)
      void lane.run('token', deleteIfSame, keyOf(token.sessionName), text)
    },
  }
}
