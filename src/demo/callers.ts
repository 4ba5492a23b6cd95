import { SignJWT } from 'jose'
import type { Clock } from '../lib/clock.ts'

/** Who signs the demo's callers in. */
export const demoIssuer = {
  issuer: 'https://demo.example',
  audience: 'coze-graphql-gateway',
} as const

export interface DemoCaller {
  readonly name: string
  /** A bearer token, good for 24 hours. */
  readonly token: string
}

const lifetimeSeconds = 86_400

/** Signs callers in with the demo's HS256 secret; `scope`: what they may do beyond what everybody may. */
export async function signDemoCallers(
  names: readonly string[],
  secret: string,
  clock: Clock,
  scope?: string,
): Promise<readonly DemoCaller[]> {
  const key = new TextEncoder().encode(secret)
  const now = Math.floor(clock.now() / 1000)
  return await Promise.all(
    names.map(async (name) => ({
      name,
      token: await new SignJWT(scope === undefined ? {} : { scope })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(demoIssuer.issuer)
        .setAudience(demoIssuer.audience)
        .setSubject(name.toLowerCase())
        .setIssuedAt(now)
        .setExpirationTime(now + lifetimeSeconds)
        .sign(key),
    })),
  )
}
