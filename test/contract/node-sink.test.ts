import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { createTurns } from '../../src/lib/turns.ts'
import type { Sink } from '../../src/server/event-stream.ts'
import { streamToNode } from '../../src/server/node-sink.ts'
import { silentLogger } from '../kit/logger.ts'

/** More than the kernel's buffers of one connection take. */
const long = 'x'.repeat(16_000_000)

/** A sink on a real response, and its reader, which has not read yet. */
async function open() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sink = Promise.withResolvers<Sink>()
  server.once('request', (_req, res) => {
    const limits = {
      clock: systemClock,
      turns: createTurns(262_144),
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
  it('gives a slow reader all of a long text, in order', async () => {
    await using stage = await open()
    const writing = stage.sink.write(`${long}end`)
    const reading = stage.readAll()
    await writing
    stage.sink.end()
    const bytes = await reading
    let count = 0
    for (const byte of bytes) if (byte === long.charCodeAt(0)) count += 1
    expect(count).toBe(long.length)
    expect(bytes.subarray(-10).toString()).toBe('end\r\n0\r\n\r\n')
  })

  it('never writes behind a text that was cut: the connection breaks instead', async () => {
    await using stage = await open()
    const writing = stage.sink.write(`${long}end`)
    stage.sink.interrupt()
    await writing
    await stage.sink.write('an ending')
    stage.sink.end()
    const bytes = await stage.readAll()
    expect(bytes.includes('an ending')).toBe(false)
    expect(bytes.subarray(-5).toString()).not.toBe('0\r\n\r\n')
  })
})
