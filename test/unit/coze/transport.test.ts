import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { createTransport } from '../../../src/coze/transport.ts'

/** What a call ends with at a platform that answers on a bare socket. */
async function call(answer: (socket: Socket) => void): Promise<string | Error> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await using transport = createTransport({
    dispatcher: undefined,
    connectMs: 5_000,
    maxConnections: 1,
  })
  const { promise, resolve } = Promise.withResolvers<string | Error>()
  let text = ''
  transport.send(
    {
      origin: `http://127.0.0.1:${port}`,
      path: '/',
      method: 'GET',
      headers: {},
      body: undefined,
      connection: 'kept-alive',
    },
    {
      onSent: () => undefined,
      onHead: (status) => (text += `${status} `),
      onData: (chunk) => (text += Buffer.from(chunk).toString()),
      onEnd: () => resolve(text),
      onError: resolve,
    },
  )
  try {
    return await promise
  } finally {
    server.close()
  }
}

/** Counts the errors that undici makes: each sets its own name. */
function countErrors() {
  let made = 0
  const { prototype } = errors.UndiciError
  Object.defineProperty(prototype, 'name', {
    configurable: true,
    set(value: string) {
      made += 1
      Object.defineProperty(this, 'name', { value, configurable: true, writable: true })
    },
  })
  return {
    get made() {
      return made
    },
    [Symbol.dispose]: () => void Reflect.deleteProperty(prototype, 'name'),
  }
}

describe('the head of an answer', () => {
  it('that has more than 16 kB is refused once, and not once for each header', async () => {
    using counted = countErrors()
    const error = await call((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${'x-flood: more\r\n'.repeat(100_000)}`)
    })
    expect(error).toMatchObject({ code: 'UND_ERR_HEADERS_OVERFLOW' })
    expect(counted.made).toBeLessThan(10)
  })

  it('that drips in without an end is refused when it has more than 16 kB', async () => {
    const error = await call((socket) => {
      const drip = () => void socket.write('x-drop: '.padEnd(500, 'x') + '\r\n', next)
      const next = (failed?: Error | null) => void (failed || setImmediate(drip))
      socket.write('HTTP/1.1 200 OK\r\n', next)
    })
    expect(error).toMatchObject({ code: 'UND_ERR_HEADERS_OVERFLOW' })
  })

  it('may come byte by byte, and the body is no part of it', async () => {
    const body = 'x'.repeat(100_000)
    const text = `HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const answer = await call((socket) => {
      socket.setNoDelay()
      let at = 0
      const drip = () => {
        if (at === 60) socket.write(text.slice(at))
        else socket.write(text.charAt(at++), () => setImmediate(drip))
      }
      drip()
    })
    expect(answer).toBe(`200 ${body}`)
  })
})
