import { generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { createRsaIssuer } from '../../kit/credentials/issuer.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const fetchJson = createFetchJson()

const cooldownMs = 30_000
const maxAgeMs = 600_000
const maxStaleMs = 3_600_000

async function setUp() {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const old = await createRsaIssuer({ nowSeconds, kid: 'old' })
  const next = await createRsaIssuer({ nowSeconds, kid: 'next' })
  const server = await openKeyServer(old.jwk)
  onTestFinished(() => server[Symbol.asyncDispose]())
  let timeoutMs = 60_000
  const auth = createAuthenticator({
    maxTokenLength: 15_360,
    issuers: [
      issuerSettings({
        issuer: old.issuer,
        audience: old.audience,
        clockToleranceSeconds: 30,
        jwksUrl: server.url,
        jwks: {
          cooldownSeconds: cooldownMs / 1000,
          maxAgeSeconds: maxAgeMs / 1000,
          maxStaleSeconds: maxStaleMs / 1000,
          timeoutMs: 60_000,
          maxBytes: 65_536,
        },
      }),
    ],
    clock,
    fetchJson: (url, options) => fetchJson(url, { ...options, timeoutMs }),
    onFetchFailure: () => undefined,
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const present = (token: string) => callerOf(auth, bearer(token))
  /** From now on a key server that says nothing is waited for so long. */
  const wait = (ms: number) => void (timeoutMs = ms)
  return { clock, old, next, server, present, wait }
}

describe("an issuer's published keys", () => {
  it('verify its tokens, and are fetched once for any number of concurrent requests', async () => {
    const { old, server, present } = await setUp()
    const token = await old.sign('alice')
    const callers = await Promise.all(Array.from({ length: 20 }, () => present(token)))
    expect(callers.every(({ subject }) => subject === 'alice')).toBe(true)
    expect(server.requests).toBe(1)
  })

  it('F38b are fetched anew when a token names an unknown one, but not within the cooldown', async () => {
    const { clock, old, next, server, present } = await setUp()
    await present(await old.sign('alice'))
    server.publish(next.jwk)
    await expect(present(await next.sign('alice'))).rejects.toMatchObject({ status: 401 })
    expect(server.requests).toBe(1)
    clock.advance(cooldownMs)
    await expect(present(await next.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    expect(server.requests).toBe(2)
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 401 })
  })

  it.each([
    '../../../../dev/null',
    "x' OR '1'='1",
    'http://127.0.0.1:9/keys',
    '__proto__',
    'constructor',
    '0',
    '',
  ])('T8 cost one fetch per cooldown, however many tokens name %j', async (kid) => {
    const { clock, old, next, server, present } = await setUp()
    await present(await old.sign('alice'))
    clock.advance(cooldownMs)
    const forged = await next.sign('alice', {}, { kid })
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(present(forged)).rejects.toMatchObject({ status: 401 })
    }
    expect(server.requests).toBe(2)
  })

  describe('where a token names none of several', () => {
    const nameless = { kid: undefined }

    it('are tried, and the one that signed it is found', async () => {
      const { old, next, server, present } = await setUp()
      server.publish(old.jwk, next.jwk)
      for (const signer of [old, next]) {
        const token = await signer.sign('alice', {}, nameless)
        await expect(present(token)).resolves.toMatchObject({ subject: 'alice' })
      }
    })

    it('are tried where two have one name, too', async () => {
      const { old, next, server, present } = await setUp()
      server.publish(old.jwk, { ...next.jwk, kid: 'old' })
      const token = await next.sign('alice', {}, { kid: 'old' })
      await expect(present(token)).resolves.toMatchObject({ subject: 'alice' })
    })

    it('T8 verify no token of a key that is not among them', async () => {
      const { old, next, server, present } = await setUp()
      const stranger = await createRsaIssuer({ kid: 'stranger' })
      server.publish(old.jwk, next.jwk)
      await expect(present(await stranger.sign('alice', {}, nameless))).rejects.toMatchObject({
        status: 401,
        message: 'The token is signed with a key that its issuer does not have.',
      })
    })

    it('T8 are not tried without end: more than four are told as ambiguous, by the name of the claim', async () => {
      const { old, next, server, present } = await setUp()
      const twins = ['a', 'b', 'c'].map((kid) => ({ ...next.jwk, kid }))
      server.publish(old.jwk, ...twins, next.jwk)
      const refusal: unknown = await present(await next.sign('alice', {}, nameless)).catch(
        (error: unknown) => error,
      )
      expect(refusal).toMatchObject({
        status: 401,
        message: 'The token does not name one of the keys of its issuer.',
        refusal: { claim: 'kid', expected: expect.stringContaining('old, a, b, c, next') },
      })
      await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    })

    it('F38b are fetched anew when none of them signed it, but not within the cooldown', async () => {
      const { clock, old, next, server, present } = await setUp()
      await present(await old.sign('alice', {}, nameless))
      server.publish(next.jwk)
      const rotated = await next.sign('alice', {}, nameless)
      await expect(present(rotated)).rejects.toMatchObject({ status: 401 })
      expect(server.requests).toBe(1)
      clock.advance(cooldownMs)
      await expect(present(rotated)).resolves.toMatchObject({ subject: 'alice' })
      expect(server.requests).toBe(2)
    })
  })

  it('are told apart from a malformed token when they cannot be used', async () => {
    const { old, server, present } = await setUp()
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 })
    server.publish({ ...publicKey.export({ format: 'jwk' }), kid: 'old', alg: 'RS256' })
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({
      status: 401,
      message: 'The key for the token cannot be used.',
      refusal: { expected: expect.stringContaining('2048') },
    })
  })

  it('T8 verify nothing when they are meant for encryption', async () => {
    const { old, server, present } = await setUp()
    server.publish({ ...old.jwk, use: 'enc' })
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 401 })
  })

  it('are fetched anew at a certain age, so that a revoked one goes', async () => {
    const { clock, old, next, server, present } = await setUp()
    await present(await old.sign('alice'))
    server.publish(next.jwk)
    clock.advance(maxAgeMs)
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    clock.advance(1)
    await expect(present(await old.sign('bob'))).rejects.toMatchObject({ status: 401 })
  })

  it('F38c serve on while the issuer is down, then answer 503 and not 401', async () => {
    const { clock, old, server, present } = await setUp()
    await present(await old.sign('alice'))
    server.answer((response) => response.writeHead(500).end())
    clock.advance(maxStaleMs)
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    clock.advance(1)
    await expect(present(await old.sign('bob'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      status: 503,
    })
  })

  it('F38c serve on at once while the issuer is silent, then answer 503 and not 401', async () => {
    const { clock, old, server, present, wait } = await setUp()
    await present(await old.sign('alice'))
    const silence = () => undefined
    server.answer(silence)
    wait(50)
    clock.advance(maxStaleMs)
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    clock.advance(1)
    await expect(present(await old.sign('bob'))).rejects.toMatchObject({ status: 503 })
  })

  it('F38c are waited for no more once the issuer did not answer, and are new when it does', async () => {
    const { clock, old, next, server, present, wait } = await setUp()
    await present(await old.sign('alice'))
    server.answer((response) => response.writeHead(500).end())
    clock.advance(maxAgeMs + 1)
    await expect(present(await old.sign('bob'))).resolves.toMatchObject({ subject: 'bob' })
    const asked = Promise.withResolvers<ServerResponse>()
    server.answer((response) => asked.resolve(response))
    wait(3_600_000)
    clock.advance(cooldownMs)
    await expect(present(await old.sign('carol'))).resolves.toMatchObject({ subject: 'carol' })
    const response = await asked.promise
    await expect(present(await old.sign('dave'))).resolves.toMatchObject({ subject: 'dave' })
    response.end(JSON.stringify({ keys: [next.jwk] }))
    await expect(present(await next.sign('erin'))).resolves.toMatchObject({ subject: 'erin' })
    await expect(present(await old.sign('frank'))).rejects.toMatchObject({ status: 401 })
  })

  it('F38c answer 503 for an unknown key while the issuer cannot say whether it is one', async () => {
    const { clock, old, next, server, present } = await setUp()
    await present(await old.sign('alice'))
    server.answer((response) => response.destroy())
    clock.advance(cooldownMs)
    await expect(present(await next.sign('alice'))).rejects.toMatchObject({ status: 503 })
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
  })

  it('F38c are asked for again soon when there are none yet', async () => {
    const { clock, old, server, present } = await setUp()
    server.answer((response) => response.writeHead(503).end())
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 503 })
    server.publish(old.jwk)
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 503 })
    expect(server.requests).toBe(1)
    clock.advance(1_000)
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
  })

  it.each([
    ['larger than allowed', (body: string) => body.padEnd(65_537)],
    ['not JSON', () => 'sorry'],
    ['not a key set', () => '{"keys":"none"}'],
    ['a list', () => '[]'],
  ])('are no keys when the document is %s', async (_name, mangle) => {
    const { old, server, present } = await setUp()
    server.answer((response) => response.end(mangle(JSON.stringify({ keys: [old.jwk] }))))
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 503 })
  })

  it('are not sought where a redirect points', async () => {
    const { old, server, present } = await setUp()
    const elsewhere = await openKeyServer(old.jwk)
    onTestFinished(() => elsewhere[Symbol.asyncDispose]())
    server.answer((response) => response.writeHead(302, { location: elsewhere.url }).end())
    await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 503 })
    expect(elsewhere.requests).toBe(0)
  })

  it('may hold one that is no use without spoiling the others', async () => {
    const { old, next, server, present } = await setUp()
    server.publish({ kty: 'oct', kid: 'next', k: 'c2VjcmV0' }, { kty: 'RSA', kid: 'x' }, old.jwk)
    await expect(present(await old.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    await expect(present(await next.sign('alice'))).rejects.toMatchObject({ status: 401 })
  })

  it('of two sources answer 503 and not 401 while the one that may have the key is down', async () => {
    const { clock, old, next } = await setUp()
    const [first, second] = await Promise.all([openKeyServer(old.jwk), openKeyServer()])
    onTestFinished(() => first[Symbol.asyncDispose]())
    onTestFinished(() => second[Symbol.asyncDispose]())
    const { issuer, audience } = old
    const keys = [first, second].map(({ url }) => ({ jwksUrl: url }))
    using auth = createAuthenticator({
      issuers: [issuerSettings({ issuer, audience, keys })],
      maxTokenLength: 15_360,
      clock,
      fetchJson,
      onFetchFailure: () => undefined,
    })
    const present = (token: string) => callerOf(auth, bearer(token))
    first.answer((response) => response.writeHead(500).end())
    second.publish(next.jwk)
    await expect(present(await next.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    await expect(present(await old.sign('bob'))).rejects.toMatchObject({ status: 503 })
    first.publish(old.jwk)
    clock.advance(cooldownMs)
    await expect(present(await old.sign('bob'))).resolves.toMatchObject({ subject: 'bob' })
  })
})
