import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { ReplyId } from '../../src/domain.ts'
import { Connections, type TakenConnection } from '../../src/server/node/connections.ts'
import { message } from '../kit/fakes/engine.ts'
import { openFakeGateway } from '../kit/fakes/gateway.ts'
import { until } from '../kit/process/until.ts'

const replyId = 'r0' as ReplyId
const viewer = '{ viewer { sessionFingerprint } }'
const replies = 'subscription { replies { __typename } }'
const whole = '{"data":{"viewer":{"sessionFingerprint":"alice"}}}'

function post(query: string, more: readonly string[] = [], version = '1.1'): string {
  const body = JSON.stringify({ query })
  return [
    `POST /graphql HTTP/${version}`,
    'host: gateway',
    'authorization: Bearer alice',
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...more,
    '',
    body,
  ].join('\r\n')
}

const events = 'accept: text/event-stream'
const streamed = post(replies, [events])

/** What comes on a connection of its own, as the bytes are. */
async function dial(url: string) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let received = ''
  let isClosed = false
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  socket.on('error', () => undefined).on('close', () => (isClosed = true))
  await once(socket, 'connect')
  return {
    socket,
    send: (text: string) => void socket.write(text),
    saw: (text: string, times = 1) =>
      until(() => received.split(text).length > times, `${text} on the connection`),
    closed: () => until(() => isClosed, 'the end of the connection'),
    get received() {
      return received
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

async function open() {
  const gateway = await openFakeGateway()
  const alice = gateway.session('alice')
  await alice.replies.sendMessage(message('hello'))
  return {
    gateway,
    say: () => void alice.append(replyId, { type: 'started' }),
    /** Ends the streams, and lets more be opened. */
    end: () => gateway.server.drain(),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

describe('the connection of a stream', () => {
  it('serves the next request when the stream has ended, and the next stream', async () => {
    await using system = await open()
    using client = await dial(system.gateway.url)
    const past = post('subscription { replies(replyId: "none") { __typename } }', [events])
    for (let round = 1; round <= 3; round += 1) {
      client.send(past)
      await client.saw('event: complete', round)
      await client.saw('\r\n0\r\n\r\n', round)
      client.send(post(viewer))
      await client.saw(whole, round)
    }
    expect(client.received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(6)
  })

  it.each([
    ['in one piece with it', [`${streamed}${post(viewer)}`]],
    ['behind its head', [streamed, post(viewer)]],
    [
      'cut in two, with its first bytes in one piece with it',
      [`${streamed}PO`, post(viewer).slice(2)],
    ],
    ['cut in two behind its head', [streamed, post(viewer).slice(0, 40), post(viewer).slice(40)]],
  ])('answers a request that was sent %s, when the stream has ended', async (_how, pieces) => {
    await using system = await open()
    using client = await dial(system.gateway.url)
    for (const piece of pieces) {
      client.send(piece)
      await client.saw(':\n\n')
    }
    system.say()
    await client.saw('ReplyStarted')
    expect(client.received).not.toContain(whole)
    await system.end()
    await client.saw(whole)
    const [before, after] = client.received.split('\r\n0\r\n\r\nHTTP/1.1 200 OK')
    expect(before).toContain('retry:')
    expect(after).toContain(whole)
  })

  it('is closed at the end of the stream when its client has asked for that', async () => {
    await using system = await open()
    using client = await dial(system.gateway.url)
    client.send(post(replies, [events, 'connection: close']))
    await client.saw(':\n\n')
    await system.end()
    await client.closed()
    expect(client.received).toMatch(/retry: \d+\n\n\r\n0\r\n\r\n$/)
  })

  it('carries the stream without chunks to a client of HTTP/1.0', async () => {
    await using system = await open()
    using client = await dial(system.gateway.url)
    client.send(post(replies, [events], '1.0'))
    await client.saw(':\n\n')
    system.say()
    await client.saw('ReplyStarted')
    await system.end()
    await client.closed()
    const [, body] = client.received.split('\r\n\r\n')
    expect(body).toMatch(/^:\n\nevent: next\n[^]*retry: \d+\n\n$/)
  })

  it('F36: ends the stream when its client is gone, though a request waits behind it', async () => {
    await using system = await open()
    const client = await dial(system.gateway.url)
    client.send(streamed)
    await client.saw(':\n\n')
    client.send(post(viewer))
    client.socket.destroy()
    await until(() => system.gateway.ends.length > 0, 'the end of the stream')
    expect(system.gateway.ends).toEqual(['client-gone'])
  })

  it('ends with the server', async () => {
    const system = await open()
    using client = await dial(system.gateway.url)
    client.send(streamed)
    await client.saw(':\n\n')
    await system[Symbol.asyncDispose]()
    await client.closed()
  })
})

/** A server each of whose requests is answered by a head, and its connection taken. */
async function openTaking(idleMs: number) {
  const server: Server = createServer((req, res) => {
    res.writeHead(200)
    res.flushHeaders()
    // Nothing is read of the request, as of a GET.
    setImmediate(() => {
      const connection = connections.take(req, res)
      if (connection) taken.resolve(connection)
      else taken.reject(new Error('the connection was not taken'))
    })
  })
  const connections = new Connections(server, idleMs)
  const taken = Promise.withResolvers<TakenConnection>()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = await dial(`http://127.0.0.1:${port}`)
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  return {
    client,
    connection: await taken.promise,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      connections[Symbol.dispose]()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a connection that was taken', () => {
  it('is held by nothing of HTTP', async () => {
    await using system = await openTaking(60_000)
    const { socket } = system.connection
    const held = (socket: Socket) =>
      ['parser', '_httpMessage'].map((name) => Reflect.get(socket, name))
    expect(held(socket)).toEqual([null, null])
    // HTTP has five listeners of its own beside those; there are ours.
    expect(['drain', 'pause', 'resume'].map((event) => socket.listenerCount(event))).toEqual([
      0, 0, 0,
    ])
  })

  it('is closed when no next request comes', async () => {
    await using system = await openTaking(1)
    system.connection.giveBack()
    await system.client.closed()
  })

  it('T16: is not read without end while its stream is sent', async () => {
    await using system = await openTaking(60_000)
    const { socket } = system.connection
    system.client.send('x'.repeat(50_000_000))
    await until(() => socket.isPaused(), 'the pause')
    expect(socket.bytesRead).toBeLessThan(1_000_000)
    system.connection.giveBack()
    await system.client.saw('400 Bad Request')
  })
})
