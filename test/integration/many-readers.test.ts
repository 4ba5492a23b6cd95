import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { figure } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const readers = figure(1_000, 10_000)
const stalled = readers / 10
/** Connections that are opened at the same time. */
const atOnce = 100
const path = '/v1/workflows/chat'
/** What a reader may cost, its connection, its stream and what waits for it together. */
const readerBytes = 40_000
/** What the collector may leave lying about, however many readers there are. */
const garbageBytes = 150_000_000

/** A reader on a bare socket: it keeps the text that it was told, and nothing else. */
interface Reader {
  readonly socket: Socket
  text: string
  /** `ReplyCompleted.text`. */
  completed: string | undefined
}

describe('many readers of one session', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      limits: { maxSubscriptionsPerSession: readers + 10, costPerSecond: 1_000_000_000 },
      config: { logging: { level: 'info' } },
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `P2 P7 F36: ${readers} readers of one running reply, ${stalled} of them stalled, read its exact text in bounded memory`,
    async () => {
      const talk = createTalk(system)
      const alice = system.person('many')
      await system.emulator.faults(
        path,
        { kind: 'pause', afterDeltas: 1, name: 'first word' },
        { kind: 'pause', afterDeltas: 40, name: 'middle' },
      )
      const { id } = await talk.send(alice, '/long 80')
      await system.emulator.until({ held: 'first word' })
      const before = await residentBytes()
      const all: Reader[] = []
      while (all.length < readers) {
        all.push(...(await Promise.all(Array.from({ length: atOnce }, () => read(alice, id)))))
      }
      const slow = all.slice(0, stalled)
      for (const { socket } of slow) socket.pause()
      await system.emulator.release('first word')
      await system.emulator.until({ held: 'middle' })
      const words = all[stalled]
      await until(() => words !== undefined && words.text.split(' ').length >= 40, 'half is read')
      await system.emulator.release('middle')
      await untilStatus(talk, alice, id, 'COMPLETED')
      const each = ((await residentBytes()) - before - garbageBytes) / readers
      for (const { socket } of slow) socket.resume()
      await until(
        () => all.every(({ completed }) => completed !== undefined),
        'all readers have read the end',
        figure(60_000, 300_000),
      )
      const { text } = (await talk.snapshot(alice, id)) ?? {}
      expect(new Set(all.map((reader) => reader.text))).toEqual(new Set([text]))
      expect(new Set(all.map(({ completed }) => completed))).toEqual(new Set([text]))
      expect(each).toBeLessThan(readerBytes)
      for (const { socket } of all) socket.destroy()
    },
    figure(120_000, 600_000),
  )

  it('P2: a reader of the whole session reads four replies that run at once, each exactly', async () => {
    const talk = createTalk(system)
    const bob = system.person('four')
    const follow = (reader: string) =>
      talk.recorder.follow(system.client, { reader, as: bob.name, token: bob.token })
    const whole = await follow('whole')
    await system.emulator.repeatFaults(path, 4, { kind: 'pause', afterDeltas: 1, name: 'four' })
    const conversations = await Promise.all(
      Array.from({ length: 4 }, () => talk.startConversation(bob, 'flow')),
    )
    const sent = await Promise.all(
      conversations.map((conversationId, n) =>
        talk.send(bob, { text: `/think of ${n} /long ${100 + n}`, conversationId }),
      ),
    )
    const speaking = new Set<string>()
    await whole.take((event) => {
      if (event.__typename === 'ReplyDelta') speaking.add(event.replyId)
      return speaking.size === 4
    })
    await system.emulator.release('four')
    const ended = new Set<string>()
    await whole.take((event) => {
      if (event.__typename === 'ReplyCompleted') ended.add(event.replyId)
      return ended.size === 4
    })
    expect(ended).toEqual(new Set(sent.map(({ id }) => id)))
    whole.stream.cut()
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  async function residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${system.gateway.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Resolves once the first delta has come. */
  async function read({ token }: Person, replyId: string): Promise<Reader> {
    const { hostname, port } = new URL(system.gateway.url)
    const socket = connect(Number(port), hostname)
    const reader: Reader = { socket, text: '', completed: undefined }
    const query = `subscription { replies(replyId: "${replyId}") { ... on ReplyDelta { offset text } ... on ReplyCompleted { completed: text } } }`
    let rest = ''
    const spoken = Promise.withResolvers<void>()
    socket.setEncoding('utf8')
    socket.on('error', spoken.reject)
    socket.on('data', (chunk: string) => {
      rest += chunk
      // Every event is one line of data, which no chunk of the body divides.
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('data: {')) take(line)
    })
    await once(socket, 'connect')
    socket.write(
      `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\nhost: ${hostname}\r\naccept: text/event-stream\r\nauthorization: Bearer ${token}\r\n\r\n`,
    )
    await spoken.promise
    return reader

    function take(line: string): void {
      const { data }: { data: { replies: Partial<Told> } } = JSON.parse(line.slice('data: '.length))
      const { offset = 0, text, completed } = data.replies
      if (text !== undefined) reader.text = reader.text.slice(0, offset) + text
      reader.completed = completed
      spoken.resolve()
    }
  }
})

interface Told {
  readonly offset: number
  readonly text: string
  readonly completed: string
}
