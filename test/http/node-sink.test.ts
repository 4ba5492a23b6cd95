import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { createTurns } from '../../src/lib/turns.ts'
import type { Sink } from '../../src/server/streams/response-stream.ts'
import { streamToNode } from '../../src/server/node/node-sink.ts'
import { silentLogger } from '../kit/fakes/logger.ts'

/** More than the kernel's buffers of one connection take. */
const long = 'x'.repeat(16_000_000)

/** A sink on a real response, and its reader, which has not read yet. */
async function open(turns = createTurns(262_144)) {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sink = Promise.withResolvers<Sink>()
  server.once('request', (_req, res) => {
    const limits = {
      clock: systemClock,
      turns,
      logger: silentLogger,
      maxBufferedBytes: 65_536,
      stalledMs: 60_000,
      keepAliveMs: 60_000,
    }
    const stream = {
      open(given: Sink) {
        sink.resolve(given)
        return { gone: () => undefined }
      },
      abandon: () => undefined,
    }
    streamToNode(stream, res, limits)
  })
  const { port } = server.address() as AddressInfo
  const reader = connect(port, '127.0.0.1')
  reader.pause()
  reader.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  return {
    sink: await sink.promise,
    /** All that comes until the connection ends. */
    async readAll() {
      const chunks: Buffer[] = []
      reader.on('data', (chunk: Buffer) => chunks.push(chunk))
      reader.on('error', () => undefined)
      reader.resume()
      await once(reader, 'close')
      return Buffer.concat(chunks)
    },
    async [Symbol.asyncDispose]() {
      reader.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a stream on a Node response', () => {
  it('takes turns by bytes with others that catch up, and with all other work', async () => {
    const perTurn = 65_536
    const turns = createTurns(perTurn)
    const text = (n: number) => `${String(n).padStart(6, '0')}${'x'.repeat(16_378)}`
    const count = 200
    await using one = await open(turns)
    await using two = await open(turns)
    const reading = [one, two].map((system) => system.readAll())
    /** In each turn of the event loop, how much was written for each. */
    const written = [{ one: 0, two: 0 }]
    const catchUp = async (system: typeof one, name: 'one' | 'two') => {
      for (let n = 0; n < count; n += 1) {
        const now = written.at(-1)
        if (now) now[name] += text(n).length
        const room = system.sink.write(text(n))
        if (room) await room
      }
      system.sink.end()
    }
    let isOver = false
    const writing = Promise.all([catchUp(one, 'one'), catchUp(two, 'two')]).then(() => {
      isOver = true
    })
    while (!isOver) {
      await nextTurn()
      written.push({ one: 0, two: 0 })
    }
    await writing
    // What one of them writes at once, and what is left of the turn before.
    for (const turn of written) expect(turn.one + turn.two).toBeLessThanOrEqual(3 * perTurn)
    const half = written.slice(0, Math.ceil(written.length / 2))
    for (const name of ['one', 'two'] as const) {
      expect(half.reduce((sum, turn) => sum + turn[name], 0)).toBeGreaterThan(text(0).length * 10)
    }
    const whole = Array.from({ length: count }, (_, n) => text(n)).join('')
    for (const read of await Promise.all(reading)) {
      expect(unchunked(read.subarray(read.indexOf('\r\n\r\n') + 4).toString())).toBe(whole)
    }
  })

  it('gives a slow reader all of a long text, in order', async () => {
    await using system = await open()
    const writing = system.sink.write(`${long}end`)
    const reading = system.readAll()
    await writing
    system.sink.end()
    const bytes = await reading
    let count = 0
    for (const byte of bytes) if (byte === long.charCodeAt(0)) count += 1
    expect(count).toBe(long.length)
    expect(bytes.subarray(-10).toString()).toBe('end\r\n0\r\n\r\n')
  })

  it('never writes behind a text that was cut: the connection breaks instead', async () => {
    await using system = await open()
    const writing = system.sink.write(`${long}end`)
    system.sink.interrupt()
    await writing
    await system.sink.write('an ending')
    system.sink.end()
    const bytes = await system.readAll()
    expect(bytes.includes('an ending')).toBe(false)
    expect(bytes.subarray(-5).toString()).not.toBe('0\r\n\r\n')
  })

  it('never writes behind a text that was cut, where a second reason to end it comes meanwhile', async () => {
    await using system = await open()
    const writing = system.sink.write(`${long}end`)
    system.sink.interrupt()
    await writing
    system.sink.interrupt()
    await system.sink.write('an ending')
    system.sink.end()
    const bytes = await system.readAll()
    expect(bytes.includes('an ending')).toBe(false)
    expect(bytes.subarray(-5).toString()).not.toBe('0\r\n\r\n')
  })
})

/** The text of a body in chunks (RFC 9112 §7.1). */
function unchunked(body: string): string {
  let text = ''
  for (let at = 0; at < body.length;) {
    const end = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.slice(at, end), 16)
    text += body.slice(end + 2, end + 2 + length)
    at = end + 2 + length + 2
  }
  return text
}
