import { createServer, type Server, type Socket } from 'node:net'

export interface RawRequest {
  readonly path: string
  readonly body: string
}

/**
 * As much HTTP/1.1 as the fake upstream needs: one request at a time per connection, bodies with a
 * length. The answer is written to the socket by hand, which costs half of what `node:http` does.
 */
export function createRawServer(onRequest: (request: RawRequest, socket: Socket) => void): Server {
  return createServer({ noDelay: true }, (socket) => {
    let received = ''
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: string) => {
      received += chunk
      const headEnd = received.indexOf('\r\n\r\n')
      if (headEnd === -1) return
      const head = received.slice(0, headEnd)
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
      const bodyStart = headEnd + 4
      if (/^transfer-encoding:/im.test(head)) {
        socket.end('HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n')
        return
      }
      if (received.length < bodyStart + length) return
      const body = received.slice(bodyStart, bodyStart + length)
      received = received.slice(bodyStart + length)
      onRequest({ path: head.split(' ', 2)[1] ?? '', body }, socket)
    })
  })
}

export function writeJson(socket: Socket, status: number, value: unknown): void {
  const body = JSON.stringify(value)
  socket.write(
    `HTTP/1.1 ${status} Bench\r\ncontent-type: application/json\r\nx-tt-logid: bench\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  )
}

export const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-tt-logid: bench\r\n' +
  'cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n'

export const streamEnd = '0\r\n\r\n'

export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}
