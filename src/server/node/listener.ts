import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  createServer as createSocketServer,
  type ListenOptions as Address,
  type Server,
} from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../../config/sections/limits.ts'
import type { Timeouts } from '../../config/sections/timeouts.ts'
import type { Logger } from '../../observe/logger.ts'
import { Connections, type TakeConnection } from './connections.ts'

/** The bytes that the head of a request may have besides the credential. */
const otherHeaderBytes = 8_192

/**
 * Sockets that accept at the one address. In a turn of the event loop each accepts one connection, as libuv does it: with a
 * single one, clients that connect while turns are long would wait for seconds before their requests are even read. Only
 * where the kernel spreads connections over the sockets of a port.
 */
const acceptors = process.platform === 'linux' ? 16 : 1

export interface ListenOptions {
  readonly handle: (req: IncomingMessage, res: ServerResponse, take: TakeConnection) => void
  /** Upgrade requests that are accepted. Any other is handled like a plain request. Undefined: none is accepted. */
  readonly upgrades?: {
    acceptsUpgrade(req: IncomingMessage): boolean
    upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  }
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Other processes may listen at the same port, and the kernel spreads connections over all. Default false. */
  readonly isShared?: boolean
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
  const { handle, upgrades, host, port, isShared = false, timeouts, limits, logger } = options
  const server = createServer(
    {
      maxHeaderSize: limits.maxCredentialBytes + otherHeaderBytes,
      headersTimeout: timeouts.headersMs,
      // GraphQL has a shorter timeout for requests other than uploads. A body is read only for known callers.
      requestTimeout: Math.max(timeouts.headersMs, timeouts.requestMs, timeouts.uploadMs),
      keepAliveTimeout: timeouts.idleConnectionMs,
      connectionsCheckingInterval: Math.min(timeouts.headersMs, 5_000),
      shouldUpgradeCallback: (req) => upgrades?.acceptsUpgrade(req) ?? false,
    },
    (req, res) => handle(req, res, connections.take),
  )
  const connections = new Connections(server, timeouts.idleConnectionMs)
  server.on('upgrade', (req, socket, head) => upgrades?.upgrade(req, socket, head))
  const own = isShared ? port : await findPort(host, port)
  const address = { host, port: own, reusePort: acceptors > 1 }
  const others = Array.from({ length: acceptors - 1 }, () =>
    // As a server of HTTP has its connections.
    createSocketServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      server.emit('connection', socket),
    ),
  )
  const all = [server, ...others]
  try {
    for (const one of all) {
      await start(one, address)
      one.on('error', (err) => logger.error({ err }, 'connection not accepted'))
    }
  } catch (error) {
    await close()
    throw error
  }
  return { url: urlOf(address), close, [Symbol.asyncDispose]: close }

  async function close(): Promise<void> {
    const closed = all.map((one) => new Promise((resolve) => one.close(resolve)))
    server.closeAllConnections()
    connections[Symbol.dispose]()
    await Promise.all(closed)
  }
}

/** A port that nobody has: sockets that share one would share it with another gateway as well, without a word. */
export async function findPort(host: string, port: number): Promise<number> {
  const server = createSocketServer()
  await start(server, { host, port })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP address')
  return address.port
}

function start(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
