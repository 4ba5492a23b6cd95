import { WebSocket } from 'ws'
import { createPartParser } from './multipart.ts'
import { type GraphError, type Observation, observePayload } from './observation.ts'
import { createEventParser } from './server-sent-events.ts'

export interface StreamRequest {
  /** The bearer token; undefined: none is sent. */
  readonly token: string | undefined
  readonly query: string
  readonly variables?: Readonly<Record<string, string>>
  /** The method of HTTP, which only server-sent events have a choice of. */
  readonly method?: 'GET' | 'POST'
  readonly lastEventId?: string | undefined
  /** The reader leaves after so many bytes, wherever that is in a message. Default: it stays. */
  readonly cutAfter?: number
}

/** A way to read a subscription. Leaving the loop over its observations closes the connection. */
export interface StreamTransport {
  readonly name: 'SSE' | 'multipart' | 'WebSocket'
  open(request: StreamRequest, signal: AbortSignal): AsyncGenerator<Observation, void, undefined>
}

/** What a conformance run needs of the network. */
export type Fetch = typeof globalThis.fetch

const accept = {
  SSE: 'text/event-stream',
  multipart: 'multipart/mixed;subscriptionSpec=1.0',
} as const

export function createTransports(url: URL, fetch: Fetch): readonly StreamTransport[] {
  return [
    { name: 'SSE', open: (request, signal) => readResponse('SSE', url, fetch, request, signal) },
    {
      name: 'multipart',
      open: (request, signal) => readResponse('multipart', url, fetch, request, signal),
    },
    { name: 'WebSocket', open: (request, signal) => readWebSocket(url, request, signal) },
  ]
}

async function* readResponse(
  name: 'SSE' | 'multipart',
  url: URL,
  fetch: Fetch,
  { token, query, variables, method = 'POST', lastEventId, cutAfter = Infinity }: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<Observation, void, undefined> {
  const target = new URL(url)
  if (method === 'GET') {
    target.searchParams.set('query', query)
    target.searchParams.set('variables', JSON.stringify(variables ?? {}))
  }
  const left = new AbortController()
  const response = await fetch(target, {
    method,
    headers: {
      accept: accept[name],
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
    ...(method === 'POST' && { body: JSON.stringify({ query, variables }) }),
    signal: AbortSignal.any([signal, left.signal]),
  })
  try {
    const { status, body } = response
    yield { kind: 'head', status, headers: new Map(response.headers) }
    const parse = parserOf(response)
    if (parse === undefined) {
      const text = await response.text()
      if (text !== '') yield { kind: 'errors', errors: errorsOf(text) }
      return
    }
    const decoder = new TextDecoder()
    let bytes = 0
    for await (const chunk of body ?? []) {
      const part = chunk.subarray(0, cutAfter - bytes)
      bytes += part.length
      for (const seen of parse(decoder.decode(part, { stream: true }))) {
        yield seen
        if (seen.kind === 'complete') return
      }
      if (bytes >= cutAfter) return
    }
    yield { kind: 'closed', code: undefined }
  } catch (error) {
    // Its own deadline is an error; a connection that breaks is an end like any other.
    if (signal.aborted || !(error instanceof TypeError)) throw error
    yield { kind: 'closed', code: undefined }
  } finally {
    left.abort()
  }
}

function parserOf({ headers }: Response): ((text: string) => readonly Observation[]) | undefined {
  const type = headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream')) return createEventParser()
  const [, quoted, bare] = /^multipart\/mixed;.*?boundary=(?:"([^"]+)"|([^;]+))/.exec(type) ?? []
  const boundary = quoted ?? bare
  return boundary === undefined ? undefined : createPartParser(boundary)
}

function errorsOf(text: string): readonly GraphError[] {
  const { errors = [] }: { readonly errors?: readonly GraphError[] } = JSON.parse(text)
  return errors
}

interface Message {
  readonly type: string
  readonly payload?: unknown
}

/** An operation on a connection of its own, by the protocol `graphql-transport-ws`. */
async function* readWebSocket(
  url: URL,
  { token, query, variables, cutAfter = Infinity }: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<Observation, void, undefined> {
  signal.throwIfAborted()
  const target = new URL(url)
  target.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(target, 'graphql-transport-ws')
  const seen: Observation[] = []
  let bytes = 0
  let wake = Promise.withResolvers<void>()
  const put = (...observations: readonly Observation[]) => {
    seen.push(...observations)
    wake.resolve()
  }
  const send = (message: object) => socket.send(JSON.stringify(message))
  const stop = () => socket.terminate()
  signal.addEventListener('abort', stop)
  socket.on('open', () => {
    put({ kind: 'head', status: 101, headers: new Map([['protocol', socket.protocol]]) })
    const payload = token === undefined ? {} : { authorization: `Bearer ${token}` }
    send({ type: 'connection_init', payload })
  })
  socket.on('ping', () => put({ kind: 'alive' }))
  socket.on('error', () => undefined)
  socket.on('close', (code) => put({ kind: 'closed', code }))
  socket.on('message', (data) => {
    const text = Buffer.isBuffer(data) ? data.toString() : ''
    bytes += Buffer.byteLength(text)
    if (bytes > cutAfter) return socket.terminate()
    const message: Message = JSON.parse(text)
    if (message.type === 'connection_ack') {
      put({ kind: 'alive' })
      send({ id: '1', type: 'subscribe', payload: { query, variables } })
    } else put(...observeMessage(message))
  })
  try {
    for (;;) {
      for (const one of seen.splice(0)) {
        signal.throwIfAborted()
        if (one.kind === 'closed' && bytes > cutAfter) return
        yield one
        if (one.kind === 'complete' || one.kind === 'closed') return
      }
      if (seen.length === 0) await wake.promise
      wake = Promise.withResolvers()
    }
  } finally {
    signal.removeEventListener('abort', stop)
    socket.terminate()
  }
}

function observeMessage({ type, payload }: Message): readonly Observation[] {
  switch (type) {
    case 'next':
      return [observePayload(Object(payload))]
    // The operation is over with this message.
    case 'error':
      return [
        { kind: 'errors', errors: Array.isArray(payload) ? payload : [] },
        { kind: 'complete' },
      ]
    case 'complete':
      return [{ kind: 'complete' }]
    case 'ping':
      return [{ kind: 'alive' }]
    default:
      return []
  }
}
