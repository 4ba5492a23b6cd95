import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Bytes of further requests that are kept while a stream is sent. After that, nothing is read until the stream ends. */
const maxPipelinedBytes = 65_536

/** A connection without HTTP: text is written to its socket as it is. */
export interface TakenConnection {
  readonly socket: Socket
  /** Called once if the connection closes before it is given back. */
  user: { closed(): void } | undefined
  /** Gives the connection back to HTTP for the next request, or closes it if its client has asked for that. */
  giveBack(): void
}

/** Takes the connection of a response whose head is written. Returns undefined while HTTP still needs the connection. */
export type TakeConnection = (req: object, res: object) => TakenConnection | undefined

/** The part of Node's HTTP parser that tells whether it has read more than the current request. */
interface Parser {
  readonly incoming: unknown
  /** Returns an error in the middle of a message. Otherwise it has no effect. */
  finish(): unknown
}

/**
 * The connections of the gateway's own server that were taken from HTTP for a stream. Node keeps about 12 KiB for each
 * response
 * that is being sent: the parser of the connection, the request, the response, and their state. A stream needs none of
 * that after its head, and thousands of streams are open for hours.
 *
 * To Node, a connection that is taken looks closed (its own listeners of `close` free everything), and a connection that is
 * given back looks new (servers take what is emitted as `connection`). HTTP gets it back with the first byte of the next
 * request. Until then only the socket is held.
 */
export class Connections implements Disposable {
  readonly #server: Server
  readonly #idleMs: number
  readonly #taken = new Map<Socket, Taken>()

  /** `idleMs`: how long a connection waits for its next request. */
  constructor(server: Server, idleMs: number) {
    this.#server = server
    this.#idleMs = idleMs
  }

  readonly take: TakeConnection = (req, res) => {
    if (!(req instanceof IncomingMessage) || !(res instanceof ServerResponse)) return undefined
    const { socket, shouldKeepAlive } = res
    if (!socket || !res.headersSent || !res.chunkedEncoding || !req.complete) return undefined
    if (!isOnlyRequest(req, socket)) return undefined
    res.detachSocket(socket)
    // A request whose body was not read would destroy its socket.
    Object.assign(req, { socket: null })
    socket.emit('close', false)
    socket.removeAllListeners()
    const connection = new Taken(socket, shouldKeepAlive ? this : undefined)
    this.#taken.set(socket, connection)
    for (const [event, listener] of this.#listeners) socket.on(event, listener)
    return connection
  }

  /** Waits for the next request. */
  park(connection: Taken): void {
    const { socket } = connection
    if (!this.#server.listening) socket.destroySoon()
    else if (connection.hasRest) this.#attach(connection)
    else socket.setTimeout(this.#idleMs)
  }

  #attach(connection: Taken): void {
    const { socket } = connection
    this.#taken.delete(socket)
    socket.removeAllListeners()
    socket.setTimeout(0)
    this.#server.emit('connection', socket)
    socket.unshift(connection.takeRest())
    socket.resume()
  }

  /** All sockets share one listener, which looks their state up. */
  readonly #listeners = this.#createListeners()

  #createListeners(): readonly (readonly [string, (this: Socket, chunk: Buffer) => void])[] {
    const taken = this.#taken
    const attach = (connection: Taken) => this.#attach(connection)
    return [
      [
        'data',
        function (chunk) {
          const connection = taken.get(this)
          connection?.keep(chunk)
          if (connection?.isParked) attach(connection)
        },
      ],
      [
        'end',
        function () {
          this.end()
        },
      ],
      [
        'timeout',
        function () {
          this.destroy()
        },
      ],
      // A socket that fails is closed as well.
      ['error', ignore],
      [
        'close',
        function () {
          const connection = taken.get(this)
          taken.delete(this)
          connection?.user?.closed()
        },
      ],
    ]
  }

  /** Closes the connections that are taken, which the server does not know. */
  [Symbol.dispose](): void {
    for (const socket of this.#taken.keys()) socket.destroy()
  }
}

class Taken implements TakenConnection {
  readonly socket: Socket
  user: { closed(): void } | undefined
  isParked = false
  /** Undefined: the connection is closed instead. */
  readonly #home: Connections | undefined
  #rest: Buffer | undefined

  constructor(socket: Socket, home: Connections | undefined) {
    this.socket = socket
    this.#home = home
  }

  get hasRest(): boolean {
    return this.#rest !== undefined
  }

  /** Keeps bytes that belong to the next request. */
  keep(chunk: Buffer): void {
    this.#rest = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    if (this.#rest.length > maxPipelinedBytes) this.socket.pause()
  }

  takeRest(): Buffer {
    const rest = this.#rest ?? Buffer.alloc(0)
    this.#rest = undefined
    return rest
  }

  giveBack(): void {
    this.user = undefined
    this.isParked = true
    if (this.socket.destroyed) return
    if (this.#home) this.#home.park(this)
    else this.socket.destroySoon()
  }
}

/** Whether no data of a further request has come. */
function isOnlyRequest(req: IncomingMessage, socket: Socket): boolean {
  const parser: unknown = Reflect.get(socket, 'parser')
  return isParser(parser) && parser.incoming === req && parser.finish() === undefined
}

function isParser(value: unknown): value is Parser {
  return (
    typeof value === 'object' &&
    value !== null &&
    'incoming' in value &&
    'finish' in value &&
    typeof value.finish === 'function'
  )
}

function ignore(): void {}
