import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  type AddressInfo,
  type Server,
  type Socket,
  createServer as createTcpServer,
} from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import {
  type CozeClientOptions,
  createCozeClient,
  type TakeCozeEvents,
} from '../../src/coze/client.ts'
import { CozeError } from '../../src/coze/errors.ts'
import type { CozeEvent } from '../../src/coze/events.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createSelfSigned } from '../kit/credentials/self-signed.ts'
import { until, within } from '../kit/process/until.ts'
import { cozeOptions, streamTimeouts } from '../kit/fakes/coze-options.ts'
import { completed, created, delta, done, frame, run } from '../unit/coze/wire-samples.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'

async function listen(server: Server, port = 0) {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return address.port
}

/** An upstream of one handler. */
async function serve(handle: RequestListener) {
  const server = createServer(handle)
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A client whose pauses take no time, and are remembered. */
function open(
  options: {
    readonly dispatcher?: CozeClientOptions['dispatcher']
    readonly clock?: Clock
    readonly timeouts?: Partial<CozeClientOptions['timeouts']>
    readonly limits?: Partial<CozeClientOptions['limits']>
  } = {},
) {
  const pauses: number[] = []
  const oddities: string[] = []
  const errors: string[] = []
  const clock: Clock = { ...systemClock, sleep: async (ms) => void pauses.push(ms) }
  const metrics = {
    ...uncounted,
    upstreamOddity: (oddity: string) => void oddities.push(oddity),
    upstreamError: (_call: string, kind: string, code: string) =>
      void errors.push(`${kind} ${code}`),
    upstreamRetried: () => void errors.push('again'),
  }
  const client = createCozeClient({
    clock: options.clock ?? clock,
    random: () => 0.5,
    metrics,
    tracer: untraced,
    onFailure: () => undefined,
    dispatcher: options.dispatcher,
    timeouts: { ...cozeOptions.timeouts, ...options.timeouts },
    limits: { ...cozeOptions.limits, ...options.limits },
  })
  return {
    client,
    pauses,
    oddities,
    errors,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

type Opened = ReturnType<typeof open>

const token = new Secret('access-token')
const chatting = (baseUrl: string, timeouts = streamTimeouts) => ({
  call: 'workflow-chat' as const,
  target: { baseUrl, token },
  path: '/v1/workflows/chat',
  body: { workflow_id: 'w' },
  timeouts,
})

/** Streams one chat to its end; what was thrown comes beside what was read. */
async function chat(
  { client }: Opened,
  url: string,
  signal = new AbortController().signal,
  timeouts = streamTimeouts,
) {
  const batches: (readonly CozeEvent[])[] = []
  let error: unknown
  const take: TakeCozeEvents = (batch) => {
    batches.push(batch)
    return undefined
  }
  try {
    await within(client.stream(chatting(url, timeouts), take, signal), 'the end of the chat')
  } catch (thrown) {
    error = thrown
  }
  const events = batches.flat()
  return { batches, events, types: events.map(({ type }) => type), error }
}

const ignored = () => undefined
const taken = new Error('the taker failed')
const bad = (): never => {
  throw taken
}

const streamHead = { 'content-type': 'text/event-stream; charset=utf-8', 'x-tt-logid': 'log' }

function stream(response: ServerResponse, ...parts: readonly string[]) {
  response.writeHead(200, streamHead)
  for (const part of parts) response.write(part)
}

/** A certificate that vouches for itself and others, until the test is over. */
function trust(certificate: string): Disposable {
  const before = getCACertificates()
  setDefaultCACertificates([certificate])
  return { [Symbol.dispose]: () => setDefaultCACertificates(before) }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
  return text
}

describe('Coze client, streaming', () => {
  it('sends what it was told and gives each network read as it comes', async () => {
    const seen: unknown[] = []
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const { method, url, headers } = request
      const { authorization, 'content-type': type } = headers
      seen.push({ method, url, authorization, type, body: await bodyOf(request) })
      stream(response, created)
      await gates[0]?.promise
      response.write(delta('a') + delta('b', { id: '1' }))
      await gates[1]?.promise
      response.end(completed + done)
    }
    await using upstream = await serve((...exchange) => void answer(...exchange))
    await using opened = open()
    const request = {
      ...chatting(`${upstream.url}/prefix/`),
      query: { conversation_id: 'ü&1', left: undefined },
    }
    const sizes: number[] = []
    const take: TakeCozeEvents = (batch) => {
      gates[sizes.length]?.resolve()
      sizes.push(batch.length)
      return undefined
    }
    await opened.client.stream(request, take, new AbortController().signal)
    expect(sizes).toEqual([1, 2, 2])
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/prefix/v1/workflows/chat?conversation_id=%C3%BC%261',
        authorization: 'Bearer access-token',
        type: 'application/json',
        body: '{"workflow_id":"w"}',
      },
    ])
  })

  it('F1 tries a refused connection three times, then says that nothing was accepted', async () => {
    const server = createTcpServer()
    const port = await listen(server)
    server.close()
    await once(server, 'close')
    await using opened = open()
    const { error } = await chat(opened, `http://127.0.0.1:${port}`)
    expect(error).toMatchObject({ kind: 'unavailable', accepted: 'no' })
    expect(opened.pauses).toEqual([125, 250])
  })

  it('F1 goes on when the upstream is back', async () => {
    const server = createServer((_request, response) => {
      stream(response, run('a'))
      response.end()
    })
    const port = await listen(server)
    server.close()
    await once(server, 'close')
    const sleep = async () => void (await listen(server, port))
    await using opened = open({ clock: { ...systemClock, sleep } })
    try {
      const { types, error } = await chat(opened, `http://127.0.0.1:${port}`)
      expect(error).toBeUndefined()
      expect(types).toEqual(['created', 'delta', 'completed', 'done'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('F2 refuses a certificate that nobody vouches for, once, and sends nothing', async () => {
    let requests = 0
    const server = createTlsServer(createSelfSigned(), () => (requests += 1))
    const port = await listen(server)
    await using opened = open()
    try {
      const { error } = await chat(opened, `https://127.0.0.1:${port}`)
      expect(error).toMatchObject({ kind: 'tls', accepted: 'no' })
      expect({ requests, pauses: opened.pauses }).toEqual({ requests: 0, pauses: [] })
    } finally {
      server.close()
    }
  })

  it('F2 refuses a certificate that has expired, once, and sends nothing', async () => {
    let requests = 0
    const { cert, key } = createSelfSigned({ notAfter: '210101000000Z' })
    using _ = trust(cert)
    const server = createTlsServer({ cert, key }, () => (requests += 1))
    const port = await listen(server)
    await using opened = open()
    try {
      const { error } = await chat(opened, `https://localhost:${port}`)
      const expected = { kind: 'tls', accepted: 'no', systemCode: 'CERT_HAS_EXPIRED' }
      expect(error).toMatchObject(expected)
      expect({ requests, pauses: opened.pauses }).toEqual({ requests: 0, pauses: [] })
    } finally {
      server.close()
    }
  })

  it('F2 tells an alert of a server that wants a certificate of us, and does not knock again', async () => {
    const { cert, key } = createSelfSigned()
    using _ = trust(cert)
    let connections = 0
    const server = createTlsServer({
      cert,
      key,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion: 'TLSv1.2',
    })
    server.on('connection', () => (connections += 1))
    const port = await listen(server)
    await using opened = open()
    try {
      const { error } = await chat(opened, `https://localhost:${port}`)
      expect(error).toMatchObject({
        kind: 'tls',
        accepted: 'no',
        systemCode: expect.stringContaining('HANDSHAKE_FAILURE'),
      })
      expect({ connections, pauses: opened.pauses }).toEqual({ connections: 1, pauses: [] })
    } finally {
      server.close()
    }
  })

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => undefined],
    ['falls silent half-way', (socket) => void socket.write(Buffer.of(0x16, 3, 3, 0, 0x50, 2))],
  ])(
    'F1 waits no longer for a TLS handshake that %s than for a connection',
    async (_how, reply) => {
      const sockets: Socket[] = []
      const server = createTcpServer((socket) => {
        sockets.push(socket)
        socket.on('error', () => undefined)
        socket.once('data', () => reply(socket))
      })
      const port = await listen(server)
      await using opened = open({ timeouts: { connectMs: 50 } })
      try {
        const { error } = await chat(opened, `https://localhost:${port}`)
        const expected = { kind: 'unavailable', accepted: 'no', systemCode: 'CONNECT_TIMEOUT' }
        expect(error).toMatchObject(expected)
        expect(opened.pauses).toEqual([125, 250])
        await until(
          () => sockets.every(({ destroyed }) => destroyed),
          'the connections to be closed',
        )
      } finally {
        server.close()
      }
    },
  )

  it('F2 never falls back to plain HTTP', async () => {
    let requests = 0
    await using upstream = await serve(() => (requests += 1))
    await using opened = open()
    const { error } = await chat(opened, upstream.url.replace('http:', 'https:'))
    expect(error).toMatchObject({ kind: 'tls', accepted: 'no' })
    expect({ requests, pauses: opened.pauses }).toEqual({ requests: 0, pauses: [] })
  })

  it.each([
    ['seconds', () => '7', 7_000],
    ['a date in the past', () => 'Thu, 01 Jan 2015 00:00:00 GMT', 500],
    ['no hint', () => undefined, 500],
  ])('F6 waits for a 429 with %s, then streams', async (_how, hint, pauseMs) => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      const retryAfter = hint()
      if (requests === 1) {
        response.writeHead(429, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      } else stream(response, run('a'))
      response.end()
    })
    await using opened = open()
    const { types, error } = await chat(opened, upstream.url)
    expect(error).toBeUndefined()
    expect(types).toContain('completed')
    expect(opened.pauses).toEqual([pauseMs])
  })

  it.each([
    ['three times', '30', 3],
    ['once, if that is too long', '31', 1],
  ])('F6 tries %s, then says when to come back', async (_how, retryAfter, tries) => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      response.writeHead(429, { 'retry-after': retryAfter }).end()
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    const retryAfterMs = Number(retryAfter) * 1000
    expect(error).toMatchObject({ kind: 'rate-limited', accepted: 'no', retryAfterMs })
    expect(requests).toBe(tries)
  })

  it('tells how a stream came to be, and counts what failed on the way and in its middle', async () => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      if (requests < 3) response.writeHead(429)
      else stream(response, run('a').slice(0, -200))
      response.end()
    })
    await using opened = open()
    const heard: unknown[] = []
    const listener = {
      onTry: () => void heard.push('try'),
      onOpen: (logId: string | undefined) => void heard.push(logId),
    }
    const { signal } = new AbortController()
    const reading = opened.client.stream({ ...chatting(upstream.url), listener }, ignored, signal)
    await expect(reading).rejects.toMatchObject({ kind: 'truncated' })
    expect(heard).toEqual(['try', 'try', 'try', 'log'])
    const limited = 'rate-limited HTTP_429'
    expect(opened.errors).toEqual([limited, 'again', limited, 'again', 'truncated uncoded'])
  })

  it('F7 does not repeat what failed inside the upstream, and keeps the log id', async () => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      response.writeHead(502, { 'x-tt-logid': 'log' }).end('<html>secret</html>')
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    const expected = { kind: 'server', httpStatus: 502, logId: 'log', accepted: 'unknown' }
    expect(error).toMatchObject(expected)
    expect(requests).toBe(1)
  })

  it('F7 does not repeat what was sent and never answered', async () => {
    let requests = 0
    await using upstream = await serve((request) => {
      requests += 1
      request.socket.destroy()
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind: 'unavailable', accepted: 'unknown' })
    expect(requests).toBe(1)
  })

  it.each([
    ['JSON', ''],
    ['JSON with a final newline', '\n'],
    ['JSON and the end of an event', '\n\n'],
  ])('F8 reads an error that says it is a stream, and is %s', async (_what, end) => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      stream(response, '{"code":4016,"msg":"secret"', `}${end}`)
      response.end()
    })
    await using opened = open()
    const { events, error } = await chat(opened, upstream.url)
    const expected = { kind: 'busy', upstreamCode: '4016', logId: 'log', accepted: 'no' }
    expect(error).toMatchObject(expected)
    expect(events).toEqual([])
    expect(opened.errors).toEqual(['busy 4016'])
    expect(requests).toBe(1)
  })

  it('F8 takes a page of HTML for no answer, and may have sent the message', async () => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      response.setHeader('content-type', 'text/html')
      response.end('<html>Sign in, secret</html>')
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'unknown', httpStatus: 200 })
    expect(error).toHaveProperty('message', expect.not.stringContaining('secret'))
    expect(requests).toBe(1)
  })

  it.each([
    [200, 4016, 'busy', ''],
    [200, 4016, 'busy', '\n'],
    [200, 4100, 'auth', ''],
    [400, 4000, 'refused', '\n'],
    [200, '4013', 'model-failed', ''],
    [200, 4002, 'conversation-gone', '\n'],
  ])('F8 reads HTTP %i with the code %j as %s', async (status, code, kind, newline) => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      response.end(
        `{"code":${JSON.stringify(code)},"msg":"secret","detail":{"logid":"log"}}${newline}`,
      )
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind, upstreamCode: String(code), logId: 'log', accepted: 'no' })
    expect(error).toHaveProperty('message', expect.not.stringContaining('secret'))
    expect(requests).toBe(1)
  })

  it('asks a platform once for a call that it does not have, and keeps the token', async () => {
    const paths: string[] = []
    await using upstream = await serve((request, response) => {
      paths.push(request.url ?? '')
      const found = request.url === '/v1/conversation/retrieve'
      response.writeHead(found ? 200 : 401, { 'content-type': 'application/json' })
      response.end(found ? '{}' : '{"code":401,"msg":"missing session_key in cookie"}')
    })
    let now = 0
    await using opened = open({ clock: { ...systemClock, monotonic: () => now } })
    const target = { baseUrl: upstream.url, token }
    const { signal } = new AbortController()
    const ask = (call: 'list-variables' | 'retrieve-conversation', path: string, by = target) =>
      opened.client.request({ call, target: by, method: 'GET', path, read: () => 'read' }, signal)
    const variables = async () =>
      await ask('list-variables', '/v1/variables').catch((error: unknown) => error)
    const missing = { kind: 'not-supported', accepted: 'no', origin: { call: 'list-variables' } }
    expect(await variables()).toMatchObject(missing)
    expect(await variables()).toMatchObject(missing)
    expect(paths).toEqual(['/v1/variables'])
    // Others are there, and another base URL is another platform.
    expect(await ask('retrieve-conversation', '/v1/conversation/retrieve')).toBe('read')
    const elsewhere = { baseUrl: `${upstream.url}/prefix`, token }
    await expect(ask('list-variables', '/v1/variables', elsewhere)).rejects.toMatchObject(missing)
    expect(paths).toHaveLength(3)
    // It may have been updated.
    now += 3_600_000
    expect(await variables()).toMatchObject(missing)
    expect(paths).toHaveLength(4)
  })

  it('refuses a JSON success where a stream was asked for', async () => {
    await using upstream = await serve((_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end('{"code":0,"data":{}}')
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'unknown' })
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ['102 Processing', (response) => response.writeProcessing()],
    ['103 Early Hints', (response) => response.writeEarlyHints({ link: '</a>; rel=preload' })],
    ['100 Continue', (response) => response.writeContinue()],
    [
      'several of them',
      (response) => {
        response.writeContinue()
        response.writeProcessing()
        response.writeContinue()
      },
    ],
  ])('waits past informational heads that nobody asked for: %s', async (_name, inform) => {
    const sockets = new Set<unknown>()
    await using upstream = await serve((request, response) => {
      sockets.add(request.socket)
      inform(response)
      stream(response, run('a'))
      response.end()
    })
    await using opened = open()
    // Twice, since the second chat finds a connection that has answered before.
    for (let nth = 0; nth < 2; nth += 1) {
      const { types, error } = await chat(opened, upstream.url)
      expect(error).toBeUndefined()
      expect(types).toContain('completed')
      await turn()
    }
    expect(sockets.size).toBe(1)
  })

  it('waits past a 100 Continue that comes byte by byte, and keeps one that is part of a text', async () => {
    const head = 'HTTP/1.1 100 Continue\r\ndate: x\r\n\r\n'
    const text = 'HTTP/1.1 100 Continue'
    const answer = `${head}HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${run(text)}`
    const server = createTcpServer((socket) => {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.once('data', () => void writeSlowly())
      async function writeSlowly() {
        for (const byte of answer) {
          socket.write(byte)
          await turn()
        }
        socket.end()
      }
    })
    const port = await listen(server)
    await using opened = open()
    try {
      const { events, error } = await chat(opened, `http://127.0.0.1:${port}`)
      expect(error).toBeUndefined()
      expect(events).toContainEqual(expect.objectContaining({ type: 'delta', text }))
    } finally {
      server.close()
    }
  })

  it('follows no redirect', async () => {
    const seen: (string | undefined)[] = []
    await using upstream = await serve(({ url }, response) => {
      seen.push(url)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind: 'protocol', httpStatus: 307 })
    expect(seen).toEqual(['/v1/workflows/chat'])
  })

  it.each(
    [
      ['cut in the middle of an event', delta('b').slice(0, 60)],
      ['cut between two events', ''],
      [
        'cut in the middle of a character',
        Buffer.from(delta('你')).subarray(0, 167).toString('latin1'),
      ],
    ].flatMap(([how, rest]) => [
      [how, 'keeps', rest] as const,
      [how, 'was to close', rest] as const,
    ]),
  )(
    'F9 hands over what came before, of a stream %s, that %s its connection',
    async (_how, keeps, rest) => {
      await using upstream = await serve((request, response) => {
        if (keeps === 'was to close') response.setHeader('connection', 'close')
        stream(response, created + delta('a'))
        response.write(rest ?? '', 'latin1', () => request.socket.destroy())
      })
      await using opened = open()
      const { types, error } = await chat(opened, upstream.url)
      expect(types).toEqual(['created', 'delta'])
      expect(error).toMatchObject({ kind: 'truncated', accepted: 'yes', logId: 'log' })
    },
  )

  it.each([
    ['a proper end of the body', ''],
    ['only done', done],
  ])('F9 is not content with %s', async (_what, rest) => {
    await using upstream = await serve((_request, response) => {
      stream(response, created + delta('a') + rest)
      response.end()
    })
    await using opened = open()
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind: 'truncated', accepted: 'yes' })
  })

  it('F10 closes the connection of a stream that fell silent', async () => {
    const closed = Promise.withResolvers<void>()
    await using upstream = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve())
      stream(response, created)
    })
    await using opened = open()
    const impatient = { ...streamTimeouts, idleMs: 20 }
    const { types, error } = await chat(opened, upstream.url, undefined, impatient)
    expect(types).toEqual(['created'])
    expect(error).toMatchObject({ kind: 'timeout', accepted: 'yes', logId: 'log' })
    await within(closed.promise, 'the closed connection')
  })

  it('F11 closes the connection at a broken event', async () => {
    const closed = Promise.withResolvers<void>()
    await using upstream = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve())
      stream(response, created, delta('a'), frame('conversation.message.delta', '{"secret'))
    })
    await using opened = open()
    const { types, error } = await chat(opened, upstream.url)
    expect(types).toEqual(['created', 'delta'])
    expect(error).toMatchObject({ kind: 'protocol', accepted: 'yes', logId: 'log' })
    await within(closed.promise, 'the closed connection')
  })

  it('F12 reads the same from a stream that comes byte by byte', async () => {
    const text = `\ufeff: hi\r\n\r\n${run('你', '😀').replaceAll('\n', '\r\n')}`
    const drip = async (response: ServerResponse) => {
      stream(response)
      response.socket?.setNoDelay()
      for (const byte of Buffer.from(text)) {
        response.write(Uint8Array.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }
    await using upstream = await serve((_request, response) => void drip(response))
    await using opened = open()
    const { events, types, error } = await chat(opened, upstream.url)
    expect(error).toBeUndefined()
    // What follows the run's end is not waited for.
    expect(types).toEqual(['created', 'delta', 'delta', 'completed'])
    expect(events.flatMap((event) => ('text' in event ? [event.text] : []))).toEqual(['你', '😀'])
  })

  it.each([
    ['F14', 'a line without an end', 'too-large', 'x'.repeat(10_000)],
    ['F15', 'deltas without an end', 'limit', delta('x'.repeat(1_000))],
    ['F15', 'unknown events without an end', 'limit', 'data: x\n\n'.repeat(100)],
  ])('%s closes the connection of %s', async (_row, _what, kind, part) => {
    const closed = Promise.withResolvers<void>()
    await using upstream = await serve((_request, response) => {
      response.on('close', () => closed.resolve())
      stream(response, created)
      const pour = () => {
        while (!response.destroyed && response.write(part));
      }
      response.on('drain', pour)
      pour()
    })
    const limits = { maxEventBytes: 100_000, maxReplyBytes: 100_000, maxReplyEvents: 10_000 }
    await using opened = open({ limits })
    const { error } = await chat(opened, upstream.url)
    expect(error).toMatchObject({ kind, accepted: 'yes', logId: 'log' })
    await within(closed.promise, 'the closed connection')
  })

  it('loses nothing to a consumer that is slower than the stream', async () => {
    const texts = Array.from({ length: 20_000 }, (_, index) => `${index} `)
    await using upstream = await serve((_request, response) => {
      stream(response, created)
      const left = texts.map((text) => delta(text))
      const pour = () => {
        for (let part = left.shift(); part !== undefined; part = left.shift()) {
          if (!response.write(part)) return
        }
        response.end(completed + done)
      }
      response.on('drain', pour)
      pour()
    })
    await using opened = open()
    let text = ''
    const { signal } = new AbortController()
    const take: TakeCozeEvents = async (batch) => {
      for (const event of batch) if (event.type === 'delta') text += event.text
      await new Promise((resolve) => setImmediate(resolve))
    }
    await opened.client.stream(chatting(upstream.url), take, signal)
    expect(text).toBe(texts.join(''))
  })

  it('ends with the reason of its signal, and closes the connection', async () => {
    const closed = Promise.withResolvers<void>()
    const controller = new AbortController()
    const reason = new Error('cancelled')
    await using upstream = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve())
      stream(response, created)
    })
    await using opened = open()
    const take = () => {
      controller.abort(reason)
      return undefined
    }
    const reading = opened.client.stream(chatting(upstream.url), take, controller.signal)
    await expect(within(reading, 'the end')).rejects.toBe(reason)
    await within(closed.promise, 'the closed connection')
  })

  it.each([
    ['throws', () => bad()],
    ['rejects', async () => bad()],
  ])('ends with what its taker %s, and closes the connection', async (_how, take) => {
    const closed = Promise.withResolvers<void>()
    await using upstream = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve())
      stream(response, created)
    })
    await using opened = open()
    const { signal } = new AbortController()
    const reading = opened.client.stream(chatting(upstream.url), take, signal)
    await expect(within(reading, 'the end')).rejects.toBe(taken)
    await within(closed.promise, 'the closed connection')
    // It was no failure of the upstream.
    expect(opened.errors).toEqual([])
  })

  it('uses the connection of an ended run again', async () => {
    const ports = new Set<number | undefined>()
    await using upstream = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      stream(response, created + completed)
      response.end(done)
    })
    await using opened = open()
    const { signal } = new AbortController()
    for (let chats = 0; chats < 3; chats += 1) {
      await opened.client.stream(chatting(upstream.url), ignored, signal)
      // The body's end is on its way; the next answer on another connection tells that it has passed.
      const target = { baseUrl: upstream.url, token }
      await opened.client
        .request(
          { call: 'list-messages', target, method: 'GET', path: '/', read: () => undefined },
          signal,
        )
        .catch(() => undefined)
    }
    expect(ports.size).toBeLessThanOrEqual(2)
  })

  it('breaks off what is under way when it is disposed', async () => {
    await using upstream = await serve((_request, response) => stream(response, created))
    const opened = open()
    const { signal } = new AbortController()
    const take = async () => opened[Symbol.asyncDispose]()
    const reading = opened.client.stream(chatting(upstream.url), take, signal)
    await expect(within(reading, 'the end')).rejects.toBeInstanceOf(CozeError)
  })
})

describe('Coze client, calling', () => {
  const call = ({ client }: Opened, baseUrl: string, timeoutMs?: number) =>
    client.request(
      {
        call: 'list-messages',
        target: { baseUrl, token },
        method: 'GET',
        path: '/v1/x',
        query: { a: 'b' },
        timeoutMs,
        read: (answer) => answer,
      },
      new AbortController().signal,
    )

  it('gives the JSON answer with its log id and clock', async () => {
    const seen: unknown[] = []
    await using upstream = await serve(({ method, url, headers }, response) => {
      seen.push([method, url, headers.authorization])
      response.setHeader('x-tt-logid', 'log')
      response.setHeader('date', 'Thu, 01 Jan 2026 00:00:05 GMT')
      response.end('{"code":0,"data":{"id":"1"}}')
    })
    await using opened = open()
    expect(await call(opened, upstream.url)).toEqual({
      body: { code: 0, data: { id: '1' } },
      logId: 'log',
      serverTime: Date.UTC(2026, 0, 1, 0, 0, 5),
    })
    expect(seen).toEqual([['GET', '/v1/x?a=b', 'Bearer access-token']])
  })

  it.each([
    ['no answer', false],
    ['half an answer', true],
  ])('F10 fails with %s in time, and closes the connection', async (_what, half) => {
    const closed = Promise.withResolvers<void>()
    await using upstream = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve())
      if (half) response.write('{')
    })
    await using opened = open()
    const error = within(call(opened, upstream.url, 20), 'the error')
    await expect(error).rejects.toMatchObject({ kind: 'timeout', accepted: 'unknown' })
    await within(closed.promise, 'the closed connection')
  })

  it('F14 takes no endless answer', async () => {
    await using upstream = await serve((_request, response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      }
      response.on('drain', pour)
      pour()
    })
    await using opened = open()
    await expect(call(opened, upstream.url)).rejects.toMatchObject({ kind: 'too-large' })
  })

  it('F9 fails when the answer breaks off', async () => {
    await using upstream = await serve((request, response) => {
      response.write('{"code":0', () => request.socket.destroy())
    })
    await using opened = open()
    await expect(call(opened, upstream.url)).rejects.toMatchObject({
      kind: 'truncated',
      accepted: 'unknown',
    })
  })

  it('F1 F6 tries again where nothing was accepted', async () => {
    let requests = 0
    await using upstream = await serve((_request, response) => {
      requests += 1
      response.statusCode = requests < 3 ? 429 : 200
      response.end(requests < 3 ? '' : '{"data":{}}')
    })
    await using opened = open()
    expect(await call(opened, upstream.url)).toMatchObject({ body: { data: {} } })
    expect(opened.pauses).toEqual([500, 1_000])
  })
})
