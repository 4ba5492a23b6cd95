import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Bytes of further requests that are kept while a stream is sent; then no more is read until it ends. */
const maxPipelinedBytes = 65_536

/** A connection of which only the socket is left: what is written to it goes out as it is. */
export interface TakenConnection {
  readonly socket: Socket
  /** Told once if the connection closes before it is given back. */
  user: { closed(): void } | undefined
  /** Lets HTTP have it for the next request, or closes it if its client has asked for that. */
  giveBack(): void
}

/** Takes the connection of a response whose head is written. Undefined: HTTP has more to do on it. */
export type TakeConnection = (req: object, res: object) => TakenConnection | undefined

/** As much of Node's parser of a connection as tells whether it has read more than the request that is answered. */
interface Parser {
  readonly incoming: unknown
  /** An error: it is in the middle of a message. Changes nothing otherwise. */
  finish(): unknown
}

/**
 * The connections of a server of our own that were taken from HTTP for a stream. Node keeps about 12 KiB for each response
 * that is being sent: the parser of its connection, the request, the response, and what they hold. A stream needs none of
 * it after its head, and there are thousands, open for hours.
 *
 * To Node, a connection that is taken looks closed (its own listeners of `close` free everything), and one that is given
 * back looks new (servers take what is emitted as `connection`). HTTP has it back with the first byte of the next request:
 * until then, too, just the socket is held.
 */
export class Connections implements Disposable {
  readonly #server: Server
  readonly #idleMs: number
  readonly #taken = new Map<Socket, Taken>()

  /** `idleMs`: for how long a connection waits for its next request. */
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
    // A request whose body was not read would take its socket with it.
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

  /** One for all sockets: what they are for is looked up. */
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
      // What fails closes as well.
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

  /** Closes those that are taken: the server does not know of them. */
  [Symbol.dispose](): void {
    for (const socket of this.#taken.keys()) socket.destroy()
  }
}

class Taken implements TakenConnection {
  readonly socket: Socket
  user: { closed(): void } | undefined
  isParked = false
  /** Undefined: it is closed instead. */
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

/** Whether nothing of a further request has come. */
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
