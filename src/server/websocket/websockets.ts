import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { HttpRequest } from '../http.ts'
import { WebSocketConnection, type ConnectionServices } from './connection.ts'

/** The only supported protocol of GraphQL over WebSocket. */
export const webSocketProtocol = 'graphql-transport-ws'

/** GraphQL over WebSocket, for clients that cannot read a streamed response: mini-programs and apps. */
export interface WebSockets extends Disposable {
  /** Whether the request asks for a WebSocket with the supported protocol. */
  accepts(headers: HttpRequest['headers']): boolean
  /** Takes over the connection of an upgrade request, or refuses the request and closes the connection. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, request: HttpRequest): void
  /** Closes all connections so that clients connect elsewhere, and accepts no new ones. Resolves when all are closed. */
  drain(): Promise<void>
}

export interface WebSocketsOptions extends ConnectionServices {
  /** The largest message of a client, in bytes. */
  readonly maxMessageBytes: number
  readonly maxConnections: number
  readonly keepAliveMs: number
}

export function createWebSockets(options: WebSocketsOptions): WebSockets {
  const { clock, keepAliveMs, maxConnections, maxMessageBytes } = options
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: () => webSocketProtocol,
  })
  /** Each eighth of the connections is checked in its own eighth of the interval, so that not all are pinged at once. */
  const parts = Array.from({ length: 8 }, () => new Set<WebSocketConnection>())
  let size = 0
  let turn = 0
  /** Undefined while there are no connections. */
  let timer: Disposable | undefined
  /** Resolved when there are no connections. Undefined: the gateway does not drain. */
  let drained: PromiseWithResolvers<void> | undefined

  function arm(): void {
    timer = clock.timer(keepAliveMs / parts.length, () => {
      timer = undefined
      if (size > 0) arm()
      turn = (turn + 1) % parts.length
      const part = parts[turn] ?? []
      // After a stall of the event loop, pongs that have arrived are read first.
      setImmediate(() => {
        for (const connection of part) connection.check()
      })
    })
  }

  function connect(ws: WebSocket, request: HttpRequest): void {
    const part = parts.reduce((least, each) => (each.size < least.size ? each : least))
    part.add(
      new WebSocketConnection(ws, request, options, (closed) => {
        part.delete(closed)
        size -= 1
        if (size === 0) drained?.resolve()
      }),
    )
    size += 1
    if (timer === undefined) arm()
  }

  const accepts: WebSockets['accepts'] = (headers) =>
    /\bwebsocket\b/i.test(headers.get('upgrade') ?? '') &&
    (headers.get('sec-websocket-protocol') ?? '')
      .split(',')
      .some((name) => name.trim() === webSocketProtocol)

  return {
    accepts,
    upgrade(req, socket, head, request) {
      socket.on('error', () => undefined)
      if (!accepts(request.headers)) return refuse(socket, '400 Bad Request')
      if (drained !== undefined || size >= maxConnections) {
        return refuse(socket, '503 Service Unavailable')
      }
      server.handleUpgrade(req, socket, head, (ws) => connect(ws, request))
    },
    async drain() {
      drained ??= Promise.withResolvers()
      for (const part of parts) for (const connection of part) connection.moveElsewhere()
      if (size > 0) await drained.promise
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
      for (const part of parts) for (const connection of part) connection.destroy()
    },
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}
