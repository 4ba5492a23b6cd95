import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn, setInterval } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { RequestHeaders } from '../../src/auth/authenticator.ts'
import type { ReplyId } from '../../src/domain.ts'
import { UnauthenticatedError, UnavailableError } from '../../src/errors.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { createClient } from '../kit/clients/client.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { openFakeGateway } from '../kit/fakes/gateway.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { until } from '../kit/process/until.ts'

const authorization = 'Bearer alice'
const json = { authorization, 'content-type': 'application/json' }
const viewer = JSON.stringify({ query: '{ viewer { sessionFingerprint } }' })
const subscription = JSON.stringify({ query: 'subscription { replies { cursor } }' })

const within = (open: string, close: string, inside = '') =>
  `${open.repeat(20_000)}${inside}${close.repeat(20_000)}`
/** Each in another part of a request. */
const deepBodies = [
  ['a list', JSON.stringify({ query: `{ nodes(ids: ${within('[', ']')}) { id } }` })],
  ['an object', JSON.stringify({ query: `{ node(id: ${within('{a:', '}', '1')}) { id } }` })],
  ['a selection', JSON.stringify({ query: within('{a', '}') })],
  ['a fragment', JSON.stringify({ query: `{ ${within('... {', '}', 'a')} }` })],
  ['a type', JSON.stringify({ query: `query ($a: ${within('[', ']', 'ID')}) { a }` })],
  ['a variable', `{"query":"{ a }","variables":{"a":${within('[', ']')}}}`],
  ['an object in a variable', `{"query":"{ a }","variables":${within('{"a":', '}', '1')}}`],
  ['an extension', `{"query":"{ a }","extensions":${within('{"a":', '}', '1')}}`],
  ['a body', within('[', ']')],
] as const

describe('the door', () => {
  it('T7: asks who it is before it reads anything of the request', async () => {
    await using gateway = await openFakeGateway()
    const answer = await fetchAt(`${gateway.url}/graphql`, { method: 'POST', body: '{' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(await answer.json()).toEqual({
      errors: [{ message: 'A bearer token is needed.', extensions: { code: 'UNAUTHENTICATED' } }],
    })
  })

  it('answers health without credentials, and is not ready once it drains', async () => {
    await using gateway = await openFakeGateway()
    const statuses = () =>
      Promise.all(
        ['live', 'ready'].map(
          async (path) => (await fetchAt(`${gateway.url}/health/${path}`)).status,
        ),
      )
    expect(await statuses()).toEqual([200, 200])
    await gateway.server.drain()
    expect(await statuses()).toEqual([200, 503])
  })

  it('serves GraphiQL and all its assets from its own paths', async () => {
    await using gateway = await openFakeGateway()
    const page = await fetchAt(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } })
    const html = await page.text()
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
    const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path)
    expect(paths).toHaveLength(4)
    for (const path of paths) {
      const address = new URL(path ?? '', page.url).href
      const asset = await fetchAt(address)
      const etag = asset.headers.get('etag') ?? ''
      expect([asset.status, asset.headers.get('cache-control')]).toEqual([
        200,
        'public, max-age=31536000, immutable',
      ])
      expect((await asset.bytes()).length).toBeGreaterThan(100)
      const again = await fetchAt(address, { headers: { 'if-none-match': etag } })
      expect(again.status).toBe(304)
    }
  })

  it('opens a link with a query in GraphiQL for a person, and answers it for a program', async () => {
    await using gateway = await openFakeGateway()
    const link = `${gateway.url}/graphql?query=${encodeURIComponent('{ viewer { isGuest } }')}`
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
    const page = await fetchAt(link, { headers: { accept } })
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ])
    expect(await page.text()).toContain('GraphiQL')
    const headers = { authorization: 'Bearer alice', 'graphql-require-preflight': '1' }
    const response = await fetchAt(link, { headers })
    expect(await response.json()).toHaveProperty('data.viewer.isGuest')
    const refused = await fetchAt(link)
    expect([refused.status, await refused.text()]).toEqual([
      401,
      expect.stringContaining('UNAUTHENTICATED'),
    ])
  })

  it('serves a GraphiQL that holds a credential so that no cache keeps it', async () => {
    const secret = 'Bearer of-the-demo'
    await using gateway = await openFakeGateway({ graphiqlHeaders: { authorization: secret } })
    const page = await fetchAt(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } })
    const html = await page.text()
    expect(html).not.toContain(secret)
    const holders: unknown[] = []
    for (const [, path = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const asset = await fetchAt(new URL(path, page.url).href)
      if (!(await asset.text()).includes(secret)) continue
      const known = { 'if-none-match': asset.headers.get('etag') ?? '*' }
      const again = await fetchAt(asset.url, { headers: known })
      await again.body?.cancel()
      for (const { status, headers } of [asset, again]) {
        holders.push([status, headers.get('cache-control'), headers.get('etag')])
      }
    }
    expect(holders).toEqual([
      [200, 'private, no-store', null],
      [200, 'private, no-store', null],
    ])
  })

  it.each([
    ['deep', `${'{ viewer '.repeat(13)}${'}'.repeat(13)}`],
    [
      'full of aliases',
      `{ ${Array.from({ length: 31 }, (_, n) => `a${n}: __typename`).join(' ')} }`,
    ],
    ['full of directives', `{ viewer { sessionFingerprint ${'@skip(if: false) '.repeat(31)} } }`],
    ['long', `{ ${'__typename '.repeat(2_001)} }`],
    ['full of values', `{ reply(id: [${'1 '.repeat(2_001)}]) { id } }`],
    ['of overlapping fields', `{ ${'__typename '.repeat(200)} }`],
    [
      'of pages within pages',
      `{ conversations(first: 100) { edges { node { messages(first: 100) { edges { node { reply { conversation {
        messages(first: 100) { edges { node { id } } } } } } } } } } } }`,
    ],
  ])('T16: refuses a document that is %s, before it is validated', async (_what, query) => {
    await using gateway = await openFakeGateway()
    using client = createClient(gateway.url)
    const { status, body } = await client.call({ token: 'alice', query })
    expect([status, JSON.parse(body).data]).toEqual([expect.any(Number), undefined])
    expect(body).toMatch(/"code":"(BAD_REQUEST|GRAPHQL_PARSE_FAILED)"/)
    expect(body).not.toContain('GRAPHQL_VALIDATION_FAILED')
  })

  it.each(deepBodies)(
    'answers 400, not 500, to %s that nests 20,000 levels deep',
    async (_what, body) => {
      await using gateway = await openFakeGateway({
        limits: { maxBodyBytes: 262_144, maxTokens: 100_000 },
      })
      const answer = await fetchAt(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: { ...json, accept: 'application/json' },
        body,
      })
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('"BAD_REQUEST"')
      const { status } = await fetchAt(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: json,
        body: viewer,
      })
      expect(status).toBe(200)
    },
  )

  it('leaves to the schema what nests as deep as a parameter may', async () => {
    await using gateway = await openFakeGateway()
    using client = createClient(gateway.url)
    const query = `mutation ($value: JSON!) {
      sendMessage(input: { text: "x", parameters: [{ name: "city", value: $value }] }) { __typename }
    }`
    const nested = (levels: number): unknown => (levels === 0 ? 'end' : [nested(levels - 1)])
    const ask = (levels: number) =>
      client.call({ token: 'alice', query, variables: { value: nested(levels) } })
    expect((await ask(16)).body).toContain('SendMessageSuccess')
    expect((await ask(17)).body).toContain('at most 16 levels')
  })

  it('T17: refuses a session whose documents cost more than it may have, and nobody else', async () => {
    await using gateway = await openFakeGateway({ limits: { maxCost: 100, costPerSecond: 1 } })
    using client = createClient(gateway.url)
    const query = `{ ${'viewer { sessionFingerprint } '.repeat(30)} }`
    const ask = (token: string) => client.call({ token, query })
    expect((await ask('alice')).status).toBe(200)
    const refused = await ask('alice')
    expect([refused.status, Number(refused.headers['retry-after']) > 90]).toEqual([429, true])
    expect(refused.body).toContain('"RATE_LIMITED"')
    const many = `subscription { replies { ${'reply { id } '.repeat(30)} } }`
    expect((await client.stream({ token: 'alice', query: many })).status).toBe(429)
    expect((await ask('bob')).status).toBe(200)
    const little = await client.call({ token: 'alice', query: '{ viewer { sessionFingerprint } }' })
    expect(little.status).toBe(200)
  })

  it('F26: takes nothing new while the heap is nearly full, and live streams go on', async () => {
    let isFull = false
    const load = {
      get isNearLimit() {
        return isFull
      },
      check() {
        if (isFull) throw new UnavailableError('Memory is scarce.')
      },
    }
    await using gateway = await openFakeGateway({ load })
    using client = createClient(gateway.url)
    const query = 'mutation { sendMessage(input: { text: "x" }) { __typename } }'
    await client.call({ token: 'alice', query })
    using stream = await client.stream({
      token: 'alice',
      query: 'subscription { replies { __typename } }',
    })
    isFull = true
    const refused = await client.call({ token: 'alice', query })
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    expect((await client.stream({ token: 'alice', query })).status).toBe(503)
    gateway.session('alice').append('r0' as ReplyId, { type: 'started' })
    expect((await stream.next())?.data).toContain('ReplyStarted')
    isFull = false
    expect((await client.call({ token: 'alice', query })).status).toBe(200)
  })

  it('F37: begins no more requests in a turn of the event loop than one can bear', async () => {
    const begun: number[] = []
    let turn = 0
    const authenticator = {
      authenticate: async () => {
        begun.push(turn)
        throw new UnauthenticatedError('Nobody is known.')
      },
      challenge: () => 'Bearer',
    }
    await using gateway = await openFakeGateway({ authenticator })
    const count = 200
    using clients = await connectMany(gateway.url, count)
    clients.write('GET /graphql?query=%7Ba%7D HTTP/1.1\r\nHost: x\r\n\r\n')
    for (; begun.length < count; turn += 1) await nextTurn()
    const perTurn = Map.groupBy(begun, (at) => at)
    expect(Math.max(...[...perTurn.values()].map(({ length }) => length))).toBeLessThan(count / 2)
  })

  it('health answers at once, however many requests wait before it', async () => {
    let begun = 0
    const begunAtHealth: number[] = []
    const authenticator = {
      authenticate: async () => {
        begun += 1
        throw new UnauthenticatedError('Nobody is known.')
      },
      challenge: () => 'Bearer',
    }
    const readiness = () => {
      begunAtHealth.push(begun)
      return 'ready' as const
    }
    await using gateway = await openFakeGateway({ authenticator, readiness })
    const count = 200
    using clients = await connectMany(gateway.url, count)
    using probe = await connectMany(gateway.url, 1)
    const request = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`
    clients.write(request('/graphql?query=%7Ba%7D'))
    probe.write(request('/health/ready'))
    await until(() => begun === count && begunAtHealth.length > 0, 'all to begin')
    expect(begunAtHealth).toEqual([expect.toSatisfy((before: number) => before < count / 2)])
  })

  it('of requests that come on one connection the next begins when the one before it is answered', async () => {
    const begun: (() => void)[] = []
    const authenticator = {
      authenticate: async () => {
        const { promise, resolve } = Promise.withResolvers<void>()
        begun.push(resolve)
        await promise
        throw new UnauthenticatedError('Nobody is known.')
      },
      challenge: () => 'Bearer',
    }
    await using gateway = await openFakeGateway({ authenticator })
    using client = await connectMany(gateway.url, 1)
    client.write('GET /graphql?query=%7Ba%7D HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
    for (let n = 1; n <= 3; n += 1) {
      await until(() => begun.length >= n, 'the next one')
      for (let turn = 0; turn < 10; turn += 1) await nextTurn()
      expect(begun).toHaveLength(n)
      begun.at(-1)?.()
    }
  })

  it('requests that a client sends ahead on one connection are answered in their order', async () => {
    await using gateway = await openFakeGateway()
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname).setEncoding('utf8')
    let text = ''
    socket.on('data', (chunk: string) => (text += chunk))
    const ids = Array.from({ length: 40 }, (_, n) => `request-${n}`)
    const request = (id: string) =>
      `GET /graphql HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n\r\n`
    for (let from = 0; from < ids.length; from += 4) {
      const some = ids.slice(from, from + 4)
      socket.write(some.map(request).join(''))
      await until(() => text.includes(`x-request-id: ${some.at(-1)}\r\n`), 'their answers')
    }
    expect([...text.matchAll(/x-request-id: (.*)\r\n/g)].map(([, id]) => id)).toEqual(ids)
    socket.destroy()
  })

  it('a connection that brings thousands of requests and waits for no answer is read no further, and held for a second', async () => {
    let begun = 0
    const authenticator = {
      authenticate: async () => {
        begun += 1
        throw new UnauthenticatedError('Nobody is known.')
      },
      challenge: () => 'Bearer',
    }
    const clock = createFakeClock()
    await using gateway = await openFakeGateway({ authenticator, clock })
    const { hostname, port } = new URL(gateway.url)
    const read = new Map<unknown, number>()
    const count = (message: unknown) => {
      const { socket }: { socket?: unknown } = Object(message)
      read.set(socket, (read.get(socket) ?? 0) + 1)
    }
    subscribe('http.server.request.start', count)
    const socket = connect(Number(port), hostname).setEncoding('utf8')
    let text = ''
    socket.on('error', () => undefined).on('data', (chunk: string) => (text += chunk))
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.write('GET /graphql?query=%7Ba%7D HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10_000))
    await until(() => text.includes('UNAUTHENTICATED'), 'the first answer')
    clock.advance(999)
    // Whatever would close the first one has done so before another one is answered.
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200)
    expect(socket.closed).toBe(false)
    const [[served, requests] = []] = read
    // All of them may have come at once: that Node does not even read the rest is what keeps the others from waiting.
    expect(requests).toBeLessThan(20)
    expect(Object(served).bytesRead).toBeLessThanOrEqual(65_536)
    clock.advance(1)
    await closed
    unsubscribe('http.server.request.start', count)
    expect(begun).toBe(1)
  })

  it('what others wait for has its turn between the requests of one who floods', async () => {
    const begun: { readonly turn: number; readonly who: string | undefined }[] = []
    let turn = 0
    const authenticator = {
      authenticate: async (headers: RequestHeaders) => {
        begun.push({ turn, who: headers.get('authorization') ?? undefined })
        throw new UnauthenticatedError('Nobody is known.')
      },
      challenge: () => 'Bearer',
    }
    await using gateway = await openFakeGateway({ authenticator })
    using flooding = await connectMany(gateway.url, 60)
    using honest = await connectMany(gateway.url, 1)
    const request = (who: string) =>
      `GET /graphql?query=%7Ba%7D HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${who}\r\n\r\n`
    flooding.write(request('mallory').repeat(4))
    honest.write(request('alice'))
    for (; begun.length < 241; turn += 1) await nextTurn()
    const ofMallory = begun.filter(({ who }) => who === 'Bearer mallory')
    const perTurn = Map.groupBy(ofMallory, (one) => one.turn)
    expect(Math.max(...[...perTurn.values()].map(({ length }) => length))).toBeLessThanOrEqual(2)
    expect(begun.findIndex(({ who }) => who === 'Bearer alice')).toBeLessThan(60)
  })

  it('tells whoever looks around at the root what is open, and nothing that is not', async () => {
    const pathsOf = async (url: string): Promise<unknown> => (await fetchAt(`${url}/`)).json()
    await using gateway = await openFakeGateway()
    const open = ['/graphql', '/health/live', '/health/ready']
    expect(await pathsOf(gateway.url)).toEqual({ paths: open })
    const cookie = { name: '__Host-coze-gateway', sameSite: 'strict' } as const
    await using withCookies = await openFakeGateway({ cookie })
    expect(await pathsOf(withCookies.url)).toEqual({ paths: [...open, '/auth/cookie'] })
  })

  it('tells whoever asks for a WebSocket what is spoken here', async () => {
    await using gateway = await openFakeGateway()
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname).setEncoding('utf8')
    let answer = ''
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.write(
      'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-ws\r\n\r\n',
    )
    await until(() => answer.includes('errors'), 'the answer')
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toMatch(/graphql-transport-ws.*text\/event-stream/)
    socket.destroy()
  })

  it('lets no cache keep an answer, and no browser guess its type, whatever the route and the status', async () => {
    await using gateway = await openFakeGateway({
      origins: ['https://app.example.com'],
      cookie: { name: '__Host-coze-gateway', sameSite: 'strict' },
      limits: { maxBodyBytes: 1_000 },
    })
    const page = await fetchAt(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } })
    const [, asset = ''] = /src="([^"]+)"/.exec(await page.text()) ?? []
    const events = { ...json, accept: 'text/event-stream' }
    const strict = { ...json, accept: 'application/graphql-response+json' }
    const get = `/graphql?${new URLSearchParams({ query: '{ viewer { sessionFingerprint } }' })}`
    const asked: readonly (readonly [status: number, path: string, init?: RequestInit])[] = [
      [200, '/health/live'],
      [200, '/health/ready'],
      [200, get, { headers: { authorization } }],
      [200, '/graphql', { method: 'POST', headers: json, body: viewer }],
      [200, '/graphql', { method: 'POST', headers: events, body: viewer }],
      [400, '/graphql', { method: 'POST', headers: json, body: '{' }],
      [400, '/graphql', { method: 'POST', headers: strict, body: '{"query":"{ nope }"}' }],
      [401, '/graphql', { method: 'POST', body: viewer }],
      [403, '/graphql', { method: 'POST', headers: { authorization }, body: new FormData() }],
      [404, '/nothing'],
      [404, '/graphql?asset=none/x.js'],
      [405, '/graphql', { method: 'DELETE', headers: json }],
      [
        406,
        '/graphql',
        { method: 'POST', headers: { ...json, accept: 'image/png' }, body: viewer },
      ],
      [413, '/graphql', { method: 'POST', headers: json, body: 'x'.repeat(2_000) }],
      [415, '/graphql', { method: 'POST', headers: { authorization }, body: viewer }],
      [204, '/graphql', { method: 'OPTIONS', headers: { origin: 'https://app.example.com' } }],
      [204, '/auth/cookie', { method: 'OPTIONS' }],
      [204, '/auth/cookie', { method: 'POST', headers: { authorization } }],
      [204, '/auth/cookie', { method: 'DELETE' }],
      [405, '/auth/cookie'],
      [404, '/auth/guest', { method: 'POST' }],
    ]
    for (const [status, path, init] of asked) {
      const answer = await fetchAt(`${gateway.url}${path}`, init)
      await answer.body?.cancel()
      const [visibility, storage] = (answer.headers.get('cache-control') ?? '').split(', ')
      const sniffing = answer.headers.get('x-content-type-options')
      expect([path, answer.status, visibility, storage, sniffing]).toEqual([
        path,
        status,
        'private',
        'no-store',
        'nosniff',
      ])
    }
    // What is nobody's own: the page, which is asked for anew each time, and its files, which never change.
    const open = await fetchAt(`${gateway.url}/graphql${asset}`)
    const etag = { 'if-none-match': open.headers.get('etag') ?? '' }
    const known = await fetchAt(`${gateway.url}/graphql${asset}`, { headers: etag })
    expect(
      [page, open, known].map(({ status, headers }) => [
        status,
        headers.get('cache-control'),
        headers.get('x-content-type-options'),
      ]),
    ).toEqual([
      [200, 'no-cache', 'nosniff'],
      [200, 'public, max-age=31536000, immutable', 'nosniff'],
      [304, 'public, max-age=31536000, immutable', 'nosniff'],
    ])
    await gateway.server.drain()
    for (const path of ['/health/ready', '/graphql']) {
      const init =
        path === '/graphql' ? { method: 'POST', headers: events, body: subscription } : {}
      const { status, headers } = await fetchAt(`${gateway.url}${path}`, init)
      expect([status, headers.get('cache-control')]).toEqual([503, 'private, no-store'])
    }
  })

  it('T16: tells of a variable with thousands of unknown members in a few errors, each of which takes the time of all', async () => {
    await using gateway = await openFakeGateway()
    const members = Array.from({ length: 5_000 }, (_, n) => [`member-${n}`, 1] as const)
    const variables = { input: { text: 'hello', ...Object.fromEntries(members) } }
    const query =
      'mutation($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }'
    const answer = await fetchAt(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ query, variables }),
    })
    const { errors } = JSON.parse(await answer.text())
    expect(errors.length).toBeGreaterThan(0)
    expect(errors.length).toBeLessThan(5)
  })

  it('T18: repeats nothing of a variable that has the wrong value', async () => {
    await using gateway = await openFakeGateway()
    const canary = 'CANARY'
    const input =
      'mutation($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }'
    const asked: readonly (readonly [query: string, variables: object, said: string])[] = [
      [
        input,
        { input: canary },
        '"$input" has invalid value: Expected value of type "SendMessageInput" to be an object.',
      ],
      [
        input,
        { input: { text: { [canary]: canary } } },
        '"$input" has invalid value at .text: String cannot represent a non string value.',
      ],
      [input, { input: { text: canary, [canary]: canary } }, 'not to include unknown field.'],
      [input, { input: { extra: [canary] } }, 'to include required field "text".'],
      [input, { input: { text: null, extra: canary } }, 'not to be null.'],
      [
        input,
        { input: { text: canary, onBusy: canary } },
        'at .onBusy: The value does not exist in "BusyPolicy" enum.',
      ],
      [
        input,
        { input: { text: canary, attachmentIds: [[canary]] } },
        'at .attachmentIds[0]: ID cannot represent value.',
      ],
      [
        'query($id: ID!) { reply(id: $id) { id } }',
        { id: { a: canary } },
        'ID cannot represent value.',
      ],
      [
        'query($n: Int) { conversations(first: $n) { edges { cursor } } }',
        { n: canary },
        'Int cannot represent non-integer value.',
      ],
      [
        'query($b: Boolean!) { viewer @include(if: $b) { sessionFingerprint } }',
        { b: canary },
        'Boolean cannot represent a non boolean value.',
      ],
      [
        'mutation($f: Upload!) { uploadFile(input: { file: $f }) { __typename } }',
        { f: canary },
        'encountered error "A file is sent',
      ],
      [
        'subscription($id: ID) { replies(replyId: $id) { cursor } }',
        { id: [canary] },
        'ID cannot represent value.',
      ],
    ]
    for (const [query, variables, said] of asked) {
      const accept = query.startsWith('sub') ? 'text/event-stream' : 'application/json'
      const body = JSON.stringify({ query, variables })
      const answer = await fetchAt(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: { ...json, accept },
        body,
      })
      const text = await answer.text()
      expect(text).not.toContain(canary)
      const { errors } = JSON.parse(/\{"errors.*/.exec(text)?.[0] ?? '')
      const shown = expect.objectContaining({
        message: expect.stringContaining(said),
        extensions: { code: 'BAD_USER_INPUT' },
      })
      expect(errors).toContainEqual(shown)
    }
  })

  it('T12: grants nothing to other origins, and exactly the configured ones what they need', async () => {
    await using gateway = await openFakeGateway({ origins: ['https://app.example.com'] })
    const ask = async (origin: string, method: string) =>
      (await fetchAt(`${gateway.url}/graphql`, { method, headers: { origin } })).headers
    for (const origin of ['https://app.example.com.evil.com', 'null', 'http://app.example.com']) {
      const headers = await ask(origin, 'OPTIONS')
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('vary')).toContain('Origin')
    }
    const granted = await ask('https://app.example.com', 'OPTIONS')
    expect(granted.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(granted.get('access-control-allow-headers')).toContain('authorization')
    expect(granted.get('access-control-allow-credentials')).toBeNull()
    const refused = await ask('https://app.example.com', 'POST')
    expect(refused.get('access-control-allow-origin')).toBe('https://app.example.com')
  })

  it('keeps a sane request id, makes one otherwise, and logs the request without its body', async () => {
    const lines: object[] = []
    const logger: Logger = { ...silentLogger, debug: (fields) => void lines.push(fields) }
    await using gateway = await openFakeGateway({ logger })
    const send = (id: string) =>
      fetchAt(`${gateway.url}/graphql`, {
        method: 'POST',
        body: viewer,
        headers: { ...json, 'x-request-id': id },
      })
    expect((await send('abc-1')).headers.get('x-request-id')).toBe('abc-1')
    expect((await send('a b"c')).headers.get('x-request-id')).toMatch(/^[\w-]{22}$/)
    expect(lines[0]).toMatchObject({
      requestId: 'abc-1',
      method: 'POST',
      path: '/graphql',
      status: 200,
    })
    expect(JSON.stringify(lines)).not.toContain('viewer')
  })

  it.each([
    ['DELETE', 405],
    ['PUT', 405],
  ])('answers %s with %i and what it takes', async (method, status) => {
    await using gateway = await openFakeGateway()
    const answer = await fetchAt(`${gateway.url}/graphql`, { method, headers: json })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('allow')).toContain('POST')
  })

  it('T11: runs no mutation by GET', async () => {
    await using gateway = await openFakeGateway()
    const query = 'mutation { sendMessage(input: { text: "x" }) { __typename } }'
    const answer = await fetchAt(`${gateway.url}/graphql?${new URLSearchParams({ query })}`, {
      headers: { authorization },
    })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
    expect(await answer.text()).toContain('BAD_REQUEST')
    expect(gateway.session('alice').sent).toEqual([])
  })

  it.each([
    [
      'of several none is named',
      'query A { viewer { sessionFingerprint } } query B { __typename }',
      {},
    ],
    ['the named one is not there', '{ viewer { sessionFingerprint } }', { operationName: 'C' }],
    ['there is only a fragment', 'fragment F on Viewer { session }', {}],
    ['that is all that can be told of an invalid document', 'fragment F on Nobody { x }', {}],
  ])('answers 400 where no operation can be executed: %s', async (_why, query, more) => {
    await using gateway = await openFakeGateway()
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const answer = await fetchAt(`${gateway.url}/graphql`, {
        method: 'POST',
        body: JSON.stringify({ query, ...more }),
        headers: { ...json, accept },
      })
      expect([answer.status, await answer.json()]).toEqual([
        400,
        {
          errors: [
            {
              message: 'Could not determine what operation to execute.',
              extensions: { code: 'BAD_REQUEST' },
            },
          ],
        },
      ])
    }
  })

  it('answers what cannot be accepted with 406', async () => {
    await using gateway = await openFakeGateway()
    const answer = await fetchAt(`${gateway.url}/graphql`, {
      method: 'POST',
      body: viewer,
      headers: { ...json, accept: 'image/png' },
    })
    expect(answer.status).toBe(406)
  })

  it('T16: closes the connection of a body that is too large, and waits a second at most for its end', async () => {
    const clock = createFakeClock()
    await using gateway = await openFakeGateway({ clock, limits: { maxBodyBytes: 100 } })
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n${' '.repeat(200)}\r\n`,
    )
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (chunk: string) => (text += chunk))
    await until(() => text.includes('TOO_LARGE'), 'the refusal')
    expect(text).toMatch(/^HTTP\/1.1 413 /)
    const closed = once(socket, 'close')
    clock.advance(1_000)
    await closed
  })

  it('T16: lets a client that sends too much finish its sentence, or the answer would be lost with the connection', async () => {
    const clock = createFakeClock()
    await using gateway = await openFakeGateway({ clock, limits: { maxBodyBytes: 100 } })
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    const half = ' '.repeat(100_000)
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n${half}`,
    )
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (chunk: string) => (text += chunk))
    await until(() => text.includes('TOO_LARGE'), 'the refusal')
    expect(text).toMatch(/^HTTP\/1.1 413 [^]*\r\nconnection: close\r\n/i)
    socket.write(half)
    // An error would be thrown here.
    await once(socket, 'end')
  })

  it('T16: closes a connection that sends nothing', async () => {
    await using gateway = await openFakeGateway({ headersMs: 100 })
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.resume()
    await once(socket, 'close')
  })

  it('T16: closes a connection whose head drips in without an end', async () => {
    await using gateway = await openFakeGateway({ headersMs: 100 })
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    // What is written meets a closed connection in the end.
    socket.on('error', () => undefined)
    socket.resume()
    socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\nX-Drip: ')
    for await (const _ of setInterval(10)) {
      if (socket.closed) break
      socket.write('x')
    }
  })

  it('answers a target that is no path as a place where nothing is', async () => {
    await using gateway = await openFakeGateway()
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.end('GET //[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const [chunk] = await once(socket, 'data')
    expect(String(chunk)).toMatch(/^HTTP\/1.1 404 /)
  })

  it('speaks Request and Response as well, streams included', async () => {
    await using gateway = await openFakeGateway()
    const request = (query: string, accept: string) =>
      new Request('http://anywhere/graphql', {
        method: 'POST',
        body: JSON.stringify({ query }),
        headers: { ...json, accept },
      })
    const whole = await gateway.server.fetch(
      request('{ viewer { sessionFingerprint } }', 'application/json'),
    )
    expect(await whole.json()).toEqual({ data: { viewer: { sessionFingerprint: 'alice' } } })
    const stream = await gateway.server.fetch(
      request('subscription { replies { cursor } }', 'text/event-stream'),
    )
    const reader = stream.body?.getReader()
    const first = await reader?.read()
    expect(Buffer.from(first?.value ?? []).toString()).toBe(':\n\n')
    await reader?.cancel()
    await until(() => gateway.ends.length > 0, 'the end of the subscription')
    expect(gateway.ends).toEqual(['client-gone'])
  })
})

/** So many connections that the gateway has accepted, whose answers are read by nobody. */
async function connectMany(url: string, count: number) {
  const { hostname, port } = new URL(url)
  const sockets = Array.from({ length: count }, () => connect(Number(port), hostname).resume())
  const accepted = sockets.map((socket) => once(socket, 'data'))
  for (const socket of sockets) socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await Promise.all(accepted)
  return {
    write(text: string) {
      for (const socket of sockets) socket.write(text)
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

function fetchAt(url: string, init?: RequestInit): Promise<Response> {
  return globalThis.fetch(url, init)
}
