import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../lib/clock.ts'

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

/** Takes the connection of a response whose head is written, once its stream has lasted a while. `use`: called then. */
export type TakeConnection = (
  req: object,
  res: object,
  use: (connection: TakenConnection) => void,
) => void

/** A response whose stream may be long. */
interface Candidate {
  readonly req: object
  readonly res: object
  readonly use: (connection: TakenConnection) => void
}

export interface ConnectionsOptions {
  readonly clock: Pick<Clock, 'timer'>
  /** How long a connection waits for its next request. */
  readonly idleMs: number
  /** How long a stream lasts before its connection is taken: at least so long, at most twice. */
  readonly lastingMs: number
}

/** The part of Node's HTTP parser that tells whether it has read more than the current request. */
interface Parser {
  readonly incoming: unknown
  /** Returns an error in the middle of a message. Otherwise it has no effect. */
  finish(): unknown
}

/**
 * The connections of the gateway's own server that were taken from HTTP for a stream. Node keeps about 12 KiB for each
 * response that is being sent: the parser of the connection, the request, the response, and their state. A stream needs none of
 * that after its head, and thousands of streams are open for hours. A stream that soon ends keeps HTTP: to take a connection
 * and to give it back costs as much time as a small request.
 *
 * To Node, a connection that is taken looks closed (its own listeners of `close` free everything), and a connection that is
 * given back looks new (servers take what is emitted as `connection`). HTTP gets it back with the first byte of the next
 * request. Until then only the socket is held.
 */
export class Connections implements Disposable {
  readonly #server: Server
  readonly #options: ConnectionsOptions
  readonly #taken = new Map<Socket, Taken>()
  /** Those that came since the last look, and those that were there at that look. */
  #newer: Candidate[] = []
  #older: Candidate[] = []
  /** The next look. */
  #timer: Disposable | undefined

  constructor(server: Server, options: ConnectionsOptions) {
    this.#server = server
    this.#options = options
  }

  readonly takeLasting: TakeConnection = (req, res, use) => {
    this.#newer.push({ req, res, use })
    this.#timer ??= this.#arm()
  }

  #arm(): Disposable {
    const { clock, lastingMs } = this.#options
    return clock.timer(lastingMs, () => this.#look())
  }

  /** One timer for all: a stream is taken when it has lasted from one look to the next. */
  #look(): void {
    const lasting = this.#older
    this.#older = this.#newer
    this.#newer = []
    this.#timer = this.#older.length > 0 ? this.#arm() : undefined
    for (const { req, res, use } of lasting) {
      const connection = this.take(req, res)
      if (connection) use(connection)
    }
  }

  /** Takes a connection now. Returns undefined where HTTP still needs it, or its response has ended. */
  take(req: object, res: object): TakenConnection | undefined {
    if (!(req instanceof IncomingMessage) || !(res instanceof ServerResponse)) return undefined
    const { socket, shouldKeepAlive } = res
    if (!socket || socket.destroyed || res.writableEnded) return undefined
    if (!res.headersSent || !res.chunkedEncoding || !req.complete) return undefined
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
    else socket.setTimeout(this.#options.idleMs)
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
    this.#timer?.[Symbol.dispose]()
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
