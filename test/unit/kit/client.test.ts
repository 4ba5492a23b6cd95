import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../kit/clients/client.ts'
import { createFrameParser } from '../../kit/clients/sse-frames.ts'

const body = [
  ':\n\n',
  'event: next\nid: t.1.1\ndata: {"text":"héllo 😀"}\n\n',
  'event: next\nid: t.1.2\ndata: {"text":"你好"}\n\n',
  'event: complete\ndata:\n\n',
]
const bytes = Buffer.from(body.join(''))
/** At how many bytes each `next` is complete. */
const ends = [1, 2].map((count) => Buffer.byteLength(body.slice(0, count + 1).join('')))

describe('the black-box client', () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(bytes)
  })
  let url = ''
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  it('counts only complete frames, wherever the stream is cut', async () => {
    using client = createClient(url)
    for (let cutAfter = 1; cutAfter < bytes.length; cutAfter += 1) {
      using stream = await client.stream({ query: '', cutAfter })
      const ids: (string | undefined)[] = []
      for (let frame = await stream.next(); frame; frame = await stream.next()) ids.push(frame.id)
      expect(ids).toEqual(['t.1.1', 't.1.2'].slice(0, ends.filter((end) => end <= cutAfter).length))
      expect(await stream.ended).toBe('cut')
      expect(stream.bytes).toBe(cutAfter)
    }
  })

  it('tells a complete stream from one that was cut', async () => {
    using client = createClient(url)
    using stream = await client.stream({ query: '' })
    expect((await stream.next())?.data).toBe('{"text":"héllo 😀"}')
    expect(await stream.ended).toBe('complete')
  })

  it('parses the same frames one byte at a time', () => {
    const parse = createFrameParser()
    const frames = [...bytes].flatMap((byte) => parse(Uint8Array.of(byte)))
    expect(frames).toEqual(createFrameParser()(bytes))
    expect(frames).toHaveLength(body.length)
  })
})
