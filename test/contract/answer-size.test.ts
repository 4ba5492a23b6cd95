import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { ConversationId, ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { RateLimitedError } from '../../src/errors.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import type { SendMessageRequest } from '../../src/session/acceptance.ts'
import { type Client, createClient } from '../kit/clients/client.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { type FakeGateway, type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import type { FakeSession } from '../kit/fakes/session.ts'
import { until } from '../kit/process/until.ts'

const kibibyte = 1_024
const token = 'alice'
const plain: Omit<SendMessageRequest, 'text' | 'conversationId'> = {
  assistantId: undefined,
  attachmentIds: [],
  imageUrls: [],
  extras: { parameters: {}, metadata: {} },
  onBusy: 'QUEUE',
  idempotency: undefined,
}

interface System extends AsyncDisposable {
  readonly gateway: FakeGateway
  readonly client: Client
  readonly alice: FakeSession
  ask(query: string, who?: string): Promise<{ readonly status: number; readonly body: string }>
}

/** A gateway whose session `alice` has a conversation of `count` messages of one text each. */
async function openFull(
  count: number,
  text: string,
  options: FakeGatewayOptions = {},
): Promise<System> {
  const gateway = await openFakeGateway(options)
  const client = createClient(gateway.url)
  const alice = gateway.session(token)
  let conversationId: ConversationId | undefined
  for (let n = 0; n < count; n += 1) {
    const reply = await alice.replies.sendMessage({ ...plain, text, conversationId })
    conversationId = reply.conversationId
  }
  return {
    gateway,
    client,
    alice,
    ask: (query, who = token) => client.call({ token: who, query }),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

const conversation = encodeGlobal('Conversation', 'c0')
const page = (alias: string) =>
  `${alias}: conversation(id: "${conversation}") { messages(first: 100) { edges { node { text } } } }`
const aliases = (count: number) => Array.from({ length: count }, (_, n) => page(`a${n}`)).join(' ')
const messageId = (n: number) => encodeGlobal('Message', `m${n}`)
const codeOf = (body: string): unknown => JSON.parse(body).errors?.[0]?.extensions?.code

describe('the bytes of an answer', () => {
  it('that would be 48 MB of aliases over large messages are refused while it is built', async () => {
    await using system = await openFull(100, 'x'.repeat(32 * kibibyte))
    const ids = JSON.stringify(Array.from({ length: 100 }, (_, n) => messageId(n)))
    const nodes = (n: number) => `a${n}: nodes(ids: ${ids}) { ... on Message { text } }`
    const query = `{ ${Array.from({ length: 15 }, (_, n) => nodes(n)).join(' ')} }`
    const { status, body } = await system.ask(query)
    expect([status, JSON.parse(body)]).toEqual([
      200,
      {
        errors: [
          {
            message: 'The response would have more than 8388608 bytes: ask for less at once.',
            locations: [expect.any(Object)],
            path: expect.arrayContaining(['text']),
            extensions: { code: 'TOO_LARGE' },
          },
        ],
        data: null,
      },
    ])
    const read = system.alice.reads.reduce((sum, each) => sum + each.ids, 0)
    expect(read).toBe(100)
  })

  it('that are a little less than the cap are all there', async () => {
    const text = 'wörter "in" Zeilen\n'.repeat(200)
    await using system = await openFull(100, text)
    const { status, body } = await system.ask(`{ ${aliases(10)} }`)
    const answer = JSON.parse(body)
    expect([status, answer.errors, Object.keys(answer.data).length]).toEqual([200, undefined, 10])
    const edges = Array.from({ length: 100 }, () => ({ node: { text } }))
    for (const shown of Object.values(answer.data)) expect(shown).toEqual({ messages: { edges } })
  })

  it('count as they are sent, escapes included', async () => {
    const limits = { maxAnswerBytes: 500_000 }
    await using system = await openFull(100, '\u0001'.repeat(4_000), { limits })
    const { body } = await system.ask(`{ ${aliases(1)} }`)
    expect([codeOf(body), JSON.parse(body).data]).toEqual(['TOO_LARGE', null])
  })

  it('of names count too', async () => {
    const limits = { maxAnswerBytes: 100_000 }
    await using system = await openFull(100, 'x', { limits })
    const long = 'n'.repeat(1_500)
    const names = `{ conversations { edges { node { messages(first: 100) { edges { node { ${long}: text } } } } } } }`
    expect(codeOf((await system.ask(names)).body)).toBe('TOO_LARGE')
  })

  it('that are refused after a mutation say that it was done, and no later one is', async () => {
    const limits = { maxAnswerBytes: 100_000, maxMessageLength: 32_768 }
    await using system = await openFull(1, 'x', { limits: { ...limits, maxBodyBytes: 1_000_000 } })
    const send = (alias: string) =>
      `${alias}: sendMessage(input: { text: "${'y'.repeat(30_000)}" }) { ... on SendMessageSuccess { reply { message { text } } } }`
    const before = system.alice.sent.length
    const { status, body } = await system.ask(
      `mutation { ${Array.from({ length: 10 }, (_, n) => send(`m${n}`)).join(' ')} }`,
    )
    const [error] = JSON.parse(body).errors
    const failed = Number(String(error.path[0]).slice(1))
    expect([status, error.extensions.code]).toEqual([200, 'TOO_LARGE'])
    expect(error.message).toContain('The mutations up to the one in "path" are done')
    expect(system.alice.sent.length - before).toBe(failed + 1)
  })

  it('cannot be multiplied by naming a node many times', async () => {
    await using system = await openFull(2, 'x')
    const ask = (ids: readonly string[]) =>
      system.ask(`{ nodes(ids: ${JSON.stringify(ids)}) { id } }`)
    const { body } = await ask([messageId(0), messageId(1), messageId(0)])
    expect([codeOf(body), body]).toEqual(['BAD_USER_INPUT', expect.stringContaining('twice')])
    expect(JSON.parse((await ask([messageId(0), messageId(1)])).body).data.nodes).toHaveLength(2)
  })

  it('bound what is read for it, even where nothing of it is answered', async () => {
    const limits = { maxAnswerBytes: 100_000, maxWaitingBytesPerSession: 400_000 }
    await using system = await openFull(100, 'x'.repeat(50_000), { limits })
    const ids = Array.from({ length: 100 }, (_, n) => messageId(n))
    const { body } = await system.ask(
      `{ nodes(ids: ${JSON.stringify(ids)}) { ... on Message { role } } }`,
    )
    expect(codeOf(body)).toBe('TOO_LARGE')
    const read = system.alice.reads.reduce((sum, each) => sum + each.ids, 0)
    expect(read).toBeLessThanOrEqual(16)
  })
})

/** Asks on a bare socket, so many times, and reads no more than the beginning of the answer, which is made by then. */
async function askUnread({ gateway }: System, query: string, who = token): Promise<Socket> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(requestFor(query, who))
  await once(socket, 'data')
  socket.pause()
  return socket
}

function requestFor(query: string, who: string): string {
  const body = JSON.stringify({ query })
  return `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${who}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

describe('an answer that nobody reads', () => {
  const large = `{ ${aliases(2)} }`
  const limits = { maxWaitingBytesPerSession: 16_777_216, maxBufferedBytes: 16_384 }

  it('counts against its session until it is read, and against nobody else', async () => {
    await using system = await openFull(100, 'x'.repeat(32 * kibibyte), { limits })
    const sockets: Socket[] = []
    const isRefused = async () => codeOf((await system.ask(large)).body) === 'RATE_LIMITED'
    while (!(await isRefused())) {
      if (sockets.length === 10) throw new Error('ten unread answers and none is refused')
      sockets.push(await askUnread(system, large))
    }
    expect(sockets.length).toBeGreaterThan(0)
    expect(codeOf((await system.ask('{ viewer { sessionFingerprint } }')).body)).toBe(undefined)
    expect(codeOf((await system.ask(large, 'bob')).body)).toBe(undefined)
    for (const socket of sockets) socket.resume()
    await until(() => system.gateway.waitingBytes === 0, 'all are read')
    expect(await isRefused()).toBe(false)
    for (const socket of sockets) socket.destroy()
  })

  it('is closed like a stream when its client stalls, and holds nothing then', async () => {
    const clock = createFakeClock(Date.now())
    await using system = await openFull(100, 'x'.repeat(32 * kibibyte), {
      clock,
      stalledMs: 60_000,
      limits,
    })
    const socket = await askUnread(system, large)
    socket.on('error', () => undefined)
    const closed = once(socket, 'close')
    expect(system.gateway.waitingBytes).toBeGreaterThan(6_000_000)
    await until(() => {
      clock.advance(60_000)
      return system.gateway.waitingBytes === 0
    }, 'it is forgotten')
    socket.resume()
    await closed
    expect(socket.bytesRead).toBeLessThan(6_000_000)
  })

  it('is forgotten when its client goes', async () => {
    await using system = await openFull(100, 'x'.repeat(32 * kibibyte), { limits })
    const socket = await askUnread(system, large)
    expect(system.gateway.waitingBytes).toBeGreaterThan(6_000_000)
    socket.destroy()
    await until(() => system.gateway.waitingBytes === 0, 'it is forgotten')
  })

  it('counts as well when it is small, and other small ones fill its connection', async () => {
    await using system = await openFull(1, 'x'.repeat(60_000))
    const small = `{ nodes(ids: ["${messageId(0)}"]) { ... on Message { text } } }`
    let answered = 0
    const count = () => (answered += 1)
    subscribe('http.server.response.finish', count)
    const socket = await askUnread(system, small)
    for (let asked = 1, still = 0; still < 100;) {
      if (answered === asked) {
        // As many as may wait on a connection.
        socket.write(requestFor(small, token).repeat(4))
        asked += 4
      }
      await nextTurn()
      // Nothing moves any more: what the kernel has not taken waits here.
      still = system.gateway.waitingBytes > 30_000 ? still + 1 : 0
    }
    unsubscribe('http.server.response.finish', count)
    socket.destroy()
    await until(() => system.gateway.waitingBytes === 0, 'it is forgotten')
  })

  it('is refused to all when all together wait for too much', async () => {
    const all = { ...limits, maxWaitingBytes: 18_000_000 }
    await using system = await openFull(100, 'x'.repeat(32 * kibibyte), { limits: all })
    const bob = system.gateway.session('bob')
    await bob.replies.sendMessage({
      ...plain,
      text: 'x'.repeat(4_000_000),
      conversationId: undefined,
    })
    const socket = await askUnread(system, large)
    expect(system.gateway.waitingBytes).toBeGreaterThan(6_000_000)
    const { body } = await system.ask(large, 'bob')
    expect(codeOf(body)).toBe('UNAVAILABLE')
    socket.destroy()
  })
})

describe('T24: the cost of an event', () => {
  const text = (offset: number): ReplyEventBody => ({
    type: 'delta',
    kind: 'ANSWER',
    offset,
    text: 'x',
  })
  const dear = `subscription { replies { cursor reply { conversation { messages(first: 20) { edges { node { text } } } } } } }`

  it.each([
    ['a page of a hundred', dear.replace('20', '100').replace('{ text }', '{ id text role }')],
    [
      'pages by aliases',
      `subscription { replies { ${Array.from({ length: 20 }, (_, n) => `a${n}: reply { conversation { messages { edges { node { text } } } } }`).join(' ')} } }`,
    ],
    [
      'a page of any size',
      `subscription ($n: Int) { replies { reply { conversation { messages(first: $n) { edges { node { id text } } } } } } }`,
    ],
  ])('is bounded: a subscription that selects %s is refused', async (_what, query) => {
    await using system = await openFull(1, 'x')
    using stream = await system.client.stream({ token, query })
    expect(stream.status).toBe(400)
    expect(await stream.refusal).toContain('cost of an event')
  })

  it('is taken for each event: the stream waits for its budget and drops nothing', async () => {
    const clock = createFakeClock(Date.now())
    const taken: number[] = []
    let left = 4
    const costs = {
      take(_key: string, points: number) {
        if (left === 0) throw new RateLimitedError('Too much.', 1_000)
        left -= 1
        taken.push(points)
      },
      charge: () => undefined,
    }
    await using system = await openFull(1, 'x', { clock, costs })
    using stream = await system.client.stream({ token, query: dear })
    const cursors = Array.from({ length: 10 }, (_, n) =>
      system.alice.append('r0' as ReplyId, text(n)),
    ).flat()
    const seen: unknown[] = []
    const reading = (async () => {
      while (seen.length < cursors.length) {
        const event = await stream.next()
        if (!event) throw new Error('the stream has ended')
        seen.push(JSON.parse(event.data ?? '').data.replies.cursor)
      }
    })()
    // One was for the subscription itself.
    await until(() => seen.length === 3, 'the budget is spent')
    while (seen.length < cursors.length) {
      const before = seen.length
      left = 2
      await until(() => {
        clock.advance(1_000)
        return seen.length >= Math.min(before + 2, cursors.length)
      }, 'two more have come')
      expect(seen.length).toBe(Math.min(before + 2, cursors.length))
    }
    await reading
    expect(seen).toEqual(cursors)
    expect(taken).toHaveLength(1 + cursors.length)
  })

  it('is known of one event before the next is executed: hundreds do not spend the same budget', async () => {
    const clock = createFakeClock(Date.now())
    const limit = 1_000
    let spent = 0
    let executed = 0
    const costs = {
      take() {
        if (spent >= limit) throw new RateLimitedError('Too much.', 1_000)
      },
      charge(_key: string, points: number) {
        executed += 1
        spent += points
      },
    }
    // Each event reads more than half of the budget.
    await using system = await openFull(20, 'x'.repeat(16 * kibibyte), { clock, costs })
    using streams = new DisposableStack()
    const count = 20
    const opened = await Promise.all(
      Array.from({ length: count }, () => system.client.stream({ token, query: dear })),
    )
    for (const stream of opened) streams.use(stream)
    executed = 0
    system.alice.append('r0' as ReplyId, text(0))
    let told = 0
    const reading = opened.map(async (stream) => {
      expect((await stream.next())?.data).toContain('xxx')
      told += 1
    })
    const executedInWindow: number[] = []
    await until(() => {
      if (spent >= limit) {
        executedInWindow.push(executed)
        executed = 0
        spent = 0
        clock.advance(1_000)
      }
      return told === count
    }, 'all are told')
    await Promise.all(reading)
    expect(Math.max(...executedInWindow)).toBe(2)
  })

  it('is paid also by an event for which there is no room, which would be read again and again for nothing', async () => {
    const clock = createFakeClock(Date.now())
    const charged: number[] = []
    const costs = {
      take: async () => undefined,
      charge: (_key: string, points: number) => void charged.push(points),
    }
    // Room for one page, with what is read for it, and for no two.
    const limits = { maxWaitingBytesPerSession: 1_500_000 }
    await using system = await openFull(20, 'x'.repeat(32 * kibibyte), { clock, costs, limits })
    using streams = new DisposableStack()
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => system.client.stream({ token, query: dear })),
    )
    for (const stream of opened) streams.use(stream)
    system.alice.append('r0' as ReplyId, text(0))
    let told = 0
    const reading = opened.map(async (stream) => {
      expect((await stream.next())?.data).toContain('xxx')
      told += 1
    })
    await until(() => {
      clock.advance(1_000)
      return told === opened.length
    }, 'all are told')
    await Promise.all(reading)
    const executed = charged.filter((points) => points > 100)
    expect(executed.length).toBeGreaterThan(opened.length)
  })
})
