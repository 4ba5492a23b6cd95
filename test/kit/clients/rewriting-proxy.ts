import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

/** A way to break the protocol between a gateway and its clients. */
export interface Rewriting {
  /** In requests: the body or the message, or the header `last-event-id`. */
  readonly sent?: (text: string) => string
  /** In the head of a response. */
  readonly head?: (status: number, headers: Record<string, string>) => number
  /**
   * In what the gateway sends: an event of an event stream, a part, a message, or a whole body. It may become none, or
   * several.
   */
  readonly received?: (text: string) => readonly string[]
}

export interface RewritingProxy extends AsyncDisposable {
  readonly url: string
}

/** What ends a piece of a stream, by its media type. */
const delimiters = { 'text/event-stream': '\n\n', 'multipart/mixed': '\r\n--graphql' } as const

export async function openRewritingProxy(
  target: string,
  { sent = (text) => text, head = (status) => status, received = (text) => [text] }: Rewriting,
): Promise<RewritingProxy> {
  const server = createServer((incoming, response) => {
    forward(incoming, response).catch(() => response.destroy())
  })

  async function forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    incoming.setEncoding('utf8')
    let body = ''
    for await (const chunk of incoming) body += String(chunk)
    const {
      host: _host,
      'content-length': _length,
      'last-event-id': last,
      ...rest
    } = incoming.headers
    const lastEventId = typeof last === 'string' ? sent(last) : ''
    const call = request(new URL(incoming.url ?? '/', target), {
      method: incoming.method ?? 'GET',
      headers: { ...rest, ...(lastEventId !== '' && { 'last-event-id': lastEventId }) },
    })
    call.end(body === '' ? undefined : sent(body))
    response.on('close', () => call.destroy())
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    const { 'content-length': _size, connection: _connection, ...names } = answer.headers
    const headers = Object.fromEntries(
      Object.entries(names).map(([name, value]) => [name, String(value)]),
    )
    const [, type = ''] = /^([^;]+)/.exec(headers['content-type'] ?? '') ?? []
    const status = head(answer.statusCode ?? 0, headers)
    response.writeHead(status, headers).flushHeaders()
    answer.setEncoding('utf8')
    const delimiter = Object.entries(delimiters).find(([name]) => name === type)?.[1]
    let begun = ''
    for await (const chunk of answer) {
      begun += String(chunk)
      const pieces = delimiter === undefined ? [] : begun.split(delimiter)
      begun = pieces.pop() ?? begun
      for (const piece of pieces)
        for (const one of received(piece)) response.write(`${one}${delimiter}`)
    }
    response.end(begun === '' ? undefined : received(begun).join(''))
  }

  const sockets = new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' })
  sockets.on('connection', (inner) => {
    const outer = new WebSocket(target.replace('http', 'ws'), 'graphql-transport-ws')
    const isOpen = once(outer, 'open')
    isOpen.catch(() => inner.terminate())
    inner.on('message', (data) => {
      const text = Buffer.isBuffer(data) ? data.toString() : ''
      isOpen.then(
        () => outer.send(sent(text)),
        () => undefined,
      )
    })
    outer.on('message', (data) => {
      const text = Buffer.isBuffer(data) ? data.toString() : ''
      for (const one of received(text)) inner.send(one)
    })
    outer.on('ping', () => received('ping').length > 0 && inner.ping())
    outer.on('error', () => inner.terminate())
    inner.on('close', () => outer.terminate())
    outer.on('close', (code, reason) => {
      if (code > 1006 || code === 1001) inner.close(code, reason)
      else inner.terminate()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      for (const client of sockets.clients) client.terminate()
      sockets.close()
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
