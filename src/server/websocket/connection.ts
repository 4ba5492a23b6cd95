import { WebSocket, type RawData } from 'ws'
import { isJsonObject } from '../../lib/json-object.ts'
import type { Clock } from '../../lib/clock.ts'
import { webSocketMessages } from '../accept.ts'
import { parseBodyJson } from '../graphql/params.ts'
import type { HttpRequest, HttpResponse } from '../http.ts'
import type { SinkLimits } from '../node/node-sink.ts'
import type { Gone } from '../streams/response-stream.ts'
import { MessageWriter } from './message-writer.ts'
import { Operation, type OperationOwner } from './operation.ts'

/** The services that all connections share. */
export interface ConnectionServices {
  /** Never rejects. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
  /** Resolves with the reason why the caller is refused, or with undefined for a caller that is accepted. */
  readonly refusalOf: (request: HttpRequest) => Promise<string | undefined>
  readonly clock: Clock
  readonly limits: SinkLimits
  readonly timeouts: { readonly requestMs: number; readonly idleConnectionMs: number }
}

/** The codes of the protocol. 1001 and 1012 are of RFC 6455, and clients connect again after them. */
const closeCodes = {
  idle: 1001,
  moveElsewhere: 1012,
  invalid: 4400,
  notInitialised: 4401,
  refused: 4403,
  notInitialisedInTime: 4408,
  repeatedId: 4409,
  initialisedTwice: 4429,
} as const

/** Headers that a client sends in `connection_init`, as a browser's WebSocket cannot send headers. */
const credentialHeaders = ['authorization', 'x-session-subject']
/** Headers of each operation, in place of those of the upgrade request. */
const ownHeaders: Readonly<Record<string, string>> = { 'content-type': 'application/json' }
const notInherited = new Set(['upgrade', 'content-length', 'content-encoding', 'last-event-id'])
const maxIdLength = 128
/** Parsing a code unit takes as long as writing so many. */
const unitsPerCodeUnit = 8
/** RFC 6455 allows a reason of so many bytes. */
const maxReasonBytes = 120

/**
 * A client that speaks `graphql-transport-ws`. Each operation is handled like an HTTP request of the same caller, with the same
 * limits and refusals. Messages are handled one after another, and no more is read while one is handled.
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
export class WebSocketConnection implements OperationOwner {
  readonly writer: MessageWriter
  readonly #ws: WebSocket
  readonly #upgrade: HttpRequest
  readonly #services: ConnectionServices
  readonly #operations = new Map<string, Operation>()
  /** Undefined until `connection_init` has come. */
  #credentials: ReadonlyMap<string, string> | undefined
  #isAccepted = false
  #work: Promise<void> = Promise.resolve()
  #pending = 0
  /** Whether the client has sent anything since the last ping. */
  #isAlive = true
  #idleSince: number
  #gone: Gone = 'client-gone'

  /** `closed`: called once. */
  constructor(
    ws: WebSocket,
    upgrade: HttpRequest,
    services: ConnectionServices,
    closed: (connection: WebSocketConnection) => void,
  ) {
    this.#ws = ws
    this.#upgrade = upgrade
    this.#services = services
    this.#idleSince = services.clock.monotonic()
    this.writer = new MessageWriter(ws, services.limits, () => {
      this.#gone = 'stalled'
      ws.terminate()
    })
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary))
    ws.on('pong', () => (this.#isAlive = true))
    // An error is followed by `close`.
    ws.on('error', () => undefined)
    ws.on('close', () => {
      for (const operation of this.#operations.values()) operation.leave(this.#gone)
      this.#operations.clear()
      closed(this)
    })
  }

  /** Called once in each `keepAliveMs`: ends a silent or idle connection, and pings any other. */
  check(): void {
    const { clock, timeouts } = this.#services
    const idleMs = this.#operations.size > 0 ? 0 : clock.monotonic() - this.#idleSince
    // A pong is not read while a message is handled.
    if (!this.#isAlive && this.#pending === 0) return this.#ws.terminate()
    if (!this.#isAccepted && idleMs >= timeouts.requestMs) {
      return this.#close('notInitialisedInTime', 'Connection initialisation timeout')
    }
    if (idleMs >= timeouts.idleConnectionMs) return this.#close('idle', 'Nothing is asked')
    this.#isAlive = false
    this.#ws.ping()
  }

  moveElsewhere(): void {
    this.#close('moveElsewhere', 'Connect again')
  }

  destroy(): void {
    this.#ws.terminate()
  }

  ended(id: string, operation: Operation): void {
    if (this.#operations.get(id) !== operation) return
    this.#operations.delete(id)
    this.#idleSince = this.#services.clock.monotonic()
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#isAlive = true
    this.#ws.pause()
    this.#pending += 1
    this.#work = this.#work.then(async () => {
      try {
        if (this.#ws.readyState === WebSocket.OPEN) await this.#take(data, isBinary)
        // No further message is handled for a client that does not read.
        await this.writer.sent()
      } catch (err) {
        this.#services.limits.logger.error({ err }, 'WebSocket failed')
        this.#ws.terminate()
      }
      this.#pending -= 1
      if (this.#pending === 0) this.#ws.resume()
    })
  }

  async #take(data: RawData, isBinary: boolean): Promise<void> {
    const text = !isBinary && Buffer.isBuffer(data) ? data.toString() : ''
    await this.#services.limits.turns.of(this).take(text.length * unitsPerCodeUnit)
    const message = parseMessage(text)
    switch (message?.type) {
      case 'connection_init':
        return await this.#initialise(message.payload)
      case 'subscribe':
        return await this.#subscribe(message.id, message.payload)
      case 'complete':
        return this.#complete(String(message.id))
      case 'ping':
        return await this.writer.write('{"type":"pong"}')
      case 'pong':
        return
      default:
        return this.#close('invalid', 'The message is not one of graphql-transport-ws')
    }
  }

  async #initialise(payload: unknown): Promise<void> {
    if (this.#credentials !== undefined) {
      return this.#close('initialisedTwice', 'Too many initialisation requests')
    }
    const given = Object.entries(isJsonObject(payload) ? payload : {}).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name.toLowerCase(), value] as const] : [],
    )
    this.#credentials = new Map(given.filter(([name]) => credentialHeaders.includes(name)))
    const refusal = await this.#services.refusalOf(this.#requestOf({}))
    if (refusal !== undefined) return this.#close('refused', refusal)
    this.#isAccepted = true
    await this.writer.write('{"type":"connection_ack"}')
  }

  async #subscribe(id: unknown, payload: unknown): Promise<void> {
    if (!this.#isAccepted) return this.#close('notInitialised', 'Unauthorized')
    if (typeof id !== 'string' || id.length > maxIdLength || !isJsonObject(payload)) {
      return this.#close('invalid', 'The operation has no id or no payload')
    }
    if (this.#operations.has(id)) {
      return this.#close('repeatedId', `Subscriber for ${id} already exists`)
    }
    const operation = new Operation(id, this)
    this.#operations.set(id, operation)
    await operation.answer(await this.#services.handle(this.#requestOf(payload)))
  }

  #complete(id: string): void {
    const operation = this.#operations.get(id)
    if (operation === undefined) return
    operation.leave('client-gone')
    this.ended(id, operation)
  }

  /** Makes the request of an operation from the upgrade request. */
  #requestOf(payload: object): HttpRequest {
    const { headers } = this.#upgrade
    const credentials = this.#credentials
    const body = Buffer.from(JSON.stringify(payload))
    return {
      ...this.#upgrade,
      method: 'POST',
      route: 'graphql',
      accepted: [webSocketMessages],
      headers: {
        get(name) {
          const wanted = name.toLowerCase()
          const own = credentials?.get(wanted) ?? ownHeaders[wanted]
          if (own !== undefined || notInherited.has(wanted)) return own
          return wanted === 'sec-fetch-site' ? siteOf(headers) : headers.get(wanted)
        },
      },
      isBodyParsed: true,
      readBody: async () => body,
    }
  }

  #close(code: keyof typeof closeCodes, reason: string): void {
    const text = Buffer.from(reason)
      .subarray(0, maxReasonBytes)
      .toString()
      .replace(/\ufffd$/, '')
    this.#ws.close(closeCodes[code], text)
  }
}

/** Browsers send no `sec-fetch-site` for a WebSocket, so it is derived from `origin` and `host`. */
function siteOf(headers: HttpRequest['headers']): string | undefined {
  const host = URL.parse(headers.get('origin') ?? '')?.host
  const isSame = host !== undefined && host !== '' && host === headers.get('host')
  return headers.get('sec-fetch-site') ?? (isSame ? 'same-origin' : undefined)
}

interface Message {
  readonly type?: unknown
  readonly id?: unknown
  readonly payload?: unknown
}

/** Returns undefined for text that is no message. */
function parseMessage(text: string): Message | undefined {
  try {
    const message = parseBodyJson(text)
    return isJsonObject(message) ? message : undefined
  } catch {
    return undefined
  }
}
