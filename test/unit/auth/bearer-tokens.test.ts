import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
} from 'node:crypto'
import { CompactEncrypt, type JWTPayload } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAuthenticator, type Authenticator } from '../../../src/auth/authenticator.ts'
import type { IssuerSettings } from '../../../src/config/sections/issuer.ts'
import type { NameClaim } from '../../../src/config/sections/session-keys.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { createHmacIssuer, createRsaIssuer } from '../../kit/credentials/issuer.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const clock = createFakeClock()
const nowSeconds = () => Math.floor(clock.now() / 1000)
const rsa = await createRsaIssuer({ nowSeconds })
const hmac = createHmacIssuer({ nowSeconds })
const stranger = await createRsaIssuer({ nowSeconds })

const rsaSettings = issuerSettings(rsa.settings)
const hmacSettings = issuerSettings(hmac.settings)

function authenticator(
  issuers: readonly IssuerSettings[] = [rsaSettings, hmacSettings],
  nameClaim?: NameClaim,
): Authenticator {
  const fetchJson = () => Promise.reject(new Error('no test here fetches'))
  return createAuthenticator({
    maxTokenLength: 15_360,
    issuers,
    nameClaim,
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
  })
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = (over: JWTPayload = {}): JWTPayload => ({
  iss: rsa.issuer,
  aud: rsa.audience,
  sub: 'alice',
  exp: nowSeconds() + 3_600,
  ...over,
})
/** A token made by hand: any header, any claims, any signature. */
const forged = (header: object, payload: unknown, sign: (input: string) => string) => {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${sign(input)}`
}
const hs256 = (key: string | Buffer) => (input: string) =>
  createHmac('sha256', key).update(input).digest('base64url')
const rs256 = (input: string) =>
  signBytes('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')

describe('bearer tokens', () => {
  it('T10: tell who the caller is, and until when, the tolerance included', async () => {
    using auth = authenticator()
    const token = await rsa.sign('alice', { scope: 'probe  erase' })
    expect(await callerOf(auth, bearer(token))).toEqual({
      kind: 'jwt',
      issuer: rsa.issuer,
      subject: 'alice',
      scopes: ['probe', 'erase'],
      expiresAt: (nowSeconds() + 3_600 + 30) * 1000,
    })
  })

  it('of several issuers are accepted side by side, each by its own keys', async () => {
    using auth = authenticator()
    const [first, second] = await Promise.all([
      callerOf(auth, bearer(await rsa.sign('alice'))),
      callerOf(auth, bearer(await hmac.sign('alice'))),
    ])
    expect([first.issuer, second.issuer]).toEqual([rsa.issuer, hmac.issuer])
    const crossed = await hmac.sign('alice', { iss: rsa.issuer })
    await expect(callerOf(auth, bearer(crossed))).rejects.toMatchObject({ status: 401 })
  })

  it('are accepted until their expiry and the tolerance are over', async () => {
    using auth = authenticator()
    const live = await rsa.sign('alice', { exp: nowSeconds() - 29 })
    const dead = await rsa.sign('alice', { exp: nowSeconds() - 30 })
    await expect(callerOf(auth, bearer(live))).resolves.toMatchObject({ subject: 'alice' })
    await expect(callerOf(auth, bearer(dead))).rejects.toThrow('has expired')
  })

  it.each([
    ['no credential', new Headers()],
    ['another scheme', new Headers({ authorization: 'Basic YTpi' })],
    ['no token', new Headers({ authorization: 'Bearer ' })],
    ['garbage', bearer('garbage')],
    ['dots', bearer('..')],
    ['text that is not base64url', bearer('a+b.c/d.e=f')],
    ['base64url that is not JSON', bearer('aaaa.bbbb.cccc')],
    ['claims that are a list', bearer(forged({ alg: 'RS256' }, [], rs256))],
    ['claims that are null', bearer(forged({ alg: 'RS256' }, null, rs256))],
  ])('T8 are refused with 401, never 500: %s', async (_name, headers) => {
    using auth = authenticator()
    await expect(callerOf(auth, headers)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
    })
  })

  it('T8 are refused when there are two, be the first as good as it may', async () => {
    using auth = authenticator()
    const headers = bearer(await rsa.sign('alice'))
    headers.append('authorization', `Bearer ${await rsa.sign('bob')}`)
    await expect(callerOf(auth, headers)).rejects.toMatchObject({ status: 401 })
  })

  const publicDer = createPublicKey(rsa.publicPem).export({ type: 'spki', format: 'der' })
  const { n } = rsa.jwk
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const attacks: Record<string, () => string | Promise<string>> = {
    'alg none': () => forged({ alg: 'none' }, claims(), () => ''),
    'alg none with a signature': () => forged({ alg: 'none' }, claims(), rs256),
    'alg None': () => forged({ alg: 'None' }, claims(), rs256),
    'alg rs256 in small letters': () => forged({ alg: 'rs256' }, claims(), rs256),
    'alg missing': () => forged({}, claims(), rs256),
    'alg a list': () => forged({ alg: ['RS256'] }, claims(), rs256),
    'alg __proto__': () => forged({ alg: '__proto__' }, claims(), rs256),
    'PS256 of the right key, which is not pinned': () =>
      forged({ alg: 'PS256' }, claims(), (input) =>
        signBytes('sha256', Buffer.from(input), {
          key: rsa.privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 32,
        }).toString('base64url'),
      ),
    'HS256 keyed with the PEM': () => forged({ alg: 'HS256' }, claims(), hs256(rsa.publicPem)),
    'HS256 keyed with the PEM, trimmed': () =>
      forged({ alg: 'HS256' }, claims(), hs256(rsa.publicPem.trim())),
    'HS256 keyed with the DER': () => forged({ alg: 'HS256' }, claims(), hs256(publicDer)),
    'HS256 keyed with the JWK': () =>
      forged({ alg: 'HS256' }, claims(), hs256(JSON.stringify(rsa.jwk))),
    'HS256 keyed with the modulus': () =>
      forged({ alg: 'HS256' }, claims(), hs256(Buffer.from(n ?? '', 'base64url'))),
    'HS256 keyed with nothing': () => forged({ alg: 'HS256' }, claims(), hs256('')),
    "another's key": () => stranger.sign('alice'),
    "another's key as a jwk header": () => stranger.sign('alice', {}, { jwk: stranger.jwk }),
    "another's keys as a jku header": () =>
      stranger.sign('alice', {}, { jku: 'http://127.0.0.1:9/keys' }),
    "another's keys as an x5u header": () =>
      stranger.sign('alice', {}, { x5u: 'http://127.0.0.1:9/cert' }),
    "another's key as an x5c header": () =>
      stranger.sign('alice', {}, { x5c: [publicDer.toString('base64')] }),
    'a psychic signature': () =>
      forged({ alg: 'ES256' }, claims(), () => Buffer.alloc(64).toString('base64url')),
    'a good signature of an algorithm that is not pinned': () =>
      forged({ alg: 'ES256' }, claims(), (input) =>
        signBytes('sha256', Buffer.from(input), {
          key: ec.privateKey,
          dsaEncoding: 'ieee-p1363',
        }).toString('base64url'),
      ),
    'an unknown critical extension': () =>
      forged({ alg: 'RS256', crit: ['x'], x: 1 }, claims(), rs256),
    'an unencoded payload': () =>
      forged({ alg: 'RS256', crit: ['b64'], b64: false }, claims(), rs256),
    'a critical b64 that changes nothing': () =>
      forged({ alg: 'RS256', crit: ['b64'], b64: true }, claims(), rs256),
    'an encrypted token of five parts': async () =>
      new CompactEncrypt(Buffer.from(JSON.stringify(claims())))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
        .encrypt(createPublicKey(rsa.publicPem)),
    'a password hash that would cost minutes': () =>
      `${part({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 2_000_000_000, p2s: 'AAAA' })}.a.b.c.d`,
    'a missing exp': () => forged({ alg: 'RS256' }, { ...claims(), exp: undefined }, rs256),
    'exp as text': () =>
      forged({ alg: 'RS256' }, { ...claims(), exp: String(nowSeconds() + 60) }, rs256),
    'exp null': () => forged({ alg: 'RS256' }, { ...claims(), exp: null }, rs256),
    'exp beyond all time': () => {
      const payload = JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')
      const input = `${part({ alg: 'RS256' })}.${Buffer.from(payload).toString('base64url')}`
      return `${input}.${rs256(input)}`
    },
    'not before tomorrow': () =>
      forged({ alg: 'RS256' }, claims({ nbf: nowSeconds() + 86_400 }), rs256),
    'another issuer': () => forged({ alg: 'RS256' }, claims({ iss: 'https://evil.test' }), rs256),
    'issuer __proto__': () => forged({ alg: 'RS256' }, claims({ iss: '__proto__' }), rs256),
    'issuer a list': () => forged({ alg: 'RS256' }, { ...claims(), iss: [rsa.issuer] }, rs256),
    'no issuer': () => forged({ alg: 'RS256' }, { ...claims(), iss: undefined }, rs256),
    'another audience': () => forged({ alg: 'RS256' }, claims({ aud: 'elsewhere' }), rs256),
    'no audience': () => forged({ alg: 'RS256' }, { ...claims(), aud: undefined }, rs256),
    'audience a number': () => forged({ alg: 'RS256' }, { ...claims(), aud: 1 }, rs256),
    'no subject': () => forged({ alg: 'RS256' }, { ...claims(), sub: undefined }, rs256),
    'subject a number': () => forged({ alg: 'RS256' }, { ...claims(), sub: 7 }, rs256),
    'a changed payload': async () => {
      const [header, , signature] = (await rsa.sign('alice')).split('.')
      return `${header}.${part(claims({ sub: 'bob' }))}.${signature}`
    },
    '200 KB': () => rsa.sign('alice', { padding: 'x'.repeat(200_000) }),
    'just over the size limit': () => rsa.sign('alice', { padding: 'x'.repeat(11_500) }),
  }
  it.each(Object.entries(attacks))('T8 are refused: %s', async (_name, attack) => {
    using auth = authenticator()
    await expect(callerOf(auth, bearer(await attack()))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
    })
  })

  it('T8 made by hand are accepted when all is well, so that the table above can fail', async () => {
    using auth = authenticator()
    const token = forged({ alg: 'RS256' }, claims(), rs256)
    await expect(callerOf(auth, bearer(token))).resolves.toMatchObject({ subject: 'alice' })
  })

  it.each([
    ['empty', ''],
    ['of a space', ' '],
    ['of spaces of every kind', ' \u00a0\u1680\u2003\u202f\u205f\u3000'],
    ['that nobody can see', '\u200b\u2060\u00ad\ufeff\u3164\u2800'],
    ['with a NUL', 'alice\0'],
    ['with a newline', 'alice\n'],
    ['with DEL', 'a\u007f'],
    ['with a C1 control', 'a\u0085'],
    ['with a lone surrogate', 'a\ud800'],
    ['of 257 bytes', 'x'.repeat(257)],
    ['of 86 three-byte characters', '漢'.repeat(86)],
  ])('T4 are refused with a subject or a tenant %s', async (_name, value) => {
    using plain = authenticator()
    const bySubject = forged({ alg: 'RS256' }, claims({ sub: value }), rs256)
    await expect(callerOf(plain, bearer(bySubject))).rejects.toThrow('subject')
    using tenanted = authenticator([{ ...rsaSettings, tenantClaim: 'org' }])
    const byTenant = forged({ alg: 'RS256' }, claims({ org: value }), rs256)
    await expect(callerOf(tenanted, bearer(byTenant))).rejects.toThrow('tenant')
  })

  it.each([
    'Alice',
    'alice ',
    ' alice',
    'ａlice',
    'e\u0301',
    '\u00e9',
    'a/b',
    'a%00',
    'x'.repeat(256),
  ])('T4 keep the subject %j exactly as it is', async (subject) => {
    using auth = authenticator()
    const caller = await callerOf(auth, bearer(await rsa.sign(subject)))
    expect(caller.subject).toBe(subject)
  })

  it('T4 must name their tenant where tenants are told apart', async () => {
    using auth = authenticator([{ ...rsaSettings, tenantClaim: 'org' }])
    const named = await rsa.sign('alice', { org: 'acme' })
    expect(await callerOf(auth, bearer(named))).toMatchObject({ tenant: 'acme' })
    await expect(callerOf(auth, bearer(await rsa.sign('alice')))).rejects.toThrow('tenant')
    using inherited = authenticator([{ ...rsaSettings, tenantClaim: 'constructor' }])
    await expect(callerOf(inherited, bearer(await rsa.sign('alice')))).rejects.toThrow('tenant')
  })

  it('name their subject by the claim that is configured for their issuer, and by no other', async () => {
    using auth = authenticator([{ ...rsaSettings, subjectClaim: 'oid' }, hmacSettings])
    const token = await rsa.sign('pairwise-of-this-client', { oid: 'alice' })
    expect(await callerOf(auth, bearer(token))).toMatchObject({ subject: 'alice' })
    const subjectless = forged(
      { alg: 'RS256' },
      { ...claims({ oid: 'bob' }), sub: undefined },
      rs256,
    )
    expect(await callerOf(auth, bearer(subjectless))).toMatchObject({ subject: 'bob' })
    const other = await hmac.sign('carol', { oid: 'alice' })
    expect(await callerOf(auth, bearer(other))).toMatchObject({ subject: 'carol' })
    await expect(callerOf(auth, bearer(await rsa.sign('alice')))).rejects.toThrow('claim oid')
    for (const oid of ['', ' ', 7, ['alice'], null]) {
      const refused = callerOf(auth, bearer(await rsa.sign('alice', { oid })))
      await expect(refused).rejects.toMatchObject({ status: 401 })
    }
  })

  it('T5 name the session only by the configured claim, and only for the configured issuer', async () => {
    using auth = authenticator(undefined, { issuer: rsa.issuer, claim: 'account' })
    const token = await rsa.sign('alice', { account: 'acct-7', session_name: 'bob' })
    expect(await callerOf(auth, bearer(token))).toMatchObject({ claimedName: 'acct-7' })
    const other = await hmac.sign('alice', { account: 'acct-7', session_name: 'bob' })
    expect(await callerOf(auth, bearer(other))).not.toHaveProperty('claimedName')
    using unnamed = authenticator()
    expect(await callerOf(unnamed, bearer(token))).not.toHaveProperty('claimedName')
  })

  it.each([undefined, '', 'a b', 'é', 'x'.repeat(65), 7])(
    'T5 are refused when the claim that names the session is %j',
    async (account) => {
      using auth = authenticator(undefined, { issuer: rsa.issuer, claim: 'account' })
      const token = await rsa.sign('alice', { account })
      await expect(callerOf(auth, bearer(token))).rejects.toThrow('session name')
    },
  )

  it('T9 are not what the upstream takes, though the same key had signed it', async () => {
    using auth = authenticator()
    const assertion = forged(
      { alg: 'RS256', kid: 'key-1', typ: 'JWT' },
      {
        iss: '1100000000001',
        aud: 'api.coze.cn',
        iat: nowSeconds(),
        exp: nowSeconds() + 600,
        jti: 'one',
        session_name: 'alice',
      },
      rs256,
    )
    for (const token of [assertion, 'czs_2Pv4opaque', `pat_${'x'.repeat(64)}`]) {
      await expect(callerOf(auth, bearer(token))).rejects.toMatchObject({ status: 401 })
    }
    // Nor does a key that serves both purposes make one pass for the other.
    const renamed = forged({ alg: 'RS256' }, claims({ aud: 'api.coze.cn' }), rs256)
    await expect(callerOf(auth, bearer(renamed))).rejects.toMatchObject({ status: 401 })
  })

  it('T18 are not repeated in the error or its causes', async () => {
    using auth = authenticator()
    const token = await stranger.sign('alice-the-subject')
    const error: unknown = await callerOf(auth, bearer(token)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).not.toContain('alice')
    expect(String(error)).not.toContain(token.slice(0, 20))
  })
})
