import { readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { readMeter } from '../kit/process/metrics.ts'
import type { Followed } from '../kit/clients/recorder.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const stalledReaders = figure(200, 1_000)
const stalledMs = 4_000
const maxBufferedBytes = 65_536
/** What a connection may cost beside its buffer: sockets, request, parser, stream state, and the heap's slack. */
const overheadBytes = 150_000
/** What the collector may leave lying about while so many readers catch up, however many they are. */
const garbageBytes = 100_000_000
/** Twice this is more than the kernel's buffers of a connection hold, so that every reader really stalls. */
const halfBytes = 7_000_000
const openMeter = 'coze_gateway_subscriptions_open'
const stalledMeter = 'coze_gateway_subscriptions_ended_total{reason="stalled"}'
const goneMeter = 'coze_gateway_subscriptions_ended_total{reason="client-gone"}'

describe('P7: bounded memory', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      timeouts: { stalledMs, keepAliveMs: 500 },
      limits: {
        maxSubscriptionsPerSession: 5_000,
        maxReplyBytes: 16_777_216,
        maxAnswerBytes: 33_554_432,
        maxEventBytes: 33_554_432,
        maxBufferedBytes,
      },
      config: { logging: { level: 'info' } },
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `F36 T16: ${stalledReaders} subscribers that stop reading cost a bounded number of bytes each and disturb nobody`,
    async () => {
      const talk = createTalk(system)
      const alice = system.person('stalled')
      // What one such reply costs, whoever reads it, is paid before.
      const alone = await hear(talk, alice, [])
      const stalled: Followed[] = []
      const heard = await hear(talk, alice, stalled, stalledReaders)
      const corrected = [alone.id, heard.id]
      const each = (heard.peak - alone.peak - garbageBytes) / stalledReaders
      expect(each).toBeLessThan(maxBufferedBytes + overheadBytes)

      const [one] = stalled
      one?.stream.resume()
      const events = await one?.take()
      expect(await one?.stream.ended).toBe('closed')
      const resumed = await talk.recorder.follow(system.client, {
        reader: 'stalled-0',
        as: alice.name,
        token: alice.token,
        replyId: heard.id,
        after: events?.at(-1)?.cursor,
      })
      expect((await resumed.take()).at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
      for (const { stream } of stalled) stream.cut()
      await talk.settle({ corrected })
      expect(check(talk.recorder.history)).toEqual([])
    },
    figure(120_000, 600_000),
  )

  it('F35: frees what it held for clients that are gone', async () => {
    const alice = system.person('gone')
    const [open, gone] = [
      await readMeter(system.gateway, openMeter),
      await readMeter(system.gateway, goneMeter),
    ]
    const count = 50
    const sockets = await Promise.all(
      Array.from({ length: count }, () => subscribeRaw(alice.token)),
    )
    await until(
      async () => (await readMeter(system.gateway, openMeter)) === open + count,
      'the subscriptions are open',
    )
    for (const socket of sockets) socket.resetAndDestroy()
    await until(
      async () => (await readMeter(system.gateway, openMeter)) === open,
      'the subscriptions are freed',
    )
    expect(await readMeter(system.gateway, goneMeter)).toBe(gone + count)
  })

  it('T16: refuses a body, a document and a message that are too large', async () => {
    const { token } = system.person('verbose')
    const large = await system.client.call({ token, query: '#'.repeat(300_000) })
    expect(large.status).toBe(413)
    expect(large.body).toContain('TOO_LARGE')
    const deep = `{ viewer { sessionFingerprint } ${'a: viewer { sessionFingerprint } '.repeat(60)} }`
    expect((await system.client.call({ token, query: deep })).body).toContain('errors')
    const talk = createTalk(system)
    const long = await talk.trySend(system.person('verbose'), { text: 'x'.repeat(40_000) })
    expect(long).toMatchObject({ code: 'INVALID_INPUT' })
  })

  /**
   * Lets a long reply be read to its end while as many others as `wanted` stop reading at its first word, until they are
   * closed. Answers the most memory that was resident meanwhile.
   */
  async function hear(talk: Talk, who: Person, stalled: Followed[], wanted = 0) {
    await system.emulator.faults(
      '/v1/workflows/chat',
      { kind: 'pause', afterDeltas: 1, name: 'first word' },
      { kind: 'oversize', afterDeltas: 2, bytes: halfBytes },
      { kind: 'oversize', afterDeltas: 3, bytes: halfBytes },
      { kind: 'pause', afterDeltas: 4, name: 'last word' },
    )
    const { id } = await talk.send(who, '/long 9')
    await system.emulator.until({ held: 'first word' })
    const follow = (reader: string) =>
      talk.recorder.follow(system.client, { reader, as: who.name, token: who.token, replyId: id })
    while (stalled.length < wanted) {
      const followed = await follow(`stalled-${stalled.length}`)
      await followed.take((event) => event.__typename === 'ReplyDelta')
      followed.stream.pause()
      stalled.push(followed)
    }
    const reader = await follow(`reader of ${id}`)
    let peak = 0
    const goal = (await readMeter(system.gateway, stalledMeter)) + wanted
    await system.emulator.release('first word')
    let length = 0
    await reader.take(
      (event) => (length += 'text' in event ? event.text.length : 0) > 2 * halfBytes,
      60_000,
    )
    expect(await talk.say(system.person('undisturbed'), 'hello')).toMatchObject({
      text: 'You said: hello',
    })
    await until(
      async () => {
        peak = Math.max(peak, await residentBytes())
        return (await readMeter(system.gateway, stalledMeter)) >= goal
      },
      'all stalled subscribers are closed',
      60_000,
    )
    await system.emulator.release('last word')
    expect((await reader.take()).at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    return { id, peak }
  }

  async function residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${system.gateway.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** A subscription on a bare socket, which can be reset like a machine that lost its power. */
  async function subscribeRaw(token: string): Promise<Socket> {
    const { hostname, port } = new URL(system.gateway.url)
    const socket = new Socket()
    const answered = Promise.withResolvers<void>()
    socket.once('data', () => answered.resolve())
    socket.on('error', answered.reject)
    socket.connect(Number(port), hostname)
    const query = encodeURIComponent('subscription { replies { cursor } }')
    socket.write(
      `GET /graphql?query=${query} HTTP/1.1\r\nhost: ${hostname}\r\naccept: text/event-stream\r\nauthorization: Bearer ${token}\r\n\r\n`,
    )
    await answered.promise
    return socket
  }
})
