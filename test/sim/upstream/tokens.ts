import { Buffer } from 'node:buffer'
import type { Token, UpstreamWorld } from './world.ts'

/** Who offers an assertion, as the upstream was told when the app was registered. */
export const oauthApp = { appId: 'oauth-app', host: 'upstream.test' }

const form = /^sim\.([\w-]+)$/

/** Signs nothing: a simulation has no thieves, and signing takes real time. */
export function writeAssertion(claims: object): string {
  return `sim.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
}

export type Exchange =
  | { readonly type: 'token'; readonly accessToken: string; readonly expiresIn: number }
  | { readonly type: 'refused'; readonly why: string }

/** The token endpoint's rules (docs/coze-platform.md#oauth). */
export function exchangeAssertion(world: UpstreamWorld, jwt: string, seconds: number): Exchange {
  const [, payload] = form.exec(jwt) ?? []
  if (payload === undefined) return refused('not a JWT')
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (!isRecord(claims)) return refused('no claims')
  const { iss, aud, iat, exp, jti, session_name: principal } = claims
  const now = Math.floor(world.now() / 1000)
  if (iss !== oauthApp.appId || aud !== oauthApp.host) return refused('another app or host')
  if (typeof iat !== 'number' || typeof exp !== 'number') return refused('no times')
  if (iat > now || exp <= now || exp <= iat) return refused('not now')
  if (typeof jti !== 'string' || jti.length < 32 || world.usedAssertions.has(jti)) {
    return refused('jti')
  }
  if (typeof principal !== 'string' || principal === '') return refused('no session name')
  world.usedAssertions.add(jti)
  const accessToken = `czs_${world.newId()}`
  const expiresAt = world.now() + seconds * 1000
  world.tokens.set(accessToken, { principal, expiresAt, isRevoked: false })
  return { type: 'token', accessToken, expiresIn: Math.floor(expiresAt / 1000) }
}

/** Studio's is put back after a while: nobody can mint another one. */
export function revokeToken(world: UpstreamWorld, token: Token): void {
  token.isRevoked = true
  if (world.platform === 'cloud') return
  world.clock.timer(world.random.pick([200, 3_000]), () => {
    token.isRevoked = false
  })
}

export function findToken(world: UpstreamWorld, bearer: string): Token | undefined {
  const token = world.tokens.get(bearer)
  return token === undefined || token.isRevoked || token.expiresAt <= world.now()
    ? undefined
    : token
}

function refused(why: string): Exchange {
  return { type: 'refused', why }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
