import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { limitsSchema } from '../../src/config/sections/limits.ts'
import { RateLimitedError, UnavailableError } from '../../src/errors.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { GuestIssuer } from '../../src/server/sign-in.ts'
import { apiKey } from '../kit/credentials/api-keys.ts'
import { createClient } from '../kit/clients/client.ts'
import { type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { perMinute } from '../kit/fakes/rates.ts'
import { until } from '../kit/process/until.ts'
import { cookieName, guestLifetimeSeconds, openWaysIn } from '../kit/credentials/sign-in.ts'

const page = 'https://app.example.com'
const one = apiKey('one')
const viewer = 'query { viewer { sessionFingerprint } }'
const subscription = 'subscription { replies { cursor } }'
const cookieSettings = { name: cookieName, sameSite: 'strict' } as const

/** A gateway with every way in open, unless a test closes one. */
async function open(more: FakeGatewayOptions = {}) {
  const kit = await openWaysIn({
    apiKeys: [one.settings],
    ...('cookie' in more && more.cookie === undefined && { cookie: false }),
  })
  const taken: string[] = []
  let left = Number.POSITIVE_INFINITY
  const limiter = (name: string) => ({
    async take(key: string) {
      taken.push(`${name} ${key}`)
      left -= 1
      if (left < 0) throw new RateLimitedError('Too many guests.', 30_000)
    },
  })
  const guests: GuestIssuer = {
    issue: (subject) => kit.guests.issue(subject),
    perAddress: limiter('address'),
    inAll: limiter('all'),
  }
  const gateway = await openFakeGateway({
    clock: kit.clock,
    authenticator: kit.auth,
    cookie: cookieSettings,
    guests,
    origins: [page],
    ...more,
  })
  const ask = (path: string, init: RequestInit = {}) =>
    globalThis.fetch(`${gateway.url}${path}`, init)
  return {
    ...kit,
    gateway,
    ask,
    taken,
    /** After so many takes every limiter refuses. */
    allow: (takes: number) => void (left = takes),
    /** Who a request to GraphQL is, or the status of its refusal. */
    async whoIs(headers: Readonly<Record<string, string>>): Promise<string | number> {
      const answer = await ask('/graphql', {
        method: 'POST',
        body: JSON.stringify({ query: viewer }),
        headers: { 'content-type': 'application/json', ...headers },
      })
      const { data } = (await answer.json()) as {
        data?: { viewer: { sessionFingerprint: string } }
      }
      return data?.viewer.sessionFingerprint ?? answer.status
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      kit.auth[Symbol.dispose]()
    },
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const cookie = (token: string) => ({ cookie: `${cookieName}=${token}` })
const sameOrigin = { 'sec-fetch-site': 'same-origin' }
const codeOf = async (answer: Response) => {
  const { errors } = (await answer.json()) as { errors: [{ extensions: { code: string } }] }
  return `${answer.status} ${errors[0].extensions.code}`
}
const post = (headers: Readonly<Record<string, string>> = {}, body?: string): RequestInit => ({
  method: 'POST',
  headers,
  ...(body !== undefined && { body }),
})

describe('a request for a credential', () => {
  it.each([
    ['/auth/cookie', 'POST'],
    ['/auth/cookie', 'DELETE'],
    ['/auth/guest', 'POST'],
  ])('T16: is counted for its address before anything is checked: %s %s', async (path, method) => {
    const addresses: string[] = []
    const signIns = {
      take(address: string) {
        addresses.push(address)
        throw new RateLimitedError('Too many requests to sign in within a minute.', 30_000)
      },
    }
    await using system = await open({ signIns })
    const answer = await system.ask(path, { method, headers: bearer('not even a token') })
    expect(await codeOf(answer)).toBe('429 RATE_LIMITED')
    expect(answer.headers.get('retry-after')).toBe('30')
    expect([addresses, system.taken]).toEqual([['127.0.0.1'], []])
  })

  it.each(['/auth/cookie', '/auth/guest'])(
    'T16: may take as long as any other to come, at %s, and is refused while memory is scarce',
    async (path) => {
      let isFull = false
      const load = {
        get isNearLimit() {
          return isFull
        },
        check() {
          if (isFull) throw new UnavailableError('Memory is scarce.')
        },
      }
      await using system = await open({ load })
      const idle = system.clock.pending
      const token = await system.rsa.sign('alice')
      const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.of(32)) })
      // Needed by the specification of fetch, and missing in its types.
      const init = { method: 'POST', body, duplex: 'half' }
      const headers = path === '/auth/cookie' ? bearer(token) : {}
      const late = system.ask(path, { ...init, headers })
      await until(() => system.clock.pending > idle, 'the request to be waited for')
      system.clock.advance(30_000)
      expect(await codeOf(await late)).toBe('408 BAD_REQUEST')
      isFull = true
      expect(await codeOf(await system.ask(path, post(headers)))).toBe('503 UNAVAILABLE')
    },
  )
})

describe('POST /auth/cookie', () => {
  it('T11: puts a bearer token into a cookie that is as good as the header, for as long', async () => {
    await using system = await open()
    const token = await system.rsa.sign('alice')
    const answer = await system.ask('/auth/cookie', post(bearer(token)))
    expect(answer.status).toBe(204)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    expect(answer.headers.get('set-cookie')).toBe(
      `${cookieName}=${token}; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Strict`,
    )
    const [sent = ''] = (answer.headers.get('set-cookie') ?? '').split(';')
    expect(await system.whoIs({ cookie: sent, ...sameOrigin })).toBe('alice')
    expect(await system.whoIs(bearer(token))).toBe('alice')
    expect(await system.whoIs({ ...bearer(token), cookie: sent })).toBe('alice')
  })

  it('T11: says what SameSite is configured', async () => {
    await using system = await open({ cookie: { ...cookieSettings, sameSite: 'lax' } })
    const answer = await system.ask('/auth/cookie', post(bearer(await system.rsa.sign('alice'))))
    expect(answer.headers.get('set-cookie')).toMatch(/; SameSite=Lax$/)
  })

  it("replaces another caller's cookie, whatever it holds", async () => {
    await using system = await open()
    const [alice, bob] = await Promise.all([system.rsa.sign('alice'), system.rsa.sign('bob')])
    for (const old of [alice, 'garbage', '']) {
      const answer = await system.ask('/auth/cookie', post({ ...bearer(bob), ...cookie(old) }))
      expect(answer.headers.get('set-cookie')).toContain(bob)
    }
  })

  it('is refused without a bearer token, and sets nothing then', async () => {
    await using system = await open()
    const token = await system.rsa.sign('alice')
    const key = { authorization: `ApiKey ${one.key}`, 'x-session-subject': 'alice' }
    const large = await system.rsa.sign('alice', { padding: 'x'.repeat(3_000) })
    const refusals = [
      [{}, '401 UNAUTHENTICATED'],
      [cookie(token), '401 UNAUTHENTICATED'],
      [bearer('garbage'), '401 UNAUTHENTICATED'],
      [key, '400 BAD_REQUEST'],
      [{ ...bearer(token), 'x-session-subject': 'bob' }, '400 BAD_REQUEST'],
      [bearer(large), '400 BAD_REQUEST'],
      [{ ...bearer(token), origin: 'https://evil.example' }, '403 FORBIDDEN'],
    ] as const
    for (const [headers, refusal] of refusals) {
      const answer = await system.ask('/auth/cookie', post(headers))
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await codeOf(answer)).toBe(refusal)
    }
    const long = await system.ask('/auth/cookie', post(bearer(token), 'x'.repeat(2_000)))
    expect(await codeOf(long)).toBe('413 TOO_LARGE')
    expect(long.headers.get('set-cookie')).toBeNull()
  })

  it('is undone by DELETE, which needs no credential: an expired one must go, too', async () => {
    await using system = await open()
    for (const headers of [{}, cookie('garbage'), sameOrigin]) {
      const answer = await system.ask('/auth/cookie', { method: 'DELETE', headers })
      expect(answer.status).toBe(204)
      expect(answer.headers.get('set-cookie')).toBe(
        `${cookieName}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict`,
      )
    }
    const headers = { 'sec-fetch-site': 'cross-site' }
    const foreign = await system.ask('/auth/cookie', { method: 'DELETE', headers })
    expect(await codeOf(foreign)).toBe('403 FORBIDDEN')
  })

  it('is nowhere unless it is configured, and takes nothing but POST and DELETE', async () => {
    await using closed = await open({ cookie: undefined, guests: undefined })
    for (const path of ['/auth/cookie', '/auth/guest', '/auth']) {
      expect((await closed.ask(path, post())).status).toBe(404)
    }
    const token = await closed.rsa.sign('alice')
    expect(await closed.whoIs({ ...cookie(token), ...sameOrigin })).toBe(401)
    await using system = await open()
    const [put, get] = [await system.ask('/auth/cookie'), await system.ask('/auth/guest')]
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST, DELETE, OPTIONS'])
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
  })

  it('works by Request and Response, too', async () => {
    await using system = await open()
    const token = await system.rsa.sign('alice')
    const { server } = system.gateway
    const set = await server.fetch(new Request('http://x/auth/cookie', post(bearer(token))))
    expect(set.headers.get('set-cookie')).toContain(token)
    const guest = await server.fetch(new Request('http://x/auth/guest', post()))
    expect(guest.status).toBe(200)
    expect(system.taken).toContain('address unknown')
  })
})

describe('T11: with a cookie', () => {
  const ours = [
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'cross-site', origin: page },
    { 'sec-fetch-site': 'same-site', origin: page },
    { origin: page },
  ]
  const foreign = [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': '' },
    { 'sec-fetch-site': 'same-origin, cross-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { origin: 'https://evil.example' },
    { origin: `${page}.evil.example` },
    { origin: 'null' },
    { origin: `${page}, ${page}` },
    { referer: `${page}/` },
  ]
  const every = [
    ...ours.map((headers) => [headers, 200] as const),
    ...foreign.map((headers) => [headers, 403] as const),
  ]

  it.each(every)(
    '%j is answered with %i, by POST, GET and on a stream',
    async (headers, status) => {
      await using system = await open()
      using client = createClient(system.gateway.url)
      const token = await system.rsa.sign('alice')
      const mine = { ...cookie(token), ...headers }
      expect(await system.whoIs(mine)).toBe(status === 200 ? 'alice' : 403)
      const get = await system.ask(`/graphql?${new URLSearchParams({ query: viewer })}`, {
        headers: mine,
      })
      expect(get.status).toBe(status)
      for (const method of ['GET', 'POST'] as const) {
        using stream = await client.stream({ query: subscription, method, headers: mine })
        expect(stream.status).toBe(status)
        if (status === 403) expect(await stream.refusal).toContain('FORBIDDEN')
      }
      // A header of one's own is no cookie: no page can make a browser send it.
      expect(await system.whoIs({ ...headers, ...bearer(token) })).toBe('alice')
    },
  )

  it.each([
    ['text/plain', {}, 403],
    ['application/x-www-form-urlencoded', {}, 403],
    ['multipart/form-data; boundary=x', {}, 403],
    ['text/plain; x=application/json', {}, 403],
    ['application/json-seq', {}, 403],
    ['application/json; charset=utf-8', {}, 200],
    ['APPLICATION/JSON', {}, 200],
    // What was asked for before is no form; what the body may be is then for others to say.
    ['text/plain', { 'graphql-require-preflight': '1' }, 415],
  ])('a body of %s and %j is answered with %i', async (type, more, status) => {
    await using system = await open()
    const token = await system.rsa.sign('alice')
    const headers = { ...cookie(token), ...sameOrigin, 'content-type': type, ...more }
    const answer = await system.ask('/graphql', post(headers, JSON.stringify({ query: viewer })))
    expect(answer.status).toBe(status)
  })

  it('no mutation runs by GET, from whichever page', async () => {
    await using system = await open()
    const query = 'mutation { sendMessage(input: { text: "x" }) { __typename } }'
    const headers = { ...cookie(await system.rsa.sign('alice')), ...sameOrigin }
    const answer = await system.ask(`/graphql?${new URLSearchParams({ query })}`, { headers })
    expect(answer.status).toBe(405)
    expect(system.gateway.session('alice').sent).toEqual([])
  })
})

describe('T12: pages of other origins', () => {
  it('may send cookies only where they are configured, and only from the configured origins', async () => {
    await using system = await open()
    await using without = await open({ cookie: undefined })
    for (const path of ['/graphql', '/auth/cookie', '/auth/guest']) {
      for (const origin of [page, 'https://evil.example', 'null', '*', `${page}.evil.example`]) {
        for (const method of ['OPTIONS', 'POST']) {
          const init = { method, headers: { origin } }
          const { headers } = await system.ask(path, init)
          const isOurs = origin === page
          expect(headers.get('access-control-allow-origin')).toBe(isOurs ? page : null)
          expect(headers.get('access-control-allow-credentials')).toBe(isOurs ? 'true' : null)
          expect(headers.get('vary')).toContain('Origin')
          const cookieless = await without.ask(path, init)
          expect(cookieless.headers.get('access-control-allow-credentials')).toBeNull()
        }
      }
    }
  })

  it('learn what each path takes', async () => {
    await using system = await open()
    const methods = async (path: string) => {
      const { headers } = await system.ask(path, { method: 'OPTIONS', headers: { origin: page } })
      expect(headers.get('access-control-allow-headers')).toContain('graphql-require-preflight')
      expect(headers.get('access-control-allow-headers')).not.toContain('x-session-subject')
      return headers.get('access-control-allow-methods')
    }
    expect(await methods('/graphql')).toBe('GET, POST, OPTIONS')
    expect(await methods('/auth/cookie')).toBe('POST, DELETE, OPTIONS')
    expect(await methods('/auth/guest')).toBe('POST, OPTIONS')
  })
})

describe('POST /auth/guest', () => {
  async function enter(system: Awaited<ReturnType<typeof open>>, init = post()) {
    const answer = await system.ask('/auth/guest', init)
    const pass = (await answer.json()) as { token: string; expiresAt: string }
    return { answer, ...pass }
  }

  it('makes a session for who has none, and sets the cookie where there are cookies', async () => {
    await using system = await open()
    const { answer, token, expiresAt } = await enter(system)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    expect(Date.parse(expiresAt)).toBe(system.clock.now() + guestLifetimeSeconds * 1000)
    expect(answer.headers.get('set-cookie')).toBe(
      `${cookieName}=${token}; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict`,
    )
    const session = await system.whoIs(bearer(token))
    expect(session).toMatch(/^[\w-]{22}$/)
    expect(await system.whoIs({ ...cookie(token), ...sameOrigin })).toBe(session)
    const other = await enter(system)
    expect(await system.whoIs(bearer(other.token))).not.toBe(session)

    await using without = await open({ cookie: undefined })
    expect((await enter(without)).answer.headers.get('set-cookie')).toBeNull()
  })

  it('gives a guest who was here a fresh token for the same session', async () => {
    await using system = await open()
    const first = await enter(system)
    const session = await system.whoIs(bearer(first.token))
    system.clock.advance(1_000_000)
    const json = { 'content-type': 'application/json' }
    for (const headers of [
      bearer(first.token),
      { ...cookie(first.token), ...sameOrigin, ...json },
    ]) {
      const fresh = await enter(system, post(headers, '{}'))
      expect(Date.parse(fresh.expiresAt)).toBe(Date.parse(first.expiresAt) + 1_000_000)
      expect(await system.whoIs(bearer(fresh.token))).toBe(session)
    }
  })

  it('makes nobody a new guest whose credential is refused, or is of somebody else', async () => {
    await using system = await open()
    const { token } = await system.guests.issue()
    const alice = await system.rsa.sign('alice')
    const key = { authorization: `ApiKey ${one.key}`, 'x-session-subject': 'alice' }
    system.clock.advance(guestLifetimeSeconds * 1000)
    const refusals = [
      [bearer('garbage'), '401 UNAUTHENTICATED'],
      [bearer(token), '401 UNAUTHENTICATED'],
      [{ ...cookie(token), ...sameOrigin }, '401 UNAUTHENTICATED'],
      [bearer(alice), '401 UNAUTHENTICATED'],
      [bearer(await system.rsa.sign('alice')), '400 BAD_REQUEST'],
      [key, '400 BAD_REQUEST'],
      [{ 'x-session-subject': 'alice' }, '400 BAD_REQUEST'],
    ] as const
    for (const [headers, refusal] of refusals) {
      const answer = await system.ask('/auth/guest', post(headers))
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await codeOf(answer)).toBe(refusal)
    }
    expect(system.taken).toEqual([])
  })

  it('T11: lets no page of another site sign its visitor in or out', async () => {
    await using system = await open()
    const { token } = await system.guests.issue()
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const json = { 'content-type': 'application/json' }
    for (const headers of [
      evil,
      { ...cookie(token), ...evil, ...json },
      { ...cookie(token), ...json },
      { ...cookie(token), ...sameOrigin, 'content-type': 'text/plain' },
    ]) {
      const answer = await system.ask('/auth/guest', post(headers, '{}'))
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await codeOf(answer)).toBe('403 FORBIDDEN')
    }
    expect((await enter(system, post(sameOrigin))).answer.status).toBe(200)
  })

  it('is limited for each client address, and for all together', async () => {
    await using system = await open()
    await enter(system)
    expect(system.taken).toEqual(['address 127.0.0.1', 'all guests'])
    for (const left of [0, 1]) {
      system.allow(left)
      const answer = await system.ask('/auth/guest', post())
      expect(answer.headers.get('retry-after')).toBe('30')
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await codeOf(answer)).toBe('429 RATE_LIMITED')
    }
    expect(system.taken.slice(2)).toEqual(['address 127.0.0.1', 'address 127.0.0.1', 'all guests'])
  })

  it('is limited by the limiter that the gateway has', async () => {
    const limiter = (points: number) => perMinute(points, 'Too many guests.', systemClock)
    const issue = async () => ({ token: 'a.b.c', expiresAt: 0 })
    for (const [perAddress, inAll] of [
      [2, 9],
      [9, 2],
    ] as const) {
      const guests = { issue, perAddress: limiter(perAddress), inAll: limiter(inAll) }
      await using system = await open({ guests })
      const answers = []
      for (let turn = 0; turn < 3; turn += 1) answers.push(await system.ask('/auth/guest', post()))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
      expect(Number(answers.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0)
    }
  })

  it('believes who a proxy says the client is only as far as it is told to', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.66, 198.51.100.7' }
    await using direct = await open()
    await enter(direct, post(headers))
    expect(direct.taken[0]).toBe('address 127.0.0.1')
    await using behind = await open({ trustProxy: 1 })
    await enter(behind, post(headers))
    expect(behind.taken[0]).toBe('address 198.51.100.7')
  })
})

describe('on the wire', () => {
  /** One request with exactly these header lines, over a connection of the agent. */
  async function send(url: string, lines: Record<string, string | string[]>, agent?: Agent) {
    const call = request(new URL('/graphql', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...lines },
      ...(agent && { agent }),
    })
    call.end(JSON.stringify({ query: viewer }))
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return { status: response.statusCode, body: await text(response) }
  }

  it('T8: a doubled header or cookie is refused, be the first as good as it may', async () => {
    await using system = await open()
    const { url } = system.gateway
    const [alice, bob] = await Promise.all([system.rsa.sign('alice'), system.rsa.sign('bob')])
    const groups = await system.rsa.sign('alice', { groups: 'x'.repeat(11_000) })
    expect(groups.length).toBeGreaterThan(14_336)
    const padding = { 'user-agent': 'x'.repeat(4_000) }
    expect((await send(url, { authorization: `Bearer ${groups}`, ...padding })).status).toBe(200)
    const tooLong = `Bearer ${'x'.repeat(15_361)}`
    expect((await send(url, { authorization: tooLong, ...padding })).status).toBe(401)
    const key = `ApiKey ${one.key}`
    const asCookie = (token: string) => `${cookieName}=${token}`
    const refused = [
      { authorization: [`Bearer ${alice}`, `Bearer ${bob}`] },
      { authorization: [`Bearer ${alice}`, `Bearer ${alice}`] },
      { authorization: [key, `Bearer ${alice}`], 'x-session-subject': 'alice' },
      { cookie: [asCookie(alice), asCookie(bob)], ...sameOrigin },
      { cookie: `a=1; ${asCookie(alice)}; ${asCookie(bob)}`, ...sameOrigin },
    ]
    for (const lines of refused) expect((await send(url, lines)).status).toBe(401)
    const subjects = { authorization: key, 'x-session-subject': ['alice', 'bob'] }
    expect((await send(url, subjects)).status).toBe(400)
    const fine = { cookie: ['a=1', asCookie(alice)], ...sameOrigin }
    expect((await send(url, fine)).body).toContain('alice')
  })

  it('a token of 14 kB, as members of hundreds of groups have, signs in at default limits, though no browser keeps it as a cookie', async () => {
    await using system = await open()
    const groups = Array.from({ length: 265 }, () => randomUUID())
    const token = await system.rsa.sign('alice', { groups })
    expect(token.length).toBeGreaterThan(14_000)
    expect(token.length).toBeLessThan(limitsSchema.parse({}).maxCredentialBytes)
    const { url } = system.gateway
    expect((await send(url, { authorization: `Bearer ${token}` })).body).toContain('alice')
    const moved = await system.ask('/auth/cookie', post(bearer(token)))
    expect([moved.status, moved.headers.get('set-cookie')]).toEqual([400, null])
    expect(await moved.text()).toContain('too large for a cookie')
  })

  it('T8: very long headers cost a refusal', async () => {
    await using system = await open()
    const { url } = system.gateway
    const long = 'x'.repeat(12_000)
    for (const lines of [
      { authorization: `Bearer ${long}` },
      { authorization: `ApiKey ${long}`, 'x-session-subject': 'alice' },
      { cookie: `${cookieName}=${long}`, ...sameOrigin },
      { authorization: long },
    ]) {
      expect((await send(url, lines)).status).toBe(401)
    }
    const key = `ApiKey ${one.key}`
    expect((await send(url, { authorization: key, 'x-session-subject': long })).status).toBe(400)
    expect((await send(url, { authorization: `Bearer ${long.repeat(2)}` })).status).toBe(431)
  })

  it('T6: each request on a connection is of its own caller, and one without is nobody', async () => {
    await using system = await open()
    const { url } = system.gateway
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const [alice, bob] = await Promise.all([system.rsa.sign('alice'), system.rsa.sign('bob')])
    const key = { authorization: `ApiKey ${one.key}`, 'x-session-subject': 'carol' }
    const turns = [
      [{ authorization: `Bearer ${alice}` }, 'alice'],
      [{ authorization: `Bearer ${bob}` }, 'bob'],
      [{}, 'UNAUTHENTICATED'],
      [key, 'carol'],
      [{ authorization: `ApiKey ${one.key}` }, 'BAD_REQUEST'],
      [{ ...cookie(alice), ...sameOrigin }, 'alice'],
      [sameOrigin, 'UNAUTHENTICATED'],
      [{ authorization: `Bearer ${bob}` }, 'bob'],
    ] as const
    try {
      for (const [lines, who] of turns) {
        expect((await send(url, lines, agent)).body).toContain(`"${who}"`)
      }
    } finally {
      agent.destroy()
    }
  })

  it('T5: no header, cookie or parameter names a session', async () => {
    await using system = await open()
    const names = { 'session-name': 'bob', 'x-session-name': 'bob', 'x-session-id': 'bob' }
    const cookies = { cookie: 'session_name=bob; session=bob; sub=bob' }
    const alice = bearer(await system.rsa.sign('alice', { session_name: 'bob', session: 'bob' }))
    expect(await system.whoIs({ ...alice, ...names, ...cookies })).toBe('alice')
    const search = new URLSearchParams({ query: viewer, session_name: 'bob', sub: 'bob' })
    const answer = await system.ask(`/graphql?${search}`, { headers: alice })
    expect(await answer.json()).toEqual({ data: { viewer: { sessionFingerprint: 'alice' } } })
  })

  it('T7: nothing but health and the page of GraphiQL is open to who is nobody', async () => {
    await using system = await open()
    const { url } = system.gateway
    expect((await send(url, {})).status).toBe(401)
    expect((await system.ask(`/graphql?${new URLSearchParams({ query: viewer })}`)).status).toBe(
      401,
    )
    const introspection = new URLSearchParams({ query: '{ __schema { types { name } } }' })
    const asPage = { headers: { accept: 'text/html' } }
    expect((await system.ask(`/graphql?${introspection}`)).status).toBe(401)
    // The page does not run what its address says.
    const page = await system.ask(`/graphql?${introspection}`, asPage)
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(await page.text()).not.toContain('"__schema"')
    expect((await system.ask('/metrics')).status).toBe(404)
  })
})
