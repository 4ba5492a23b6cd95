import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { CozeError, createUpstreamError } from '../../../src/coze/errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { keys, openResolver } from './open-resolver.ts'

const { signal } = new AbortController()

describe('session-token resolver', () => {
  it('T9: signs what the platform asks for, in its own name and for nobody else', async () => {
    const { reveal, requests, jwts, clock } = openResolver()
    await reveal('alice')
    const [request] = requests
    expect(request).toMatchObject({
      method: 'POST',
      path: '/api/permission/oauth2/token',
      target: { baseUrl: 'http://127.0.0.1:7000/prefix' },
      body: {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        duration_seconds: 3600,
      },
    })
    const [jwt = ''] = jwts
    expect(decodeProtectedHeader(jwt)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' })
    const { payload } = await jwtVerify(jwt, await importSPKI(keys.publicKey, 'RS256'), {
      audience: '127.0.0.1:7000',
      issuer: 'app-1',
      currentDate: new Date(clock.now()),
    })
    expect(payload['session_name']).toBe('alice')
    expect(payload.jti?.length).toBeGreaterThan(32)
    expect(payload.exp).toBeGreaterThan(clock.now() / 1000)
  })

  it('F5: back-dates what it signs, by a minute at most', async () => {
    const { reveal, jwts, clock } = openResolver()
    await reveal('alice')
    const now = Math.floor(clock.now() / 1000)
    const { iat } = decodeJwt(jwts[0] ?? '')
    expect(iat).toBeLessThan(now)
    expect(iat).toBeGreaterThanOrEqual(now - 60)
  })

  it('takes a PKCS#1 key, an audience and an organisation of their own', async () => {
    const pkcs1 = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const { reveal, requests, jwts } = openResolver({
      credentials: {
        privateKey: new Secret(pkcs1.privateKey),
        audience: 'api.coze.example',
        accountId: 'org/1',
        accessTokenSeconds: 600,
      },
    })
    await reveal('alice')
    expect(requests[0]).toMatchObject({
      path: '/api/permission/oauth2/account/org%2F1/token',
      body: { duration_seconds: 600 },
    })
    expect(decodeJwt(jwts[0] ?? '').aud).toBe('api.coze.example')
  })

  it.each([
    ['privateKey', { privateKey: new Secret('-----BEGIN PRIVATE KEY-----\nMII\n') }],
    ['accessTokenSeconds', { accessTokenSeconds: 86_400 }],
  ])('refuses a bad %s by its name', (name, credentials) => {
    expect(() => openResolver({ credentials })).toThrow(new RegExp(`^"${name}" must be`))
  })

  it('mints once for 100 concurrent callers of a session, and gives each session its own (T15)', async () => {
    const { resolver, minted, outcomes } = openResolver()
    const sessions = Array.from({ length: 300 }, (_, index) => `session-${index % 3}`)
    const tokens = await Promise.all(sessions.map((name) => resolver.token(name, signal)))
    expect(minted.toSorted()).toEqual(['session-0#1', 'session-1#1', 'session-2#1'])
    expect(outcomes).toEqual(['minted', 'minted', 'minted'])
    for (const [index, token] of tokens.entries()) {
      expect(token.sessionName).toBe(sessions[index])
      expect(token.target.token.reveal()).toBe(`${sessions[index]}#1`)
    }
  })

  it('T15: never mixes sessions up while entries are evicted, dropped and expire', async () => {
    const { resolver, clock } = openResolver({ maxEntries: 3, maxConcurrentMints: 2 })
    for (let round = 0; round < 30; round += 1) {
      const names = Array.from({ length: 8 }, (_, index) => `session-${(index * round) % 5}`)
      const tokens = await Promise.all(names.map((name) => resolver.token(name, signal)))
      for (const [index, token] of tokens.entries()) {
        expect(token.target.token.reveal().split('#')[0]).toBe(names[index])
        if (index % 3 === 0) resolver.drop(token)
      }
      await clock.pass(round * 100_000)
    }
  })

  it('uses each signed JWT once', async () => {
    const { reveal, jwts, clock } = openResolver()
    for (let hour = 0; hour < 3; hour += 1) {
      await reveal('alice')
      await reveal('bob')
      await clock.pass(3_600_000)
    }
    expect(new Set(jwts.map((jwt) => decodeJwt(jwt).jti)).size).toBe(6)
  })

  it.each([
    ['a line break', 'czs_a\r\nx-other: 1'],
    ['a character outside of Latin', 'czs_密'],
    ['a space', 'czs a'],
    ['nothing', ''],
    ['a number', 7],
  ])('an access token with %s is refused as it is minted, and not kept', async (_what, given) => {
    const { resolver, requests, outcomes } = openResolver({ tokenOf: () => given })
    for (let nth = 1; nth <= 2; nth += 1) {
      const refused = resolver.token('alice', signal)
      await expect(refused).rejects.toMatchObject({ kind: 'protocol', accepted: 'no' })
      await expect(refused).rejects.not.toHaveProperty('message', expect.stringContaining('czs'))
      expect(requests).toHaveLength(nth)
    }
    expect(outcomes).toEqual(['failed', 'failed'])
  })

  it('takes expires_in for an instant, refreshes ahead in the background, and never serves an expired token', async () => {
    const gate = Promise.withResolvers<void>()
    const { reveal, clock, minted } = openResolver({
      before: async (mint) => {
        if (mint === 2) await gate.promise
      },
    })
    expect(await reveal('alice')).toBe('alice#1')
    await clock.pass(3_000_000)
    expect(await reveal('alice')).toBe('alice#1')
    expect(minted).toHaveLength(1)
    await clock.pass(300_000)
    expect(await Promise.all([reveal('alice'), reveal('alice')])).toEqual(['alice#1', 'alice#1'])
    gate.resolve()
    while (minted.length < 2) await clock.pass(0)
    await clock.pass(0)
    expect(await reveal('alice')).toBe('alice#2')
    await clock.pass(3_600_000)
    expect(await reveal('alice')).toBe('alice#3')
  })

  it('F5: serves the old token while refreshing ahead fails, until it expires', async () => {
    const { reveal, clock, outcomes } = openResolver({
      before: async (mint) => {
        if (mint > 1) throw new CozeError('server', 'HTTP 503', { accepted: 'unknown' })
      },
    })
    await reveal('alice')
    await clock.pass(3_300_000)
    expect(await reveal('alice')).toBe('alice#1')
    await clock.pass(100_000)
    expect(await reveal('alice')).toBe('alice#1')
    await clock.pass(200_000)
    await expect(reveal('alice')).rejects.toMatchObject({ kind: 'server', accepted: 'no' })
    expect(outcomes.slice(0, 2)).toEqual(['minted', 'failed'])
  })

  it('F40: neither keeps nor loses a token when the wall clock jumps', async () => {
    const { reveal, clock, minted } = openResolver()
    await reveal('alice')
    clock.jump(7_200_000)
    expect(await reveal('alice')).toBe('alice#1')
    clock.jump(-10_800_000)
    await clock.pass(3_599_000)
    await reveal('alice')
    expect(minted).toEqual(['alice#1', 'alice#2'])
  })

  it('F5: fails all who share a flight, and lets the next caller try again', async () => {
    const { resolver, requests, reveal } = openResolver({
      before: async (mint) => {
        if (mint === 1) throw new CozeError('server', 'HTTP 500', { accepted: 'unknown' })
      },
    })
    const flights = await Promise.allSettled(
      Array.from({ length: 100 }, async () => resolver.token('alice', signal)),
    )
    expect(flights.every((flight) => flight.status === 'rejected')).toBe(true)
    expect(requests).toHaveLength(1)
    expect(await reveal('alice')).toBe('alice#1')
  })

  it("does not fail the others of a flight when one caller's signal aborts", async () => {
    const gate = Promise.withResolvers<void>()
    const { resolver, requests } = openResolver({ before: async () => gate.promise })
    const first = new AbortController()
    const leaving = resolver.token('alice', first.signal)
    const staying = resolver.token('alice', signal)
    first.abort(new Error('the caller left'))
    await expect(leaving).rejects.toThrow('the caller left')
    gate.resolve()
    expect((await staying).target.token.reveal()).toBe('alice#1')
    expect(requests).toHaveLength(1)
  })

  it('mints at most so many at once, in turn', async () => {
    const gate = Promise.withResolvers<void>()
    const opened = openResolver({ maxConcurrentMints: 3, before: async () => gate.promise })
    const tokens = Array.from({ length: 20 }, async (_, index) =>
      opened.resolver.token(`s${index}`, signal),
    )
    while (opened.requests.length < 3) await opened.clock.pass(0)
    gate.resolve()
    await Promise.all(tokens)
    expect(opened.mostFlying).toBe(3)
    expect(opened.minted).toHaveLength(20)
  })

  it('F5: waits a bounded time for a slow token endpoint', async () => {
    const { resolver, clock, requests } = openResolver({
      before: async (_, __, given) => clock.sleep(60_000, given),
    })
    const outcome = expect(resolver.token('alice', signal)).rejects.toMatchObject({
      kind: 'timeout',
      accepted: 'no',
    })
    while (requests.length === 0) await clock.pass(0)
    await clock.pass(10_000)
    await outcome
  })

  it.each([600_000, -600_000])(
    "F5: takes the upstream's time when it refuses ours, once (%d ms)",
    async (skewMs) => {
      const { reveal, requests, clock } = openResolver({ skewMs })
      expect(await reveal('alice')).toBe('alice#1')
      expect(requests).toHaveLength(2)
      expect(await reveal('bob')).toBe('bob#1')
      expect(requests).toHaveLength(3)
      await clock.pass(3_000_000)
      expect(await reveal('alice')).toBe('alice#1')
    },
  )

  it("F5: takes the upstream's time when it refuses ours with a code of its own", async () => {
    const opened = openResolver({
      before: async (mint) => {
        if (mint > 1) return
        const serverTime = opened.clock.now() + 600_000
        throw new CozeError('refused', 'invalid_request', { accepted: 'no', serverTime })
      },
      skewMs: 600_000,
    })
    expect(await opened.reveal('alice')).toBe('alice#1')
    expect(opened.requests).toHaveLength(2)
  })

  it("F5: takes the upstream's time for all whom it refuses at once", async () => {
    const { reveal, requests } = openResolver({ skewMs: 600_000 })
    expect(await Promise.all(['alice', 'bob', 'carol'].map(reveal))).toEqual([
      'alice#1',
      'bob#1',
      'carol#1',
    ])
    expect(requests).toHaveLength(6)
  })

  it('F5: does not repeat a refusal that the clock does not explain', async () => {
    const opened = openResolver({
      before: async () => {
        throw new CozeError('auth', 'refused', { accepted: 'no', serverTime: opened.clock.now() })
      },
    })
    await expect(opened.reveal('alice')).rejects.toMatchObject({ kind: 'auth' })
    expect(opened.requests).toHaveLength(1)
    expect(opened.outcomes).toEqual(['failed'])
  })

  it.each(['invalid_request', 'unsupported_grant_type'])(
    'takes an assertion that is refused with %s for a refused credential',
    async (upstreamCode) => {
      const { reveal } = openResolver({
        before: async () => {
          throw createUpstreamError({ accepted: 'no', upstreamCode, httpStatus: 400 })
        },
      })
      await expect(reveal('alice')).rejects.toMatchObject({ kind: 'auth', upstreamCode })
    },
  )

  it('says that a platform without OAuth apps has none', async () => {
    const text = 'missing session_key in cookie'
    const { reveal } = openResolver({
      before: async () => {
        throw createUpstreamError({ accepted: 'no', upstreamCode: '401', httpStatus: 401, text })
      },
    })
    await expect(reveal('alice')).rejects.toMatchObject({
      kind: 'auth',
      misconfiguration: 'no-oauth',
    })
  })

  it('ends what is on its way when it is disposed', async () => {
    const { resolver, clock, requests } = openResolver({
      before: async (_, __, given) => clock.sleep(60_000, given),
    })
    const outcome = expect(resolver.token('alice', signal)).rejects.toMatchObject({
      kind: 'unavailable',
    })
    while (requests.length === 0) await clock.pass(0)
    await resolver[Symbol.asyncDispose]()
    await outcome
    expect(clock.pending).toBe(0)
    await expect(resolver.token('alice', signal)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
