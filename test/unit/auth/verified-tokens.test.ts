import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { createVerifiedTokens } from '../../../src/auth/verified-tokens.ts'
import { permanentlyAccepted, type AcceptedCredential } from '../../../src/auth/identity.ts'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { createRsaIssuer } from '../../kit/credentials/issuer.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'

const fetchJson = createFetchJson()

const maxAgeMs = 60_000
const maxTokens = 10_000

function setUp() {
  const clock = createFakeClock()
  const tokens = createVerifiedTokens(clock)
  const madeFor = (subject: string, ttlMs = 3_600_000): AcceptedCredential => ({
    caller: {
      kind: 'jwt',
      issuer: 'https://issuer.test',
      subject,
      scopes: [],
      expiresAt: clock.now() + ttlMs,
    },
    status: permanentlyAccepted,
  })
  return { clock, tokens, madeFor }
}

describe('verified tokens', () => {
  it('are believed for a minute, and then verified anew', () => {
    const { clock, tokens, madeFor } = setUp()
    const alice = madeFor('alice')
    tokens.add('a.b.c', alice)
    clock.advance(maxAgeMs - 1)
    expect(tokens.find('a.b.c')).toBe(alice)
    clock.advance(1)
    expect(tokens.find('a.b.c')).toBeUndefined()
  })

  it('F40: are believed no longer when the wall clock is set back', () => {
    const { clock, tokens, madeFor } = setUp()
    tokens.add('a.b.c', madeFor('alice'))
    clock.advance(maxAgeMs)
    clock.jump(-maxAgeMs)
    expect(tokens.find('a.b.c')).toBeUndefined()
  })

  it('are not believed once they have expired', () => {
    const { clock, tokens, madeFor } = setUp()
    tokens.add('a.b.c', madeFor('alice', 5_000))
    clock.advance(4_999)
    expect(tokens.find('a.b.c')).toMatchObject({ caller: { subject: 'alice' } })
    clock.jump(1)
    expect(tokens.find('a.b.c')).toBeUndefined()
  })

  it('T4 are told apart to the last character', () => {
    const { tokens, madeFor } = setUp()
    tokens.add('a.b.c', madeFor('alice'))
    tokens.add('a.b.d', madeFor('bob'))
    expect(tokens.find('a.b.c')).toMatchObject({ caller: { subject: 'alice' } })
    expect(tokens.find('a.b.d')).toMatchObject({ caller: { subject: 'bob' } })
    for (const other of ['a.b.', 'a.b.c ', 'A.b.c', 'a.b.cc', '']) {
      expect(tokens.find(other)).toBeUndefined()
    }
  })

  it('are forgotten, the oldest first, when there are more than may be kept', () => {
    const { tokens, madeFor } = setUp()
    for (let index = 0; index <= maxTokens; index += 1) tokens.add(`${index}`, madeFor(`${index}`))
    expect(tokens.find('0')).toBeUndefined()
    expect(tokens.find('1')).toMatchObject({ caller: { subject: '1' } })
    expect(tokens.find(`${maxTokens}`)).toMatchObject({ caller: { subject: `${maxTokens}` } })
  })

  it('F38b are refused within a minute after their key was taken back, and at once when they expire', async () => {
    const clock = createFakeClock()
    const nowSeconds = () => Math.floor(clock.now() / 1000)
    const issuer = await createRsaIssuer({ nowSeconds })
    const next = await createRsaIssuer({ nowSeconds, kid: 'next' })
    const server = await openKeyServer(issuer.jwk)
    onTestFinished(() => server[Symbol.asyncDispose]())
    using auth = createAuthenticator({
      maxTokenLength: 15_360,
      issuers: [
        issuerSettings({
          issuer: issuer.issuer,
          audience: issuer.audience,
          clockToleranceSeconds: 0,
          jwksUrl: server.url,
          jwks: { maxAgeSeconds: 1, cooldownSeconds: 1, timeoutMs: 60_000 },
        }),
      ],
      clock,
      fetchJson,
      onFetchFailure: () => undefined,
    })
    const present = (token: string) => callerOf(auth, bearer(token))
    const long = await issuer.sign('alice')
    const short = await issuer.sign('alice', { exp: nowSeconds() + 5 })
    await present(long)
    await present(short)
    server.publish(next.jwk)
    clock.advance(5_000)
    await expect(present(long)).resolves.toMatchObject({ subject: 'alice' })
    await expect(present(short)).rejects.toMatchObject({ status: 401 })
    clock.advance(maxAgeMs - 5_000)
    await expect(present(long)).rejects.toMatchObject({ status: 401 })
  })
})
