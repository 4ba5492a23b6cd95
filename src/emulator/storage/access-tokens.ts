import type { Clock } from '../../lib/clock.ts'
import { type Ids, unixSeconds } from '../ids.ts'
import type { ScopeName, Settings } from '../options.ts'
import { createPrincipal, type Principal } from './ownership.ts'

const maxTokens = 100_000
const maxAssertions = 100_000

/** What an access token allows. */
export interface AccessGrant {
  readonly principal: Principal
  /** Undefined: all scopes. */
  readonly scopes: readonly ScopeName[] | undefined
}

export interface IssuedToken extends AccessGrant {
  /** Unix seconds. */
  readonly expiresAt: number
}

/** The access tokens that the emulator accepts, and the JWTs for which it issued them. */
export interface AccessTokens {
  issue(grant: AccessGrant, seconds: number): { readonly token: string; readonly expiresAt: number }
  find(token: string): AccessGrant | undefined
  /** Revokes the tokens of one principal, or all. Personal access tokens stay. */
  revoke(principal?: Principal): void
  /** All tokens in the order of issue, the expired and the revoked ones too. */
  issued(): readonly IssuedToken[]
  /** Remembers the `jti` of a JWT of an app. Returns false if it was used before. */
  useAssertion(appId: string, jti: string): boolean
  /** The `jti` of every JWT that was exchanged, oldest first. */
  assertions(): readonly string[]
}

export function createAccessTokens(
  settings: Pick<Settings, 'personalAccessTokens'>,
  clock: Clock,
  ids: Ids,
): AccessTokens {
  const personal = new Map(
    settings.personalAccessTokens.map(({ token, accountId, scopes }) => [
      token,
      { principal: createPrincipal(accountId, undefined), scopes },
    ]),
  )
  const live = new Map<string, IssuedToken>()
  const history: IssuedToken[] = []
  const used = new Map<string, string>()
  return {
    issue(grant, seconds) {
      const token = ids.accessToken()
      const expiresAt = unixSeconds(clock) + seconds
      live.set(token, { ...grant, expiresAt })
      history.push({ ...grant, expiresAt })
      const [oldest] = live.keys()
      if (live.size > maxTokens && oldest !== undefined) live.delete(oldest)
      if (history.length > maxTokens) history.shift()
      return { token, expiresAt }
    },
    find(token) {
      const found = live.get(token)
      if (found !== undefined && unixSeconds(clock) >= found.expiresAt) live.delete(token)
      else if (found !== undefined) return found
      return personal.get(token)
    },
    revoke(principal) {
      for (const [token, { principal: owner }] of live) {
        if (principal === undefined || owner.key === principal.key) live.delete(token)
      }
    },
    issued: () => history,
    useAssertion(appId, jti) {
      const key = `${appId} ${jti}`
      if (used.has(key)) return false
      used.set(key, jti)
      const [oldest] = used.keys()
      if (used.size > maxAssertions && oldest !== undefined) used.delete(oldest)
      return true
    },
    assertions: () => [...used.values()],
  }
}
