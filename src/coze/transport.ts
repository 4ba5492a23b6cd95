import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
// Its file by name: Bun replaces the package by a part of it, which has no `dispatch`.
import {
  Agent,
  buildConnector,
  type Dispatcher,
  EnvHttpProxyAgent,
  errors,
  Pool,
} from 'undici/index.js'
import type { ProxySettings } from '../config/proxy.ts'
import { findSystemCode, isTlsCode } from '../lib/system-code.ts'
import type { Connection, Exchange, Send } from './wire.ts'

/** The connections to the upstream. Disposing it breaks off what is under way. */
export interface Transport extends AsyncDisposable {
  readonly send: Send
}

export function createTransport(options: {
  /** Used for all requests, and not closed. Default: agents of the transport's own. */
  readonly dispatcher: Dispatcher | undefined
  /** Undefined: all upstreams are reached directly. */
  readonly proxy?: ProxySettings | undefined
  readonly connectMs: number
  /** To one origin. */
  readonly maxConnections: number
}): Transport {
  const { dispatcher } = options
  if (dispatcher !== undefined) {
    // How it connects is not known, so no connection is taken for one that may be dead.
    const send = createSend({ 'kept-alive': dispatcher, new: dispatcher }, () => false)
    return { send, async [Symbol.asyncDispose]() {} }
  }
  const { proxy, connectMs, maxConnections: connections } = options
  // One stream per connection: pausing or aborting one run must not touch another.
  const allowH2 = false
  /** A connection has just been made, and takes the request that waits for it. */
  let isNew = false
  const watched = (open: buildConnector.connector): buildConnector.connector => {
    return (target, callback) => {
      open(target, (...result) => {
        const [error, socket] = result
        if (socket) watchHeads(socket)
        isNew = true
        try {
          if (error !== null && open !== connect) callback(proxyError(error), null)
          else callback(...result)
        } finally {
          isNew = false
        }
      })
    }
  }
  const connect = buildConnector({ timeout: connectMs, allowH2 })
  const common = {
    connect,
    connections,
    allowH2,
    // A proxy's agent has a way of its own to connect.
    factory: (origin: string | URL, pool: Pool.Options) =>
      new Pool(origin, {
        ...pool,
        connect: watched(typeof pool.connect === 'function' ? pool.connect : connect),
      }),
  }
  const createAgent = (more: { readonly pipelining?: 0 } = {}) =>
    proxy === undefined
      ? new Agent({ ...common, ...more })
      : new EnvHttpProxyAgent({
          ...common,
          ...more,
          httpProxy: '',
          httpsProxy: proxy.url.reveal(),
          noProxy: proxy.noProxy,
          // A tunnel that is never made would hold one of the connections for minutes.
          clientFactory: (origin, pool) => new Pool(origin, { ...pool, headersTimeout: connectMs }),
        })
  const agents = {
    'kept-alive': createAgent(),
    // Without pipelining undici closes a connection after its request, so no request meets one that was kept alive.
    new: createAgent({ pipelining: 0 }),
  }
  return {
    send: createSend(agents, () => !isNew),
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(agents).map((agent) => agent.destroy()))
    },
  }
}

/** Tells a proxy that cannot be used from a host that cannot be trusted. */
function proxyError(cause: Error): Error {
  const code = findSystemCode(cause)
  if (isTlsCode(code)) return cause
  // The code of undici for another status than 200.
  const reason = code === 'UND_ERR_ABORTED' ? 'REFUSED' : code
  const error = new Error('the proxy of HTTPS_PROXY cannot be used', { cause })
  return Object.assign(error, { code: `PROXY_${reason}` })
}

/** Undici's own body and header timeouts are off: ours are on the clock that tests can turn. */
function createSend(
  dispatchers: Readonly<Record<Connection, Dispatcher>>,
  isReused: () => boolean,
): Send {
  return ({ connection, ...request }, sink): Exchange => {
    let controller: Dispatcher.DispatchController | undefined
    let abandoned: Error | undefined
    dispatchers[connection].dispatch(
      { ...request, body: request.body ?? null, headersTimeout: 0, bodyTimeout: 0 },
      {
        onRequestStart(started) {
          controller = started
          if (abandoned === undefined) sink.onSent(isReused())
          else started.abort(abandoned)
        },
        onResponseStart(_controller, status, headers) {
          if (status >= 200) sink.onHead(status, headers)
        },
        onResponseData: (_controller, chunk) => sink.onData(chunk),
        onResponseEnd: () => sink.onEnd(),
        onResponseError: (_controller, error) => sink.onError(error),
      },
    )
    return {
      abort(reason) {
        abandoned = reason
        controller?.abort(reason)
      },
      pause: () => controller?.pause(),
      resume: () => controller?.resume(),
    }
  }
}

/**
 * Looks at the heads of answers before undici does. Takes informational ones away: undici breaks the connection at a "100
 * Continue" that nobody asked for, and with it a run that the upstream has accepted; RFC 9110 §15.2 has a client discard
 * it. Breaks the connection at a head that is too large: undici makes an error for each further header that was read.
 */
function watchHeads(socket: Socket): void {
  const read = socket.read.bind(socket)
  /** How much had been written when the present answer began: more has been written when the next one is awaited. */
  let answered = 0
  let head: Buffer = Buffer.alloc(0)
  /** Undefined: the head of the present answer has ended. */
  let meter: HeadMeter | undefined
  socket.read = (size) => {
    for (;;) {
      const chunk: unknown = read(size)
      if (!Buffer.isBuffer(chunk)) return chunk
      let rest: Buffer | undefined = chunk
      if (socket.bytesWritten !== answered) {
        head = Buffer.concat([head, chunk])
        rest = withoutInformational(head)
        if (rest === undefined) continue
        head = Buffer.alloc(0)
        if (rest.length === 0) continue
        answered = socket.bytesWritten
        meter = createHeadMeter()
      }
      switch (meter?.(rest)) {
        case undefined:
          return rest
        case 'ended':
          meter = undefined
          return rest
        case 'too large':
          socket.destroy(new errors.HeadersOverflowError())
          return null
      }
    }
  }
}

/** Takes the next bytes of an answer from its first one on; undefined: its head goes on. */
type HeadMeter = (chunk: Buffer) => 'ended' | 'too large' | undefined

function createHeadMeter(): HeadMeter {
  let bytes = 0
  let last: Buffer = Buffer.alloc(0)
  return (chunk) => {
    // The end may lie in two chunks.
    const joined = Buffer.concat([last, chunk.subarray(0, maxHeadBytes)])
    const end = joined.indexOf(headEnd)
    bytes += end === -1 ? chunk.length : end - last.length
    if (bytes > maxHeadBytes) return 'too large'
    last = joined.subarray(-3)
    return end === -1 ? undefined : 'ended'
  }
}

const informational = 'HTTP/1.1 1'
/** Changes the protocol, so what follows is no answer. */
const switching = 'HTTP/1.1 101'
const maxHeadBytes = 16_384
const headEnd = '\r\n\r\n'

/** The bytes after any number of informational heads; undefined: more bytes are needed to know. */
function withoutInformational(bytes: Buffer): Buffer | undefined {
  let rest = bytes
  while (rest.length > 0) {
    const start = rest.toString('latin1', 0, switching.length)
    const isPart = informational.startsWith(start)
    if (!isPart && (!start.startsWith(informational) || start === switching)) return rest
    const end = rest.indexOf(headEnd)
    if (end === -1) return rest.length > maxHeadBytes ? rest : undefined
    rest = rest.subarray(end + headEnd.length)
  }
  return rest
}
