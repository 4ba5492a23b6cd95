import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { createGuests, guestIssuer, guestType } from '../../../src/auth/guests.ts'
import type { IssuerSettings } from '../../../src/config/sections/issuer.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import {
  guestKey,
  guestLifetimeSeconds,
  inCookie,
  openWaysIn,
} from '../../kit/credentials/sign-in.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const refused = { code: 'UNAUTHENTICATED', status: 401 }
const audience = 'urn:coze-graphql-gateway'
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hs256 = (input: string, key: string) =>
  createHmac('sha256', key).update(input).digest('base64url')
/** A token made by hand. */
const forged = (
  header: object,
  claims: unknown,
  sign = (input: string) => hs256(input, guestKey),
) => {
  const input = `${part(header)}.${part(claims)}`
  return `${input}.${sign(input)}`
}
const good = { alg: 'HS256', typ: guestType }

describe('a guest', () => {
  it('has a subject that nobody guesses, no scopes, and a week', async () => {
    using kit = await openWaysIn()
    const [one, other] = await Promise.all([kit.guests.issue(), kit.guests.issue()])
    const caller = await callerOf(kit.auth, bearer(one.token))
    expect(caller).toEqual({
      kind: 'guest',
      issuer: 'guests',
      subject: expect.stringMatching(/^[\w-]{22}$/),
      scopes: [],
      expiresAt: one.expiresAt,
    })
    expect(one.expiresAt).toBe((kit.nowSeconds() + guestLifetimeSeconds) * 1000)
    expect(await callerOf(kit.auth, inCookie(one.token))).toEqual(caller)
    const stranger = await callerOf(kit.auth, bearer(other.token))
    expect(stranger.subject).not.toBe(caller.subject)
  })

  it('goes on as the same under a fresh token, and is gone when the last has expired', async () => {
    using kit = await openWaysIn()
    const first = await kit.guests.issue()
    const { subject } = await callerOf(kit.auth, bearer(first.token))
    kit.clock.advance((guestLifetimeSeconds - 1) * 1000)
    const fresh = await kit.guests.issue(subject)
    kit.clock.advance(1000)
    await expect(callerOf(kit.auth, bearer(first.token))).rejects.toThrow('has expired')
    expect(await callerOf(kit.auth, bearer(fresh.token))).toMatchObject({ subject })
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  type Forge = (claims: JWTPayload) => string
  const attacks: Record<string, Forge> = {
    'alg none': (claims) => forged({ ...good, alg: 'none' }, claims, () => ''),
    'alg none with a signature': (claims) => forged({ ...good, alg: 'none' }, claims),
    'alg HS512': (claims) =>
      forged({ ...good, alg: 'HS512' }, claims, (input) =>
        createHmac('sha512', guestKey).update(input).digest('base64url'),
      ),
    'alg RS256': (claims) =>
      forged({ ...good, alg: 'RS256' }, claims, (input) =>
        signBytes('sha256', Buffer.from(input), rsa.privateKey).toString('base64url'),
      ),
    'no algorithm': (claims) => forged({ typ: guestType }, claims),
    'no type': (claims) => forged({ alg: 'HS256' }, claims),
    'the type of another token': (claims) => forged({ ...good, typ: 'JWT' }, claims),
    'the type of an access token': (claims) => forged({ ...good, typ: 'at+jwt' }, claims),
    'another key': (claims) => forged(good, claims, (input) => hs256(input, 'x'.repeat(40))),
    'no key': (claims) => forged(good, claims, (input) => hs256(input, '')),
    'no signature': (claims) => forged(good, claims, () => ''),
    'a critical extension': (claims) => forged({ ...good, crit: ['x'], x: 1 }, claims),
    'an unencoded payload': (claims) => forged({ ...good, crit: ['b64'], b64: false }, claims),
    'another audience': (claims) => forged(good, { ...claims, aud: 'gateway' }),
    'no audience': (claims) => forged(good, { ...claims, aud: undefined }),
    'no subject': (claims) => forged(good, { ...claims, sub: undefined }),
    'an empty subject': (claims) => forged(good, { ...claims, sub: '' }),
    'a blank subject': (claims) => forged(good, { ...claims, sub: ' \u3000' }),
    'a subject with a NUL': (claims) => forged(good, { ...claims, sub: 'a\0' }),
    'no expiry': (claims) => forged(good, { ...claims, exp: undefined }),
    'an expiry as text': (claims) => forged(good, { ...claims, exp: String(claims.exp) }),
    'an expiry that is over': (claims) => forged(good, { ...claims, exp: claims.iat }),
    'a kilobyte': (claims) => forged(good, { ...claims, padding: 'x'.repeat(1_024) }),
  }
  it.each(Object.entries(attacks))('T8 T9 is refused with 401: %s', async (_name, forge) => {
    using kit = await openWaysIn()
    const token = forge(claimsOf(kit.nowSeconds()))
    await expect(callerOf(kit.auth, bearer(token))).rejects.toMatchObject(refused)
    await expect(callerOf(kit.auth, inCookie(token))).rejects.toMatchObject(refused)
  })

  it('T8 made by hand is accepted when all is well, so that the table above can fail', async () => {
    using kit = await openWaysIn()
    const token = forged(good, claimsOf(kit.nowSeconds()))
    expect(await callerOf(kit.auth, bearer(token))).toMatchObject({ kind: 'guest', subject: 'g' })
    const issued = await kit.guests.issue('g')
    expect(decodeProtectedHeader(issued.token)).toEqual(good)
    expect(decodeJwt(issued.token)).toMatchObject({ iss: guestIssuer, aud: audience, sub: 'g' })
  })

  it('T9 is unknown where there are no guests', async () => {
    using kit = await openWaysIn()
    using without = authenticatorOf(kit, [])
    const { token } = await kit.guests.issue()
    await expect(callerOf(without, bearer(token))).rejects.toMatchObject(refused)
  })

  it('T9 is not let in by an issuer, though it had the same key, name and audience', async () => {
    using kit = await openWaysIn()
    const twin = issuerSettings({ issuer: guestIssuer, audience, secret: guestKey })
    using auth = authenticatorOf(kit, [twin])
    const { token } = await kit.guests.issue('alice')
    await expect(callerOf(auth, bearer(token))).rejects.toMatchObject(refused)
    const own = forged({ alg: 'HS256', typ: 'JWT' }, claimsOf(kit.nowSeconds()))
    expect(await callerOf(auth, bearer(own))).toMatchObject({ kind: 'jwt' })
  })

  it('T9 is no token of an issuer, and that one is none of a guest', async () => {
    using kit = await openWaysIn()
    // A user of the issuer, who may well choose claims, cannot become a guest, nor a guest a user.
    const asGuest = await kit.hmac.sign('alice', { iss: guestIssuer, aud: audience }, good)
    await expect(callerOf(kit.auth, bearer(asGuest))).rejects.toMatchObject(refused)
    const claims = claimsOf(kit.nowSeconds())
    const asUser = forged(
      { alg: 'HS256' },
      { ...claims, iss: kit.hmac.issuer, aud: kit.hmac.audience },
    )
    await expect(callerOf(kit.auth, bearer(asUser))).rejects.toMatchObject(refused)
  })

  it('T18 is not repeated in the error', async () => {
    const clock = (await openWaysIn()).clock
    const strange = createGuests(
      { key: new Secret('s'.repeat(40)), lifetimeSeconds: 60 },
      { clock, newId: randomId },
    )
    using kit = await openWaysIn()
    const { token } = await strange.issue('the-subject')
    const error: unknown = await callerOf(kit.auth, bearer(token)).catch(
      (thrown: unknown) => thrown,
    )
    expect(String(error)).toContain('not accepted')
    expect(String(error)).not.toContain('the-subject')
    expect(String(error)).not.toContain(token.slice(0, 20))
  })
})

function claimsOf(now: number): JWTPayload {
  return { iss: guestIssuer, aud: audience, sub: 'g', iat: now, exp: now + 60 }
}

function authenticatorOf(
  { clock }: Awaited<ReturnType<typeof openWaysIn>>,
  issuers: readonly IssuerSettings[],
) {
  const fetchJson = () => Promise.reject(new Error('nothing is fetched here'))
  return createAuthenticator({
    maxTokenLength: 15_360,
    issuers,
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
  })
}
