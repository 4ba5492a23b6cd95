import { ChatError, type ResponseError, responseError } from './chat-error.ts'
import { takeResult } from './responses.ts'
import { fetchTransport } from './fetch-transport.ts'
import type { Request, Result, StreamSink, Transport } from './transport.ts'

/** The part of a WebSocket that is used, as browsers and Node have it. */
export interface Socket {
  send(text: string): void
  close(code?: number): void
  addEventListener(type: 'open' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void
}

export interface WebSocketTransportOptions {
  /** Default: that of the client, with `ws:` in place of `http:`. */
  readonly url?: string
  /** Carries all but the stream. Default: `fetchTransport()`. */
  readonly requests?: Transport
  readonly openSocket?: (url: string, protocol: string) => Socket
}

interface CursoredResult<Data> extends Result<Data> {
  readonly extensions?: { readonly cursor?: string }
}

type ServerMessage<Data> =
  | { readonly type: 'connection_ack' | 'ping' | 'pong' | 'complete' }
  | { readonly type: 'next'; readonly payload: CursoredResult<Data> }
  | { readonly type: 'error'; readonly payload: readonly ResponseError[] }

const protocol = 'graphql-transport-ws'
/** The gateway's code for a credential that it refuses. */
const refused = 4403

/**
 * The stream over a WebSocket, for networks that let no server-sent events through.
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
export function webSocketTransport({
  url,
  requests = fetchTransport(),
  openSocket = (target, name) => new WebSocket(target, name),
}: WebSocketTransportOptions = {}): Transport {
  return {
    ...requests,
    subscribe<Data>(request: Request, sink: StreamSink<Data>) {
      const socket = openSocket(url ?? webSocketUrl(request.url), protocol)
      let isOver = false
      let isAccepted = false
      const end = (error?: ChatError) => {
        if (isOver) return
        isOver = true
        socket.close(1000)
        sink.end(error)
      }
      const send = (message: object) => socket.send(JSON.stringify(message))
      socket.addEventListener('open', () => {
        send({ type: 'connection_init', payload: request.headers })
      })
      socket.addEventListener('message', ({ data }) => {
        if (isOver) return
        sink.alive()
        const message: ServerMessage<Data> = JSON.parse(String(data))
        if (message.type === 'connection_ack') {
          isAccepted = true
          send({ id: '1', type: 'subscribe', payload: request.operation })
        } else if (message.type === 'next')
          takeResult(sink, message.payload, message.payload.extensions?.cursor)
        else if (message.type === 'error') end(responseError(message.payload))
        else if (message.type === 'ping') send({ type: 'pong' })
        else if (message.type === 'complete') sink.complete()
      })
      // `close` follows it, with the reason.
      socket.addEventListener('error', () => undefined)
      socket.addEventListener('close', ({ code, reason }) =>
        end(
          code === refused
            ? new ChatError({ code: 'UNAUTHENTICATED', message: reason })
            : undefined,
        ),
      )
      return {
        close() {
          isOver = true
          socket.close(1000)
        },
        // A browser shows a page no pings of the protocol below.
        ping() {
          if (isAccepted) send({ type: 'ping' })
        },
      }
    },
  }
}

function webSocketUrl(url: string): string {
  const base: { readonly location?: { readonly href: string } } = globalThis
  return new URL(url, base.location?.href).href.replace(/^http/, 'ws')
}
