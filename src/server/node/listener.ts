import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Limits } from '../../config/sections/limits.ts'
import type { Timeouts } from '../../config/sections/timeouts.ts'
import type { Logger } from '../../observe/logger.ts'
import { Connections, type TakeConnection } from './connections.ts'

/** The bytes that the head of a request may have besides the credential. */
const otherHeaderBytes = 8_192

export interface ListenOptions {
  readonly handle: (req: IncomingMessage, res: ServerResponse, take: TakeConnection) => void
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly timeouts: Pick<Timeouts, 'headersMs' | 'requestMs' | 'uploadMs' | 'idleConnectionMs'>
  readonly limits: Pick<Limits, 'maxCredentialBytes'>
  readonly logger: Logger
}

export interface Listener extends AsyncDisposable {
  readonly url: string
  /** Takes no more connections, and closes those that are open. */
  close(): Promise<void>
}

/** Rejects when the address is not available. Later errors of accepting (no file descriptors) are logged. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { handle, host, port, timeouts, limits, logger } = options
  const server = createServer(
    {
      maxHeaderSize: limits.maxCredentialBytes + otherHeaderBytes,
      headersTimeout: timeouts.headersMs,
      // GraphQL has a shorter timeout for requests other than uploads. A body is read only for known callers.
      requestTimeout: Math.max(timeouts.headersMs, timeouts.requestMs, timeouts.uploadMs),
      keepAliveTimeout: timeouts.idleConnectionMs,
      connectionsCheckingInterval: Math.min(timeouts.headersMs, 5_000),
    },
    (req, res) => handle(req, res, connections.take),
  )
  const connections = new Connections(server, timeouts.idleConnectionMs)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', (err) => logger.error({ err }, 'connection not accepted'))
  return { url: urlOf(server.address(), host), close, [Symbol.asyncDispose]: close }

  function close(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
      connections[Symbol.dispose]()
    })
  }
}

function urlOf(address: string | AddressInfo | null, host: string): string {
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP address')
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
