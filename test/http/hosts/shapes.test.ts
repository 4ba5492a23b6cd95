import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createSecureServer, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { getIntrospectionQuery } from 'graphql'
import { describe, expect, it, vi } from 'vitest'
import type { ReplyId } from '../../../src/domain.ts'
import { createTurns } from '../../../src/lib/turns.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import { streamToBody } from '../../../src/server/fetch/fetch-sink.ts'
import { createClient } from '../../kit/clients/client.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { message } from '../../kit/fakes/engine.ts'
import {
  type FakeGateway,
  type FakeGatewayOptions,
  openFakeGateway,
} from '../../kit/fakes/gateway.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'
import { createSelfSigned } from '../../kit/credentials/self-signed.ts'
import { until } from '../../kit/process/until.ts'

const authorization = 'Bearer alice'
const json = { authorization, 'content-type': 'application/json' }
const events = { ...json, accept: 'text/event-stream' }
const viewer = JSON.stringify({ query: '{ viewer { sessionFingerprint } }' })
const replies = JSON.stringify({ query: 'subscription { replies { __typename } }' })
const replyId = 'r0' as ReplyId
const form = '{"query":"{ viewer { sessionFingerprint } }"}'

type Handle = (req: IncomingMessage, res: ServerResponse) => void

/** A server of a host, which gives its requests to the gateway as it likes. */
async function openHost(host: (gateway: FakeGateway) => Handle, logger: Logger = silentLogger) {
  // Time stands still: whoever waits for a timeout waits for ever.
  const gateway = await openFakeGateway({ clock: createFakeClock(), logger })
  const server = createServer(host(gateway))
  const url = await listening(server)
  return {
    gateway,
    url,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

async function sendMessage(gateway: FakeGateway): Promise<void> {
  await gateway.session('alice').replies.sendMessage(message('hello'))
}

describe('a host with HTTP/2', () => {
  async function openHttp2(options: FakeGatewayOptions = {}) {
    const gateway = await openFakeGateway({ limits: { maxBodyBytes: 1_000 }, ...options })
    const server = createSecureServer(createSelfSigned(), (req, res) =>
      gateway.server.handle(req, res),
    )
    const url = (await listening(server)).replace('http:', 'https:')
    const session = connect(url, {
      rejectUnauthorized: false,
      settings: { initialWindowSize: 16_384 },
    })
    const open = (headers: object, path = '/graphql') =>
      session.request({ ':method': 'POST', ':path': path, ...headers })
    const ask = (headers: object, body: string, path = '/graphql') => open(headers, path).end(body)
    return {
      gateway,
      open,
      ask,
      async answer(headers: object, body: string) {
        const stream = ask(headers, body)
        const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
        return { status: head[':status'], body: await text(stream) }
      },
      async [Symbol.asyncDispose]() {
        session.destroy()
        server.close()
        await gateway[Symbol.asyncDispose]()
      },
    }
  }

  it('is answered, and streams subscriptions over one connection', async () => {
    await using host = await openHttp2()
    await sendMessage(host.gateway)
    const streams = [1, 2, 3].map(() => host.ask(events, replies))
    const seen = streams.map((stream) => {
      let received = ''
      stream.setEncoding('utf8').on('data', (chunk: string) => (received += chunk))
      return () => received
    })
    await until(
      () => seen.every((received) => received().startsWith(':\n\n')),
      'the first comments',
    )
    host.gateway.session('alice').append(replyId, { type: 'started' })
    await until(() => seen.every((received) => received().includes('ReplyStarted')), 'the event')
    expect(await host.answer(json, viewer)).toEqual({
      status: 200,
      body: '{"data":{"viewer":{"sessionFingerprint":"alice"}}}',
    })
    streams[0]?.close()
    await until(() => host.gateway.ends.length === 1, 'the end of a stream whose client has gone')
    expect(host.gateway.ends).toEqual(['client-gone'])
    host.gateway.session('alice').append(replyId, { type: 'started' })
    await until(() => seen[1]?.().match(/ReplyStarted/g)?.length === 2, 'the others to go on')
    for (const stream of streams) stream.close()
  })

  it('T16: is refused a body that is too large, before its end', async () => {
    await using host = await openHttp2()
    const stream = host.ask(json, '')
    stream.destroy()
    expect(await host.answer(json, 'x'.repeat(2_000))).toMatchObject({ status: 413 })
    expect(await host.answer(json, viewer)).toMatchObject({ status: 200 })
  })

  it('F36: drops a reader that stops, and disturbs no other of its connection', async () => {
    const clock = createFakeClock()
    await using host = await openHttp2({ clock, stalledMs: 300 })
    await sendMessage(host.gateway)
    const query = 'subscription { replies { ... on ReplyDelta { text } } }'
    const [stalled, reading] = [1, 2].map(() => host.ask(events, JSON.stringify({ query })))
    if (stalled === undefined || reading === undefined) throw new Error('two streams are needed')
    await once(stalled, 'response')
    stalled.pause()
    let received = ''
    reading.setEncoding('utf8').on('data', (chunk: string) => (received += chunk))
    await until(() => received !== '', 'the first comment')
    const delta = (text: string) => ({ type: 'delta', kind: 'ANSWER', offset: 0, text }) as const
    const long = 'x'.repeat(500_000)
    const alice = host.gateway.session('alice')
    alice.append(replyId, delta(long))
    await until(() => received.includes(long), 'the other reader to have it')
    // It is told only when all before it has left: who reads is not behind when time goes on.
    alice.append(replyId, delta('the next'))
    await until(() => received.includes('the next'), 'the other reader to have the next')
    clock.advance(300)
    await until(() => host.gateway.ends.length > 0, 'the end of the stalled reader')
    expect(host.gateway.ends).toEqual(['stalled'])
    // It ends as soon as it has read what had reached it before.
    stalled.on('error', () => undefined).resume()
    await until(() => stalled.closed, 'the stalled stream to be closed')
    alice.append(replyId, delta('the last'))
    await until(() => received.includes('the last'), 'the other reader to have the last')
    reading.close()
  })

  it('T16: gives up a body that drips in without an end, and nothing else of its connection', async () => {
    const clock = createFakeClock()
    await using host = await openHttp2({ clock, requestMs: 30_000 })
    const stream = host.open(json)
    const answered = once(stream, 'response')
    stream.write('{"query":')
    await until(() => clock.pending > 0, 'the request to be waited for')
    for (let passed = 0; passed < 30_000; passed += 10_000) {
      stream.write(' ')
      await clock.pass(10_000)
    }
    const [head] = (await answered) as [IncomingHttpHeaders]
    expect(head[':status']).toBe(408)
    stream.resume()
    // The client still sends: it has a moment to come to an end.
    await clock.pass(1_000)
    await until(() => stream.closed, 'the stream to be closed')
    expect(await host.answer(json, viewer)).toMatchObject({ status: 200 })
  })

  it('F36: drops an answer that nobody reads, and nothing else of its connection', async () => {
    const clock = createFakeClock()
    await using host = await openHttp2({
      clock,
      stalledMs: 60_000,
      limits: { maxBodyBytes: 10_000 },
    })
    const stream = host.ask(json, JSON.stringify({ query: getIntrospectionQuery() }))
    let received = 0
    stream.on('data', (chunk: Buffer) => (received += chunk.length)).pause()
    const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    await clock.pass(60_000)
    // It ends as soon as it has read what had reached it before.
    stream.on('error', () => undefined).resume()
    await once(stream, 'close')
    expect(received).toBeLessThan(Number(head['content-length']))
    expect(await host.answer(json, viewer)).toMatchObject({ status: 200 })
  })

  it('has long texts whole, however small the windows of its flow control are', async () => {
    await using host = await openHttp2()
    await sendMessage(host.gateway)
    const query = 'subscription { replies { ... on ReplyDelta { text } } }'
    const stream = host.ask(events, JSON.stringify({ query }))
    const long = 'x'.repeat(1_000_000)
    let received = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => (received += chunk))
    await until(() => received !== '', 'the first comment')
    const delta = { type: 'delta', kind: 'ANSWER', offset: 0, text: long } as const
    host.gateway.session('alice').append(replyId, delta)
    await until(() => received.includes(long), 'the text')
    stream.close()
  })
})

describe('a response that throws', () => {
  const faults: readonly (readonly [string, (res: ServerResponse) => void])[] = [
    ['when its head is written', (res) => void (res.writeHead = broken)],
    ['when its head is sent', (res) => void (res.flushHeaders = broken)],
    ['when it is written to', (res) => void (res.write = broken)],
    ['when it is ended', (res) => void (res.end = broken)],
    [
      'in everything, its end included',
      (res) => void Object.assign(res, { writeHead: broken, write: broken, destroy: broken }),
    ],
    [
      'once its stream runs',
      (res) => {
        const write = res.write.bind(res)
        res.write = ((chunk: Uint8Array | string, sent?: () => void) =>
          String(chunk).includes('ReplyStarted')
            ? broken()
            : write(chunk, sent)) as typeof res.write
      },
    ],
  ]

  function broken(): never {
    throw new TypeError('Cannot set property of a response which has only a getter')
  }

  it.each(faults)('%s ends itself and nothing else', async (_when, fault) => {
    const failures: string[] = []
    const logger = {
      ...silentLogger,
      error: (_: object, message: string) => void failures.push(message),
    }
    await using host = await openHost(
      ({ server }) =>
        (req, res) => {
          if (req.url?.endsWith('?broken')) fault(res)
          server.handle(req, res)
          if (res.destroy.name === 'broken') req.socket.destroy()
        },
      logger,
    )
    await sendMessage(host.gateway)
    using client = createClient(host.url)
    using good = await client.stream({
      token: 'alice',
      query: 'subscription { replies { __typename } }',
    })
    const init = { method: 'POST', headers: events, body: replies }
    const answer = globalThis
      .fetch(`${host.url}/graphql?broken`, init)
      .then((response) => response.text())
    const ended = answer.catch(() => 'broken off')
    await until(() => good.frames.length > 0, 'the good stream')
    // The end of a good stream of the same kind is the last that could be thrown at.
    const isEndFault = _when === 'when it is ended'
    await until(async () => {
      host.gateway.session('alice').append(replyId, { type: 'started' })
      if (isEndFault) await host.gateway.server.drain()
      return failures.length > 0
    }, 'the failure to be noticed')
    await ended
    expect(new Set(failures)).toEqual(new Set(['response of the host failed']))
    if (isEndFault) return
    expect((await good.next())?.data).toContain('ReplyStarted')
    const whole = await globalThis.fetch(`${host.url}/graphql`, {
      method: 'POST',
      headers: json,
      body: viewer,
    })
    expect(await whole.json()).toEqual({ data: { viewer: { sessionFingerprint: 'alice' } } })
  })

  it.each(faults.slice(0, 2))(
    '%s leaves no stream that a drain waits for',
    async (_when, fault) => {
      await using host = await openHost(({ server }) => (req, res) => {
        fault(res)
        server.handle(req, res)
      })
      const init = { method: 'POST', headers: events, body: replies }
      const answer = globalThis.fetch(`${host.url}/graphql`, init).then((res) => res.text())
      await answer.catch(() => 'broken off')
      await host.gateway.server.drain()
    },
  )

  it('under fetch, as a stream that its host has broken, ends itself and nothing else', async () => {
    const failures: string[] = []
    const logger = {
      ...silentLogger,
      error: (_: object, message: string) => void failures.push(message),
    }
    await using gateway = await openFakeGateway({ logger })
    await sendMessage(gateway)
    const request = new Request('http://host/graphql', {
      method: 'POST',
      headers: events,
      body: replies,
    })
    const response = await gateway.server.fetch(request)
    const reader = response.body?.getReader()
    await reader?.read()
    using _broken = vi
      .spyOn(ReadableStreamDefaultController.prototype, 'enqueue')
      .mockImplementation(broken)
    gateway.session('alice').append(replyId, { type: 'started' })
    await until(() => gateway.ends.length > 0, 'the end of the subscription')
    expect([gateway.ends, failures]).toEqual([['error'], ['response of the host failed']])
  })
})

describe('a host that aborts its request under fetch', () => {
  const ask = (signal: AbortSignal, headers: Record<string, string>, body: BodyInit) =>
    new Request('http://host/graphql', {
      method: 'POST',
      headers,
      body,
      signal,
      ...(typeof body !== 'string' && { duplex: 'half' }),
    })

  it('has its subscription ended though it never cancels the body', async () => {
    await using gateway = await openFakeGateway({ limits: { maxSubscriptionsPerSession: 1 } })
    const leaving = new AbortController()
    const response = await gateway.server.fetch(ask(leaving.signal, events, replies))
    const reader = response.body?.getReader()
    expect(response.status).toBe(200)
    await reader?.read()
    const next = reader?.read()
    leaving.abort(new Error('the client has gone'))
    // Without a failure: hosts would log one for each client that leaves.
    expect(await next).toEqual({ done: true, value: undefined })
    await until(() => gateway.ends.length > 0, 'the end of the subscription')
    expect(gateway.ends).toEqual(['client-gone'])
  })

  it('before its answer has come has nothing opened for it', async () => {
    await using gateway = await openFakeGateway()
    const leaving = new AbortController()
    const response = gateway.server.fetch(ask(leaving.signal, events, replies))
    leaving.abort()
    await response.catch(() => undefined)
    await gateway.server.drain()
    expect(new Set(gateway.ends).difference(new Set(['client-gone']))).toEqual(new Set())
  })

  it.each([
    ['of a known length', true, 'the client has gone'],
    ['without a length', false, undefined],
  ])(
    'has a body %s ended so that nothing cut is taken for whole',
    async (_what, hasLength, why) => {
      const leaving = new AbortController()
      const gone = Promise.withResolvers<void>()
      const body = streamToBody(
        {
          open(sink) {
            void sink.write('a part')
            return { gone: () => gone.resolve() }
          },
          abandon: () => undefined,
        },
        { signal: leaving.signal, hasLength },
        { clock: createFakeClock(), logger: silentLogger, turns: createTurns(1_000), stalledMs: 1 },
      )
      leaving.abort(new Error('the client has gone'))
      await gone.promise
      const failure = await new Response(body).text().then(
        () => undefined,
        (error: Error) => error.message,
      )
      expect(failure).toBe(why)
    },
  )

  it('has no body waited for that will never end', async () => {
    // Time stands still: whoever waits for a timeout waits for ever.
    await using gateway = await openFakeGateway({ clock: createFakeClock() })
    const leaving = new AbortController()
    const reading = Promise.withResolvers<void>()
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.from('{"query":'))
        reading.resolve()
        return new Promise<void>(() => {})
      },
    })
    const response = gateway.server.fetch(ask(leaving.signal, json, body))
    await reading.promise
    leaving.abort()
    expect(await (await response).json()).toMatchObject({
      errors: [{ message: 'The body was cut short.' }],
    })
  })
})

describe('a host that has read the body', () => {
  /** As middleware does: reads the whole body, then hands the request on with what it made of it. */
  const parsing = (parse: (body: Buffer) => unknown) => (gateway: FakeGateway) => {
    const handle: Handle = (req, res) =>
      void buffer(req).then((body) => {
        const parsed = parse(body)
        gateway.server.handle(
          parsed === undefined ? req : Object.assign(req, { body: parsed }),
          res,
        )
      })
    return handle
  }

  async function post(url: string, body: BodyInit, headers: Record<string, string> = json) {
    const answer = await globalThis.fetch(url, { method: 'POST', headers, body })
    return { status: answer.status, body: await answer.text() }
  }
  const whole = { status: 200, body: '{"data":{"viewer":{"sessionFingerprint":"alice"}}}' }

  it.each([
    ['an object, as express.json() makes it', (body: Buffer) => JSON.parse(body.toString())],
    ['text, as express.text() makes it', (body: Buffer) => body.toString()],
    ['bytes, as express.raw() makes them', (body: Buffer) => body],
  ])('is answered when it leaves %s', async (_what, parse) => {
    await using host = await openHost(parsing(parse))
    expect(await post(`${host.url}/graphql`, viewer)).toEqual(whole)
    const encoded = { ...json, 'content-encoding': 'gzip' }
    expect(await post(`${host.url}/graphql`, viewer, encoded)).toEqual(whole)
    const large = JSON.stringify({ query: 'x'.repeat(100_000) })
    expect((await post(`${host.url}/graphql`, large)).status).toBe(413)
  })

  it('is answered when it leaves an empty object and has read nothing', async () => {
    await using host = await openHost(({ server }) => (req, res) => {
      server.handle(Object.assign(req, { body: {} }), res)
    })
    expect(await post(`${host.url}/graphql`, viewer)).toEqual(whole)
  })

  it('is told at once which parser to turn off when nothing of the body is left', async () => {
    await using host = await openHost(parsing(() => undefined))
    const { status, body } = await post(`${host.url}/graphql`, viewer)
    expect(status).toBe(400)
    expect(body).toMatch(/express\.json\(\).*Fastify/)
  })

  it('is told at once that a form must come unread', async () => {
    await using host = await openHost(parsing(() => ({ operations: viewer, map: '{}' })))
    const upload = new FormData()
    upload.append('operations', form)
    const { status, body } = await post(`${host.url}/graphql`, upload, {
      authorization,
      'graphql-require-preflight': '1',
    })
    expect(status).toBe(400)
    expect(body).toContain('multer')
  })

  it('is told at once that a body of another type is none', async () => {
    await using host = await openHost(
      parsing(() => ({ query: '{ viewer { sessionFingerprint } }' })),
    )
    const urlencoded = new URLSearchParams({ query: '{ viewer { sessionFingerprint } }' })
    expect((await post(`${host.url}/graphql`, urlencoded, { authorization })).status).toBe(415)
  })

  it.each(['used', 'locked'])('is told at once under fetch: a body that is %s', async (how) => {
    await using gateway = await openFakeGateway({ clock: createFakeClock() })
    const request = new Request('http://host/graphql', {
      method: 'POST',
      headers: json,
      body: viewer,
    })
    if (how === 'used') await request.text()
    else request.body?.getReader()
    const answer = await gateway.server.fetch(request)
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringMatching(/parser/)])
  })
})

describe('a host whose router decides what comes here', () => {
  it.each(['/', '/api/graphql', '/api/graphql/', '/graphql/', '/v1/chat'])(
    'is answered at %s, and its other routes below it',
    async (path) => {
      await using host = await openHost(
        ({ server }) =>
          (req, res) =>
            server.handle(req, res),
      )
      const base = `${host.url}${path}`.replace(/\/$/, '')
      const init = { method: 'POST', headers: json, body: viewer }
      expect((await globalThis.fetch(`${host.url}${path}`, init)).status).toBe(200)
      const asked = new Request(`${host.url}${path}`, init)
      expect((await host.gateway.server.fetch(asked)).status).toBe(200)
      expect(await (await globalThis.fetch(`${base}/health/live`)).json()).toEqual({
        status: 'live',
      })
      const page = await globalThis.fetch(`${host.url}${path}`, {
        headers: { accept: 'text/html' },
      })
      const assets = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)]
      const found = await Promise.all(
        assets.map(
          async ([, asset = '']) => (await globalThis.fetch(new URL(asset, page.url))).status,
        ),
      )
      expect(found).toEqual([200, 200, 200, 200])
    },
  )

  it.each(['', '?x=1', '/?x=1'])(
    'is answered where its router leaves %j of the target',
    async (rest) => {
      await using host = await openHost(({ server }) => (req, res) => {
        server.handle(Object.assign(req, { url: rest }), res)
      })
      const init = { method: 'POST', headers: json, body: viewer }
      expect((await globalThis.fetch(host.url, init)).status).toBe(200)
    },
  )

  it('T11: finds the route of sign-in whatever its prefix', async () => {
    await using gateway = await openFakeGateway()
    const ask = (path: string) =>
      gateway.server.fetch(new Request(`http://host${path}`, { method: 'OPTIONS' }))
    const allowed = await Promise.all(['/x/auth/cookie', '/auth/guest', '/x'].map(ask))
    expect(allowed.map(({ status, headers }) => [status, headers.get('allow')])).toEqual([
      [404, null],
      [404, null],
      [204, 'GET, POST, OPTIONS'],
    ])
  })
})

describe('a server of its own', () => {
  it('has GraphQL where its setting says, with or without a slash behind it, and nothing elsewhere', async () => {
    await using gateway = await openFakeGateway({ path: '/api/graphql' })
    const statusOf = async (path: string) =>
      (
        await globalThis.fetch(`${gateway.url}${path}`, {
          method: 'POST',
          headers: json,
          body: viewer,
        })
      ).status
    const statuses = await Promise.all(
      ['/api/graphql', '/api/graphql/', '/graphql', '/', '/api', '/api/graphql/x'].map(statusOf),
    )
    expect(statuses).toEqual([200, 200, 404, 405, 404, 404])
    const health = ['/health/live', '/health/ready', '/api/graphql/health/ready']
    const found = await Promise.all(
      health.map(async (path) => (await globalThis.fetch(`${gateway.url}${path}`)).status),
    )
    expect(found).toEqual([200, 200, 200])
  })

  it('keeps an idle connection for as long as its setting says', async () => {
    await using gateway = await openFakeGateway({ idleConnectionMs: 7_000 })
    const answer = await globalThis.fetch(`${gateway.url}/health/live`)
    expect(answer.headers.get('keep-alive')).toBe('timeout=7')
  })

  it('leads a browser that knows only its address to GraphiQL, and tells others the paths', async () => {
    await using gateway = await openFakeGateway({ path: '/api/graphql' })
    const page = await globalThis.fetch(gateway.url, { headers: { accept: 'text/html' } })
    expect([page.url, page.status]).toEqual([`${gateway.url}/api/graphql`, 200])
    const answer = await globalThis.fetch(gateway.url)
    const paths = ['/api/graphql', '/health/live', '/health/ready']
    expect(await answer.json()).toEqual({ paths })
  })
})
