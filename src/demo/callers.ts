import { SignJWT } from 'jose'
import type { Clock } from '../lib/clock.ts'

/** The issuer of the callers' tokens. */
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

/** Signs a caller in with the demo's HS256 secret. `scope`: what the caller may do beyond what everybody may. */
export async function signDemoCaller(
  name: string,
  secret: string,
  clock: Clock,
  scope?: string,
): Promise<DemoCaller> {
  const now = Math.floor(clock.now() / 1000)
  const token = await new SignJWT(scope === undefined ? {} : { scope })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(demoIssuer.issuer)
    .setAudience(demoIssuer.audience)
    .setSubject(name.toLowerCase())
    .setIssuedAt(now)
    .setExpirationTime(now + lifetimeSeconds)
    .sign(new TextEncoder().encode(secret))
  return { name, token }
}
