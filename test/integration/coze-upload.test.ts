import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createCozeClient } from '../../src/coze/client.ts'
import { type FileRequest, uploadFile } from '../../src/coze/files.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Secret } from '../../src/lib/secret.ts'
import { within } from '../kit/process/until.ts'
import { cozeOptions } from '../kit/fakes/coze-options.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'

const kibibyte = 1024
const idle = new AbortController().signal

/** An upstream of one handler, and an upload to it. */
async function system(handle: RequestListener) {
  const stack = new AsyncDisposableStack()
  const server = createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const counted: string[] = []
  const client = stack.use(
    createCozeClient({
      clock: systemClock,
      random: () => 0.5,
      tracer: untraced,
      onFailure: () => undefined,
      metrics: {
        ...uncounted,
        upstreamError: (_call, kind, code) => void counted.push(`${kind} ${code}`),
        upstreamRetried: () => void counted.push('again'),
      },
      ...cozeOptions,
    }),
  )
  const target = { baseUrl: `http://127.0.0.1:${port}`, token: new Secret('access-token') }
  const upload = (file: Partial<FileRequest>, signal = idle) =>
    within(
      uploadFile(
        client,
        target,
        {
          name: 'notes.txt',
          mediaType: 'text/plain',
          content: pieces('hello'),
          maxBytes: 1024 * kibibyte,
          timeoutMs: 10_000,
          boundary: 'b0undary',
          ...file,
        },
        signal,
      ),
      'the end of the upload',
    )
  return { server, counted, upload, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function* pieces(...texts: readonly string[]) {
  for (const piece of texts) yield Buffer.from(piece)
}

const accept =
  (seen: (request: IncomingMessage, body: string) => void): RequestListener =>
  (request, response) => {
    void text(request).then((body) => {
      seen(request, body)
      response.setHeader('content-type', 'application/json')
      response.end('{"code":0,"msg":"","data":{"id":"7001","bytes":5,"file_name":"notes.txt"}}')
    })
  }

describe('an upload', () => {
  it('is one part of a form, in chunks, and its bytes are counted', async () => {
    let head: IncomingMessage | undefined
    let form = ''
    await using upstream = await system(
      accept((request, body) => {
        head = request
        form = body
      }),
    )
    expect(await upstream.upload({ content: pieces('hel', 'lö') })).toEqual({
      id: '7001',
      bytes: 6,
    })
    expect(head).toMatchObject({ method: 'POST', url: '/v1/files/upload' })
    expect(head?.headers).toMatchObject({
      authorization: 'Bearer access-token',
      'content-type': 'multipart/form-data; boundary=b0undary',
      'transfer-encoding': 'chunked',
    })
    const parsed = await new Response(form, {
      headers: { 'content-type': 'multipart/form-data; boundary=b0undary' },
    }).formData()
    expect([...parsed.keys()]).toEqual(['file'])
    const file = parsed.get('file')
    expect(file).toMatchObject({ name: 'notes.txt', type: 'text/plain' })
    expect(file instanceof File && (await file.text())).toBe('hellö')
    expect(upstream.counted).toEqual([])
  })

  it('writes no header with a name or a type', async () => {
    let form = ''
    await using upstream = await system(accept((_, body) => (form = body)))
    await upstream.upload({
      name: 'a"\r\nx-evil: 1\r\n\r\n.txt',
      mediaType: 'text/plain\r\nx-evil: 1',
    })
    expect(form).toContain('filename="a%22%0D%0Ax-evil: 1%0D%0A%0D%0A.txt"')
    expect(form).toContain('content-type: application/octet-stream\r\n\r\nhello')
  })

  it('is read at the pace of the upstream', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<IncomingMessage>()
    await using upstream = await system((request, response) => {
      // Not a byte is read before the test says so.
      arrive(request)
      request.on('end', () => response.end('{"code":0,"data":{"id":"7001"}}'))
    })
    let read = 0
    async function* endless() {
      for (; read < 1000; read += 1) {
        await turn()
        yield Buffer.alloc(64 * kibibyte)
      }
    }
    const uploading = upstream.upload({ content: endless(), maxBytes: 1024 * 64 * kibibyte })
    const request = await within(arrived, 'the request')
    let before = -1
    while (before !== read) {
      before = read
      for (let turns = 0; turns < 200; turns += 1) await turn()
    }
    expect(read).toBeLessThan(500)
    request.resume()
    expect(await uploading).toEqual({ id: '7001', bytes: 1000 * 64 * kibibyte })
  })

  it('ends where the file grows too large, and closes what it read from', async () => {
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>()
    await using upstream = await system((request) => {
      request.on('error', () => abort()).resume()
    })
    let closed = false
    async function* content() {
      try {
        for (;;) yield Buffer.alloc(kibibyte)
      } finally {
        closed = true
      }
    }
    const outcome = upstream.upload({ content: content(), maxBytes: 10 * kibibyte })
    await expect(outcome).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await within(aborted, 'the upstream hears of it')
    expect(closed).toBe(true)
  })

  it('fails with what its content fails with', async () => {
    await using upstream = await system((request) => void request.on('error', () => {}).resume())
    const gone = new Error('the caller left')
    async function* content() {
      yield Buffer.from('hel')
      throw gone
    }
    await expect(upstream.upload({ content: content() })).rejects.toBe(gone)
  })

  it('ends with the reason of the signal, and closes what it read from', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    await using upstream = await system((request) => {
      request.on('error', () => {}).resume()
      arrive()
    })
    const { promise: closed, resolve: close } = Promise.withResolvers<void>()
    async function* content() {
      try {
        for (;;) {
          await turn()
          yield Buffer.alloc(kibibyte)
        }
      } finally {
        close()
      }
    }
    const stop = new AbortController()
    const reason = new Error('stopped')
    const huge = { content: content(), maxBytes: Number.MAX_SAFE_INTEGER }
    const outcome = expect(upstream.upload(huge, stop.signal)).rejects.toBe(reason)
    await within(arrived, 'the request')
    stop.abort(reason)
    await outcome
    await within(closed, 'the content is closed')
  })

  it.each([
    [4301, 'file'],
    [4302, 'file'],
    [4011, 'quota'],
    [4100, 'auth'],
  ])('tells what the platform answers: %d', async (code, kind) => {
    await using upstream = await system((request, response) => {
      response.setHeader('content-type', 'application/json')
      request.resume().on('end', () => response.end(JSON.stringify({ code, msg: 'no' })))
    })
    await expect(upstream.upload({})).rejects.toMatchObject({ kind, upstreamCode: String(code) })
    expect(upstream.counted).toEqual([`${kind} ${code}`])
  })

  it('hears an answer that comes before its end', async () => {
    await using upstream = await system((_, response) => {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end('{"code":4100,"msg":"authentication is invalid"}')
    })
    async function* endless() {
      for (;;) {
        await turn()
        yield Buffer.alloc(64 * kibibyte)
      }
    }
    const huge = { content: endless(), maxBytes: Number.MAX_SAFE_INTEGER }
    await expect(upstream.upload(huge)).rejects.toMatchObject({ kind: 'auth', accepted: 'no' })
  })

  it('is not tried again, and says that nobody was there', async () => {
    const upstream = await system(() => {})
    upstream.server.close()
    await expect(upstream.upload({})).rejects.toMatchObject({ kind: 'unavailable' })
    expect(upstream.counted).toEqual(['unavailable ECONNREFUSED'])
    await upstream[Symbol.asyncDispose]()
  })
})
