import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthenticator } from '../../../src/auth/caller.ts'
import { fetchJson } from '../../../src/lib/fetch-json.ts'
import { bearer } from '../../kit/authenticate.ts'
import { createRsaIssuer } from '../../kit/callers.ts'
import { createFakeClock } from '../../kit/clock.ts'
import { openKeyServer } from '../../kit/jwks.ts'
import { openWaysIn } from '../../kit/ways-in.ts'

const maxAgeMs = 600_000
const maxStaleMs = 3_600_000

async function setUp() {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const old = await createRsaIssuer({ nowSeconds, kid: 'old' })
  const next = await createRsaIssuer({ nowSeconds, kid: 'next' })
  const server = await openKeyServer(old.jwk)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const auth = createAuthenticator({
    issuers: [
      {
        issuer: old.issuer,
        audience: [old.audience],
        algorithms: ['RS256'],
        subjectClaim: 'sub',
        scopesClaim: 'scope',
        clockToleranceSeconds: 30,
        keys: {
          type: 'jwks',
          url: server.url,
          cooldownSeconds: 30,
          maxAgeSeconds: maxAgeMs / 1000,
          maxStaleSeconds: maxStaleMs / 1000,
          timeoutMs: 60_000,
          maxBytes: 65_536,
        },
      },
    ],
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const proofOf = async (token: string) => {
    const identity = await auth.authenticate(bearer(token))
    if (!identity) throw new Error('a token was taken for none')
    return identity.proof
  }
  return { clock, old, next, server, proofOf }
}

describe('T10: what a token rests on', () => {
  it('is shared by all whom one key of an issuer vouches for, across fetches of the keys', async () => {
    const { clock, old, next, server, proofOf } = await setUp()
    server.publish(old.jwk, next.jwk)
    const alice = await proofOf(await old.sign('alice'))
    const bob = await proofOf(await old.sign('bob'))
    const carol = await proofOf(await next.sign('carol'))
    clock.advance(maxAgeMs + 1)
    const dave = await proofOf(await old.sign('dave'))
    expect(server.requests).toBe(2)
    expect(bob).toBe(alice)
    expect(dave).toBe(alice)
    expect(carol).not.toBe(alice)
  })

  it('falls when its issuer publishes the key no more', async () => {
    const { clock, old, next, server, proofOf } = await setUp()
    server.publish(old.jwk, next.jwk)
    const first = await proofOf(await old.sign('alice'))
    const second = await proofOf(await next.sign('bob'))
    server.publish(next.jwk)
    expect(await first.stands()).toBe(true)
    clock.advance(maxAgeMs + 1)
    expect(await first.stands()).toBe(false)
    expect(await second.stands()).toBe(true)
    expect(server.requests).toBe(2)
  })

  it('falls when another key takes the name of the first', async () => {
    const { clock, old, next, server, proofOf } = await setUp()
    const proof = await proofOf(await old.sign('alice'))
    server.publish({ ...next.jwk, kid: 'old' })
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(false)
  })

  it('stands when another key is given the same name beside it: tokens of both are accepted', async () => {
    const { clock, old, next, server, proofOf } = await setUp()
    const proof = await proofOf(await old.sign('alice'))
    server.publish({ ...next.jwk, kid: 'old' }, old.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(true)
    server.publish({ ...next.jwk, kid: 'old' }, { ...next.jwk, kid: 'old' })
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(false)
  })

  it('stands again when the key is published again', async () => {
    const { clock, old, next, server, proofOf } = await setUp()
    const proof = await proofOf(await old.sign('alice'))
    server.publish(next.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(false)
    server.publish(old.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(true)
  })

  it('is not told while its issuer cannot be reached: it stands, and then nobody knows', async () => {
    const { clock, old, server, proofOf } = await setUp()
    const proof = await proofOf(await old.sign('alice'))
    server.answer((response) => response.destroy())
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(true)
    clock.advance(maxStaleMs)
    await expect(proof.stands()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('can be a key that its issuer would not have exported', async () => {
    const { clock, old, server, proofOf } = await setUp()
    server.publish({ ...old.jwk, ext: false })
    const proof = await proofOf(await old.sign('alice'))
    clock.advance(maxAgeMs + 1)
    expect(await proof.stands()).toBe(true)
  })

  it('is the configuration itself, which stands as long as the process, for keys written in it', async () => {
    using kit = await openWaysIn()
    const { token } = await kit.guests.issue()
    for (const headers of [await kit.rsa.sign('a'), await kit.hmac.sign('a'), token].map(bearer)) {
      const identity = await kit.auth.authenticate(headers)
      expect(await identity?.proof.stands()).toBe(true)
    }
  })
})
