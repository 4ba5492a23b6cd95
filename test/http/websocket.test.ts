import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createClient as createGraphClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket, type ClientOptions } from 'ws'
import type { ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { message } from '../kit/fakes/engine.ts'
import { type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { completed } from '../kit/fakes/stored-replies.ts'
import { until } from '../kit/process/until.ts'

const protocol = 'graphql-transport-ws'
const authorization = 'Bearer alice'
const query = `subscription ($replyId: ID, $after: String) {
  replies(replyId: $replyId, after: $after) { __typename cursor ... on ReplyDelta { offset text } }
}`
const viewer = '{ viewer { sessionFingerprint } }'
const replyId = 'r0' as ReplyId
const ofReply = { query, variables: { replyId: encodeGlobal('Reply', replyId) } }
const started: ReplyEventBody = { type: 'started' }
const delta = (offset: number, text: string): ReplyEventBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})

/** A gateway with Alice, who has sent one message. */
async function open(options: FakeGatewayOptions = {}) {
  const gateway = await openFakeGateway(options)
  const alice = gateway.session('alice')
  await alice.replies.sendMessage(message('hello'))
  const url = `${gateway.url.replace('http', 'ws')}/graphql`
  return { gateway, alice, url, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() }
}

interface Message {
  readonly id?: string
  readonly type: string
  readonly payload?: unknown
}

/** A WebSocket, message by message. */
async function connect(url: string, options: ClientOptions & { protocol?: string } = {}) {
  const socket = new WebSocket(url, options.protocol ?? protocol, options)
  const messages: Message[] = []
  socket.on('message', (data) => {
    messages.push(JSON.parse(Buffer.isBuffer(data) ? data.toString() : ''))
  })
  const closed = Promise.withResolvers<readonly [code: number, reason: string]>()
  socket.on('close', (code, reason) => closed.resolve([code, String(reason)]))
  socket.on('error', () => undefined)
  const send = (...sent: readonly (object | string)[]) => {
    for (const one of sent) socket.send(typeof one === 'string' ? one : JSON.stringify(one))
  }
  await Promise.race([once(socket, 'open'), closed.promise])
  return {
    socket,
    messages,
    closed: closed.promise,
    send,
    /** Says who it is, and waits until it is let in. */
    async initialise(payload: object = { authorization }) {
      send({ type: 'connection_init', payload })
      await until(() => messages.length > 0, 'the acknowledgement')
      expect(messages.splice(0)).toEqual([{ type: 'connection_ack' }])
    },
    /** The messages, once there are so many. */
    async told(count: number) {
      await until(() => messages.length >= count, `${count} messages`)
      return messages
    },
    [Symbol.dispose]: () => socket.terminate(),
  }
}

const subscribe = (id: string, payload: object = ofReply) => ({ id, type: 'subscribe', payload })
const codeOf = ({ payload }: Message): unknown => Object(payload)[0]?.extensions?.code

describe('a mini-program, which has a WebSocket and reads no streams,', () => {
  it('says who it is in a header, sends a message, and follows its reply to the end', async () => {
    await using stage = await open()
    using client = await connect(stage.url, { headers: { authorization } })
    await client.initialise({})
    client.send(
      subscribe('1', {
        query: `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }`,
        variables: { input: { text: 'hello' } },
      }),
      subscribe('2'),
    )
    await until(() => stage.alice.readers === 1, 'the reader')
    const [first, second] = stage.alice.append(replyId, started, delta(0, 'a'))
    stage.alice.append(replyId, completed('a'))
    const sent = { data: { sendMessage: { __typename: 'SendMessageSuccess' } } }
    const replies = (event: object, cursor = '') => ({
      data: { replies: { ...event, cursor } },
      extensions: { cursor },
    })
    const told = await client.told(6)
    expect(told.slice(0, 4)).toEqual([
      { id: '1', type: 'next', payload: sent },
      { id: '1', type: 'complete' },
      { id: '2', type: 'next', payload: replies({ __typename: 'ReplyStarted' }, first) },
      {
        id: '2',
        type: 'next',
        payload: replies({ __typename: 'ReplyDelta', offset: 0, text: 'a' }, second),
      },
    ])
    expect(told.at(-1)).toEqual({ id: '2', type: 'complete' })
    expect(stage.gateway.ends).toEqual(['completed'])
  })
})

describe('the client graphql-ws', () => {
  it('follows a reply to its end, and goes on after the cursor of `extensions`', async () => {
    await using stage = await open()
    const client = createGraphClient({
      url: stage.url,
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
    })
    const seen: unknown[] = []
    let cursor = ''
    const first = client.iterate<{ replies: { __typename: string } }>(ofReply)
    const reading = (async () => {
      for await (const { data, extensions } of first) {
        cursor = String(Object(extensions).cursor)
        seen.push(data?.replies.__typename)
        if (seen.length === 2) break
      }
    })()
    await until(() => stage.alice.readers === 1, 'the reader')
    stage.alice.append(replyId, started, delta(0, 'a'))
    await reading
    await until(() => stage.gateway.ends.length === 1, 'the end of what it has left')
    stage.alice.append(replyId, completed('a'))
    const variables = { ...ofReply.variables, after: cursor }
    for await (const { data } of client.iterate<{ replies: { __typename: string } }>({
      query,
      variables,
    })) {
      seen.push(data?.replies.__typename)
    }
    expect(seen).toEqual(['ReplyStarted', 'ReplyDelta', 'ReplyCompleted'])
    expect(stage.gateway.ends).toEqual(['client-gone', 'completed'])
    await client.dispose()
  })

  it('connects again where the gateway is drained, and is not told that its subscription is over', async () => {
    await using stage = await open()
    const closes: unknown[] = []
    const client = createGraphClient({
      url: stage.url,
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
      retryAttempts: 0,
      on: { closed: (event) => void closes.push(Object(event).code) },
    })
    const reading = Array.fromAsync(client.iterate(ofReply))
    reading.catch(() => undefined)
    await until(() => stage.alice.readers === 1, 'the reader')
    await stage.gateway.server.drain()
    await expect(reading).rejects.toMatchObject({ code: 1012 })
    expect(closes).toEqual([1012])
    expect(stage.gateway.ends).toEqual(['drained'])
    using late = await connect(stage.url)
    expect(late.socket.readyState).toBe(WebSocket.CLOSED)
  })
})

describe('a WebSocket', () => {
  it('carries what is refused as an error of its operation, and goes on', async () => {
    await using stage = await open()
    using client = await connect(stage.url)
    await client.initialise()
    const unknown = encodeGlobal('Reply', 'never was')
    client.send(
      subscribe('a', { query, variables: { replyId: unknown } }),
      subscribe('b', { query: '{ nope }' }),
      subscribe('c', { query: '{' }),
      subscribe('d', { query: 1 }),
      subscribe('e', { query: viewer }),
    )
    const told = await client.told(6)
    expect(told.slice(0, 4).map((one) => [one.id, one.type, codeOf(one)])).toEqual([
      ['a', 'error', 'NOT_FOUND'],
      ['b', 'error', 'GRAPHQL_VALIDATION_FAILED'],
      ['c', 'error', 'GRAPHQL_PARSE_FAILED'],
      ['d', 'error', 'BAD_REQUEST'],
    ])
    const data = { viewer: { sessionFingerprint: 'alice' } }
    expect(told.slice(4)).toEqual([
      { id: 'e', type: 'next', payload: { data } },
      { id: 'e', type: 'complete' },
    ])
  })

  it('ends one operation that its client leaves, and no other', async () => {
    await using stage = await open()
    using client = await connect(stage.url)
    await client.initialise()
    client.send(subscribe('1'), subscribe('2'))
    await until(() => stage.alice.readers === 2, 'both readers')
    client.send({ id: '1', type: 'complete' }, { id: 'unknown', type: 'complete' })
    await until(() => stage.gateway.ends.length === 1, 'the end of one')
    stage.alice.append(replyId, started)
    expect(await client.told(1)).toMatchObject([{ id: '2', type: 'next' }])
    // The id may be used again.
    client.send(subscribe('1'))
    expect(await client.told(2)).toMatchObject([{ id: '2' }, { id: '1', type: 'next' }])
    client.socket.terminate()
    await until(() => stage.alice.readers === 0, 'all readers have gone')
    expect(stage.gateway.ends).toEqual(['client-gone', 'client-gone', 'client-gone'])
  })

  it('T10: says that the credential has expired, and where to resume', async () => {
    const clock = createFakeClock()
    const expiresAt = clock.now() + 60_000
    await using stage = await open({ clock, expiresAt, keepAliveMs: 86_400_000 })
    using client = await connect(stage.url)
    await client.initialise()
    client.send(subscribe('1'))
    const [resumeAfter] = stage.alice.append(replyId, started)
    await client.told(1)
    clock.advance(60_000)
    const [, end] = await client.told(2)
    expect(end).toMatchObject({
      id: '1',
      type: 'error',
      payload: [{ extensions: { code: 'SUBSCRIPTION_TOKEN_EXPIRED', resumeAfter } }],
    })
    expect(stage.gateway.ends).toEqual(['token-expired'])
  })

  it.each([
    ['without a credential', {}, {}, 'A bearer token is needed.'],
    ['with a credential that is refused', { authorization: 'Basic x' }, {}, 'A bearer token'],
    ['with a credential that is no text', { authorization: [authorization] }, {}, 'A bearer token'],
  ])('T7: lets nobody in %s, and says why', async (_how, payload, headers, why) => {
    await using stage = await open()
    using client = await connect(stage.url, { headers })
    client.send({ type: 'connection_init', payload }, subscribe('1', { query: viewer }))
    expect(await client.closed).toEqual([4403, expect.stringContaining(why)])
    expect(client.messages).toEqual([])
  })

  it.each([
    ['no JSON', '{', 4400],
    ['a list', '[]', 4400],
    ['of another type', { type: 'start', id: '1' }, 4400],
    ['bytes', Buffer.from('{"type":"ping"}'), 4400],
    [
      'nested 20,000 levels deep',
      `{"type":"ping","payload":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      4400,
    ],
    ['too large', JSON.stringify({ type: 'ping', payload: 'x'.repeat(70_000) }), 1009],
    ['an operation without an id', { type: 'subscribe', payload: { query: viewer } }, 4400],
    ['an operation without a payload', { type: 'subscribe', id: '1' }, 4400],
    ['a second introduction', { type: 'connection_init' }, 4429],
  ] as const)('T16: is closed for a message that is %s', async (_what, message, code) => {
    await using stage = await open()
    using client = await connect(stage.url)
    await client.initialise()
    if (Buffer.isBuffer(message)) client.socket.send(message)
    else client.send(message)
    expect((await client.closed)[0]).toBe(code)
    await until(() => stage.alice.readers === 0, 'nothing is left')
  })

  it('is closed for an operation before the introduction, and for an id that is in use', async () => {
    await using stage = await open()
    using early = await connect(stage.url)
    early.send(subscribe('1'))
    expect((await early.closed)[0]).toBe(4401)
    using twice = await connect(stage.url)
    await twice.initialise()
    twice.send(subscribe('1'), subscribe('1'))
    expect((await twice.closed)[0]).toBe(4409)
    await until(() => stage.alice.readers === 0, 'nothing is left')
  })

  it('T16 F42: is closed where nobody introduces himself, answers, or asks anything', async () => {
    const clock = createFakeClock()
    const options = { clock, keepAliveMs: 10_000, requestMs: 20_000, idleConnectionMs: 60_000 }
    await using stage = await open(options)
    using stranger = await connect(stage.url)
    using silent = await connect(stage.url, { autoPong: false })
    using idle = await connect(stage.url)
    await silent.initialise()
    await idle.initialise()
    silent.send(subscribe('1'))
    await until(() => stage.alice.readers === 1, 'the reader')
    let pings = 0
    idle.socket.on('ping', () => (pings += 1))
    /** Lets an interval pass, after which those who answer have answered. */
    async function pass() {
      const before = pings
      clock.advance(10_000)
      await until(() => pings > before || idle.socket.readyState === WebSocket.CLOSED, 'a ping')
      idle.send({ type: 'ping' })
      await until(() => idle.messages.splice(0).length > 0, 'its answer')
    }
    await pass()
    await pass()
    expect(await stranger.closed).toEqual([4408, 'Connection initialisation timeout'])
    expect(await silent.closed).toEqual([1006, ''])
    await until(() => stage.gateway.ends.length === 1, 'the end of the silent one')
    for (let minute = 3; minute < 6; minute += 1) await pass()
    clock.advance(10_000)
    expect(await idle.closed).toEqual([1001, 'Nothing is asked'])
  })

  it('is pinged in each interval, an eighth of all connections at a time', async () => {
    const clock = createFakeClock()
    await using stage = await open({ clock, keepAliveMs: 8_000 })
    using stack = new DisposableStack()
    let pings = 0
    for (let n = 0; n < 16; n += 1) {
      const client = stack.use(await connect(stage.url))
      client.socket.on('ping', () => (pings += 1))
    }
    for (let part = 1; part <= 8; part += 1) {
      clock.advance(1_000)
      await until(() => pings === part * 2, 'two pings')
      for (let turn = 0; turn < 20; turn += 1) await nextTurn()
      expect(pings).toBe(part * 2)
    }
  })

  it('F42: gives the newest subscription of a session the place of its oldest, which can resume', async () => {
    await using stage = await open({ limits: { maxSubscriptionsPerSession: 1 } })
    using first = await connect(stage.url)
    await first.initialise()
    first.send(subscribe('1'))
    const [after] = stage.alice.append(replyId, started)
    await first.told(1)
    using second = await connect(stage.url)
    await second.initialise()
    second.send(subscribe('1', { query, variables: { ...ofReply.variables, after } }))
    expect((await first.closed)[0]).toBe(1012)
    stage.alice.append(replyId, delta(0, 'a'))
    expect(await second.told(1)).toMatchObject([
      { payload: { data: { replies: { __typename: 'ReplyDelta' } } } },
    ])
    expect(stage.gateway.ends).toEqual(['replaced'])
  })

  it('F36 T16: that is not read costs a bounded buffer, disturbs nobody, and is closed', async () => {
    const clock = createFakeClock()
    await using stage = await open({ clock, stalledMs: 300 })
    using stalled = await connect(stage.url)
    using reading = await connect(stage.url)
    for (const client of [stalled, reading]) {
      await client.initialise()
      client.send(subscribe('1'))
    }
    await until(() => stage.alice.readers === 2, 'both readers')
    stalled.socket.pause()
    const text = 'wörter '.repeat(140_000)
    const rounds = 30
    for (let round = 0; round < rounds; round += 1) {
      stage.alice.append(replyId, delta(0, text))
      expect(await reading.told(1)).toMatchObject([{ payload: { data: { replies: { text } } } }])
      reading.messages.length = 0
    }
    clock.advance(300)
    await until(() => stage.gateway.ends.length > 0, 'the end of the stalled one')
    expect(stage.gateway.ends).toEqual(['stalled'])
    expect(stage.alice.readers).toBe(1)
  })

  it('T23: of one who asks much and reads nothing is not asked on', async () => {
    const costs = { take: () => undefined, charge: () => undefined }
    await using stage = await open({ costs })
    const { replies } = stage.alice
    const sent = await replies.sendMessage(message('x'.repeat(60_000)))
    const id = encodeGlobal('Message', sent.messageId)
    using client = await connect(stage.url)
    await client.initialise()
    client.socket.pause()
    const before = stage.alice.reads.length
    const payload = { query: `{ nodes(ids: ["${id}"]) { ... on Message { text } } }` }
    const asked = 300
    for (let n = 0; n < asked; n += 1) client.send(subscribe(String(n), payload))
    // Nothing moves any more: what the kernel has not taken waits here.
    let reads = 0
    for (let still = 0; still < 100; still += 1) {
      await nextTurn()
      if (stage.alice.reads.length !== reads) still = 0
      reads = stage.alice.reads.length
    }
    expect(reads - before).toBeLessThan(asked)
    client.socket.resume()
    await client.told(asked * 2)
    expect(stage.alice.reads.length - before).toBe(asked)
  })

  it('T11: takes a cookie from pages of this site only', async () => {
    const cookie = { name: '__Host-coze-gateway', sameSite: 'strict' } as const
    const authenticator = {
      async authenticate() {
        const caller = {
          kind: 'jwt',
          issuer: 'test',
          subject: 'alice',
          scopes: [],
          expiresAt: Date.now() + 60_000,
        } as const
        return { caller, status: { isStillAccepted: async () => true }, by: 'cookie' } as const
      },
      challenge: () => 'Bearer',
    }
    await using stage = await open({ cookie, authenticator, origins: ['https://app.example.com'] })
    const from = (origin: string, site?: string) =>
      connect(stage.url, {
        origin,
        headers: { cookie: '__Host-coze-gateway=x', ...(site && { 'sec-fetch-site': site }) },
      })
    const { host } = new URL(stage.gateway.url)
    for (const [origin, site] of [
      ['https://evil.example', 'cross-site'],
      ['https://evil.example', undefined],
      [`https://${host}.evil.example`, undefined],
      ['null', undefined],
      [stage.gateway.url, 'cross-site'],
    ] as const) {
      using foreign = await from(origin, site)
      foreign.send({ type: 'connection_init' })
      expect(await foreign.closed).toEqual([4403, expect.stringContaining('cookie')])
    }
    // No browser says `sec-fetch-site` of a WebSocket today.
    for (const origin of [stage.gateway.url, 'https://app.example.com']) {
      using trusted = await from(origin)
      await trusted.initialise({})
    }
  })

  it('of another protocol or at another path is refused in words', async () => {
    await using stage = await open()
    const refusals = await Promise.all(
      [
        [stage.url, 'graphql-ws'],
        [stage.url.replace('graphql', 'nothing'), protocol],
      ].map(async ([url = '', spoken]) => {
        const socket = new WebSocket(url, spoken)
        const [, response] = await once(socket, 'unexpected-response')
        response.setEncoding('utf8')
        const [body] = await once(response, 'data')
        socket.on('error', () => undefined).terminate()
        return [response.statusCode, body]
      }),
    )
    expect(refusals).toEqual([
      [400, expect.stringContaining(protocol)],
      [404, expect.any(String)],
    ])
  })

  it("is taken by a host's server as by the gateway's own", async () => {
    await using stage = await open()
    const host = createServer((_req, res) => res.end())
    host.on('upgrade', (req, socket, head) => stage.gateway.server.upgrade(req, socket, head))
    host.listen(0, '127.0.0.1')
    await once(host, 'listening')
    const { port } = host.address() as AddressInfo
    using client = await connect(`ws://127.0.0.1:${port}/any/path`)
    await client.initialise()
    client.send(subscribe('1', { query: viewer }))
    expect((await client.told(2)).at(-1)).toEqual({ id: '1', type: 'complete' })
    using other = await connect(`ws://127.0.0.1:${port}/`, { protocol: 'graphql-ws' })
    expect(other.socket.readyState).toBe(WebSocket.CLOSED)
    host.close()
    client.socket.terminate()
  })
})
