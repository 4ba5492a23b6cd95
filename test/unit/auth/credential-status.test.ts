import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { bearer } from '../../kit/credentials/authenticate.ts'
import { createRsaIssuer } from '../../kit/credentials/issuer.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'
import { openWaysIn } from '../../kit/credentials/sign-in.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const fetchJson = createFetchJson()

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
    maxTokenLength: 15_360,
    issuers: [
      issuerSettings({
        issuer: old.issuer,
        audience: old.audience,
        clockToleranceSeconds: 30,
        jwksUrl: server.url,
        jwks: {
          cooldownSeconds: 30,
          maxAgeSeconds: maxAgeMs / 1000,
          maxStaleSeconds: maxStaleMs / 1000,
          timeoutMs: 60_000,
          maxBytes: 65_536,
        },
      }),
    ],
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const statusOf = async (token: string) => {
    const identity = await auth.authenticate(bearer(token))
    if (!identity) throw new Error('a token was taken for none')
    return identity.status
  }
  return { clock, old, next, server, statusOf }
}

describe('T10: the status of a credential', () => {
  it('is shared by all tokens of one key of an issuer, across fetches of the keys', async () => {
    const { clock, old, next, server, statusOf } = await setUp()
    server.publish(old.jwk, next.jwk)
    const alice = await statusOf(await old.sign('alice'))
    const bob = await statusOf(await old.sign('bob'))
    const carol = await statusOf(await next.sign('carol'))
    clock.advance(maxAgeMs + 1)
    const dave = await statusOf(await old.sign('dave'))
    expect(server.requests).toBe(2)
    expect(bob).toBe(alice)
    expect(dave).toBe(alice)
    expect(carol).not.toBe(alice)
  })

  it('is not accepted when its issuer no longer publishes the key', async () => {
    const { clock, old, next, server, statusOf } = await setUp()
    server.publish(old.jwk, next.jwk)
    const first = await statusOf(await old.sign('alice'))
    const second = await statusOf(await next.sign('bob'))
    server.publish(next.jwk)
    expect(await first.isStillAccepted()).toBe(true)
    clock.advance(maxAgeMs + 1)
    expect(await first.isStillAccepted()).toBe(false)
    expect(await second.isStillAccepted()).toBe(true)
    expect(server.requests).toBe(2)
  })

  it('is not accepted when another key takes the name of the first', async () => {
    const { clock, old, next, server, statusOf } = await setUp()
    const status = await statusOf(await old.sign('alice'))
    server.publish({ ...next.jwk, kid: 'old' })
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(false)
  })

  it('is accepted when another key is given the same name beside it: tokens of both are accepted', async () => {
    const { clock, old, next, server, statusOf } = await setUp()
    const status = await statusOf(await old.sign('alice'))
    server.publish({ ...next.jwk, kid: 'old' }, old.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(true)
    server.publish({ ...next.jwk, kid: 'old' }, { ...next.jwk, kid: 'old' })
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(false)
  })

  it('is accepted again when the key is published again', async () => {
    const { clock, old, next, server, statusOf } = await setUp()
    const status = await statusOf(await old.sign('alice'))
    server.publish(next.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(false)
    server.publish(old.jwk)
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(true)
  })

  it('is accepted while its issuer cannot be reached, and unknown when the keys are too old', async () => {
    const { clock, old, server, statusOf } = await setUp()
    const status = await statusOf(await old.sign('alice'))
    server.answer((response) => response.destroy())
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(true)
    clock.advance(maxStaleMs)
    await expect(status.isStillAccepted()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('is known for a key that its issuer marks as not exportable', async () => {
    const { clock, old, server, statusOf } = await setUp()
    server.publish({ ...old.jwk, ext: false })
    const status = await statusOf(await old.sign('alice'))
    clock.advance(maxAgeMs + 1)
    expect(await status.isStillAccepted()).toBe(true)
  })

  it('is permanent for keys that are written in the configuration', async () => {
    using kit = await openWaysIn()
    const { token } = await kit.guests.issue()
    for (const headers of [await kit.rsa.sign('a'), await kit.hmac.sign('a'), token].map(bearer)) {
      const identity = await kit.auth.authenticate(headers)
      expect(await identity?.status.isStillAccepted()).toBe(true)
    }
  })
})
