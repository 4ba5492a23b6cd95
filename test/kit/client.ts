import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { createFrameParser, type Frame } from './sse-frames.ts'
import { within } from './until.ts'

export interface Operation {
  /** The bearer token; undefined: none is sent. */
  readonly token?: string | undefined
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface UploadedText {
  readonly name: string
  readonly mediaType: string
  readonly text: string
}

/** The whole answer to a request that is no stream. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface StreamRequest extends Operation {
  /** Default POST. */
  readonly method?: 'GET' | 'POST'
  readonly lastEventId?: string | undefined
  /** The socket is destroyed once so many bytes of the body have come; what follows is not parsed. */
  readonly cutAfter?: number | undefined
}

/** How a stream ended: it said so, we cut it, or the server closed it without a word. */
export type StreamEnd = 'complete' | 'cut' | 'closed'

/** An open SSE stream. Frames wait here until they are taken. */
export interface Stream extends Disposable {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body so far. */
  readonly bytes: number
  /** The next `next` frame, comments left out; undefined once the stream has ended. */
  next(deadlineMs?: number): Promise<Frame | undefined>
  /** Every frame as it came, comments included. */
  readonly frames: readonly Frame[]
  readonly ended: Promise<StreamEnd>
  /** The body of an answer that is no event stream. */
  readonly refusal: Promise<string>
  cut(): void
  /** Stops reading from the socket, so that the kernel's buffers fill. */
  pause(): void
  resume(): void
}

/** Black-box client of a gateway at `url`, with sockets of its own. */
export interface Client extends Disposable {
  readonly url: string
  call(operation: Operation): Promise<Answer>
  /** The same with a file in the place of the variable `file`. */
  upload(operation: Operation, file: UploadedText): Promise<Answer>
  stream(request: StreamRequest): Promise<Stream>
}

export function createClient(url: string): Client {
  const agent = new Agent({ keepAlive: true })

  async function send(
    method: 'GET' | 'POST',
    { token, query, variables, headers }: Operation,
    more: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    const target = new URL('/graphql', url)
    const body = JSON.stringify({ query, ...(variables && { variables }) })
    if (method === 'GET') {
      target.searchParams.set('query', query)
      if (variables) target.searchParams.set('variables', JSON.stringify(variables))
    }
    const call = request(target, {
      method,
      agent,
      headers: {
        ...(method === 'POST' && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...more,
        ...headers,
      },
    })
    call.end(method === 'POST' ? body : undefined)
    const [response] = (await within(once(call, 'response'), 'an answer')) as [IncomingMessage]
    call.on('error', () => {})
    return response
  }

  return {
    url,
    async call(operation) {
      const response = await send('POST', operation, { accept: 'application/json' })
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: await within(readText(response), 'the end of an answer'),
      }
    },
    async upload({ token, query, variables, headers }, { name, mediaType, text }) {
      const form = new FormData()
      form.append('operations', JSON.stringify({ query, variables: { ...variables, file: null } }))
      form.append('map', '{"0":["variables.file"]}')
      form.append('0', new Blob([text], { type: mediaType }), name)
      const answer = await fetch(new URL('/graphql', url), {
        method: 'POST',
        body: form,
        headers: {
          accept: 'application/json',
          'graphql-require-preflight': '1',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
      })
      const body = await within(answer.text(), 'the end of an answer')
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body }
    },
    async stream({ method = 'POST', lastEventId, cutAfter = Infinity, ...operation }) {
      const response = await send(method, operation, {
        accept: 'text/event-stream',
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      })
      return openStream(response, cutAfter)
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

function openStream(response: IncomingMessage, cutAfter: number): Stream {
  const parse = createFrameParser()
  const frames: Frame[] = []
  const ended = Promise.withResolvers<StreamEnd>()
  const refusal = Promise.withResolvers<string>()
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false
  let taken = 0
  let bytes = 0
  let end: StreamEnd | undefined
  let wake = Promise.withResolvers<void>()

  function finish(how: StreamEnd) {
    end ??= how
    ended.resolve(end)
    if (isStream) refusal.resolve('')
    wake.resolve()
  }

  function cut() {
    finish('cut')
    response.destroy()
  }

  response.on('error', () => finish('closed'))
  response.on('close', () => finish('closed'))
  if (!isStream) readText(response).then(refusal.resolve, () => refusal.resolve(''))
  else {
    response.on('data', (chunk: Buffer) => {
      if (end !== undefined) return
      const part = chunk.subarray(0, cutAfter - bytes)
      bytes += part.length
      for (const frame of parse(part)) {
        frames.push(frame)
        if (frame.event === 'complete') finish('complete')
      }
      wake.resolve()
      if (bytes >= cutAfter) cut()
    })
  }

  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    frames,
    ended: ended.promise,
    refusal: refusal.promise,
    get bytes() {
      return bytes
    },
    async next(deadlineMs = 20_000) {
      const due = performance.now() + deadlineMs
      for (;;) {
        const frame = frames[taken]
        if (frame !== undefined) taken += 1
        else if (end !== undefined) return undefined
        else {
          wake = Promise.withResolvers()
          await within(wake.promise, 'a frame', due - performance.now())
        }
        if (frame?.event === 'next') return frame
      }
    },
    cut,
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    [Symbol.dispose]: cut,
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}
