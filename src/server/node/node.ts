import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { bodyCutShort, bodyTaken, bodyTooLarge } from '../http.ts'
import type { HttpResponse, HttpRequest } from '../http.ts'
import type { ResponseStream } from '../streams/response-stream.ts'
import type { TakeConnection, TakenConnection } from './connections.ts'
import { destroyResponse, streamToConnection, streamToNode } from './node-sink.ts'
import type { SinkLimits } from './node-sink.ts'
import type { FindRoute } from '../routes.ts'
import type { SilentPeers } from './silent-peers.ts'
import type { HostResponse } from './wire.ts'

/** The most pieces of one body. Each piece costs the memory and time of a hundred bytes in addition to its own. */
const maxPieces = 16_384

/** How long a client may continue to send a body that was refused. */
const lingerMs = 1_000

const origin = 'http://gateway'

/** The used part of a request: `IncomingMessage` of `node:http`, or `Http2ServerRequest` of `node:http2`. */
export interface HostRequest extends Readable {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersionMajor: number
  readonly rawHeaders: readonly string[]
  readonly complete: boolean
  readonly socket: {
    readonly remoteAddress?: string | undefined
    readonly destroyed?: boolean
    destroy?(): unknown
  }
  /** The body as a parser of the host has read it, as Express, Next.js and others leave it. */
  readonly body?: unknown
}

export function fromNodeRequest(req: HostRequest, findRoute: FindRoute): HttpRequest {
  // A router that removes its prefix may leave no slash.
  const target = (req.url ?? '').replace(/^(?=\?|$)/, '/')
  // A target that is not a path has no route.
  const url = (target.startsWith('/') && URL.parse(`${origin}${target}`)) || new URL(origin)
  return {
    method: req.method ?? 'GET',
    url,
    route: findRoute(url.pathname),
    headers: nodeHeaders(req),
    address: req.socket.remoteAddress,
    isBodyParsed: isBodyRead(req),
    readBody: (maxBytes) => readBody(req, maxBytes),
    readStream: () => readStream(req),
  }
}

function isBodyRead({ readableDidRead, readableEnded }: HostRequest): boolean {
  return readableDidRead || readableEnded
}

/** @throws {@link BadRequestError} when the host has kept nothing of it */
function parsedBody({ body }: HostRequest, maxBytes: number): Uint8Array {
  const text = typeof body === 'object' && body !== null ? JSON.stringify(body) : body
  if (body instanceof Uint8Array || typeof text === 'string') {
    const bytes = body instanceof Uint8Array ? body : Buffer.from(String(text))
    if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes)
    return bytes
  }
  throw bodyTaken()
}

/** It uses events, because the iterator of a stream stays in memory as long as its request, which may be hours. */
async function readBody(req: HostRequest, maxBytes: number): Promise<Uint8Array> {
  if (isBodyRead(req)) return parsedBody(req, maxBytes)
  const chunks: Buffer[] = []
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // A request also closes after its end.
  const cut = () => {
    if (!req.readableEnded) reject(bodyCutShort())
  }
  const take = (chunk: Buffer) => {
    length += chunk.length
    if (length > maxBytes || chunks.length === maxPieces) reject(bodyTooLarge(maxBytes))
    else chunks.push(chunk)
  }
  req.on('data', take).on('end', resolve).on('close', cut).on('error', cut)
  try {
    await promise
  } finally {
    req.off('data', take).off('end', resolve).off('close', cut).off('error', cut)
  }
  const [first] = chunks
  return first && chunks.length === 1 ? first : Buffer.concat(chunks, length)
}

/** An iterator that is stopped early does not destroy the socket, since the response is still to be sent. */
async function* readStream(req: HostRequest): AsyncGenerator<Uint8Array, void, undefined> {
  if (isBodyRead(req)) throw bodyTaken()
  const chunks: AsyncIterable<Uint8Array> = req.iterator({ destroyOnReturn: false })
  try {
    yield* chunks
  } catch (error) {
    throw bodyCutShort(error)
  }
  // A lost connection may end the stream without an error.
  if (!req.complete) throw bodyCutShort()
}

/** All headers of a name. `req.headers` silently drops the second one of some names, such as `Authorization`. */
function nodeHeaders(req: HostRequest) {
  return {
    get(name: string): string | undefined {
      const wanted = name.toLowerCase()
      const separator = wanted === 'cookie' ? '; ' : ', '
      const fields = req.rawHeaders
      let value: string | undefined
      // This runs a dozen times for each request. Names are at even indexes, each followed by its value.
      for (let at = 0; at < fields.length; at += 2) {
        const field = fields[at]
        if (field?.length !== wanted.length || field.toLowerCase() !== wanted) continue
        const more = fields[at + 1] ?? ''
        value = value === undefined ? more : `${value}${separator}${more}`
      }
      return value
    },
  }
}

/** The parts that all responses on Node share. */
export interface SendLimits extends SinkLimits {
  readonly silentPeers: Pick<SilentPeers, 'watch'>
}

/** Sends a response. A stream continues by itself. `take`: takes its connection, on the gateway's own server. */
export function sendOnNode(
  answer: HttpResponse,
  req: HostRequest,
  res: HostResponse,
  limits: SendLimits,
  take?: TakeConnection,
): void {
  // HTTP/2 has no connection headers, since many requests share its socket.
  const ownsConnection = req.httpVersionMajor < 2
  // The connection of a body that was refused is closed with it.
  const isClosing = ownsConnection && !req.complete
  const headers = isClosing ? { ...answer.headers, connection: 'close' } : answer.headers
  if (answer.stream) return sendStream(answer, answer.stream, { req, res, headers, take }, limits)
  const length = answer.body === undefined ? 0 : Buffer.byteLength(answer.body)
  res.writeHead(answer.status, hasBody(answer) ? { ...headers, 'content-length': length } : headers)
  const body = req.method === 'HEAD' ? undefined : answer.body
  if (req.complete) {
    res.end(body)
    closeIfStalled(res, limits, answer.held)
    return
  }
  if (body !== undefined) res.write(body)
  dropRest(req, limits.clock, () => {
    res.end()
    if (!req.complete) res.stream?.close()
    closeIfStalled(res, limits, answer.held)
  })
}

interface StreamTarget {
  readonly req: HostRequest
  readonly res: HostResponse
  readonly headers: HttpResponse['headers']
  readonly take: TakeConnection | undefined
}

function sendStream(
  { status }: HttpResponse,
  stream: ResponseStream,
  { req, res, headers, take }: StreamTarget,
  limits: SendLimits,
): void {
  const ownsConnection = req.httpVersionMajor < 2
  const socket = ownsConnection ? res.socket : undefined
  let connection: TakenConnection | undefined
  try {
    socket?.setKeepAlive(true, limits.keepAliveMs)
    res.writeHead(status, headers)
    // The head is kept as long as the stream. Written by itself it is stored as one string, else as the pieces it was
    // joined from.
    socket?.cork()
    res.flushHeaders?.()
    // A stream is open for hours, and the credential in the request's head must not be kept so long.
    if (ownsConnection) Object.assign(req, { headers: {}, rawHeaders: [] })
    connection = take?.(req, res)
    const watched = socket instanceof Socket ? socket : res.stream?.session
    if (watched) limits.silentPeers.watch(watched)
  } catch (error) {
    stream.abandon()
    throw error
  }
  if (connection) streamToConnection(stream, connection, limits)
  else streamToNode(stream, res, limits)
  socket?.uncork()
}

/** A client that does not read the rest of its response is closed, like the client of a stream. */
function closeIfStalled(
  res: HostResponse,
  { clock, stalledMs }: SinkLimits,
  held: Disposable | undefined,
): void {
  if (res.writableFinished || res.writableLength === 0) return held?.[Symbol.dispose]()
  const timer = clock.timer(stalledMs, () => {
    destroyResponse(res)
    // Node does not close a response that still waits for its turn on the connection.
    held?.[Symbol.dispose]()
  })
  res.on('close', () => {
    timer[Symbol.dispose]()
    held?.[Symbol.dispose]()
  })
}

/** Closing a connection while its client still sends may lose the response (RFC 9112 §9.6). */
function dropRest(req: HostRequest, clock: Clock, done: () => void): void {
  const timer = clock.timer(lingerMs, finish)
  req.on('end', finish).on('close', finish).resume()

  function finish() {
    timer[Symbol.dispose]()
    req.off('end', finish).off('close', finish)
    done()
  }
}

function hasBody({ status }: HttpResponse): boolean {
  return status !== 204 && status !== 304
}
