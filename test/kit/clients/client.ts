import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { createStream, type Stream } from './stream.ts'
import { within } from '../process/until.ts'

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

/** A stream, or a refusal with its status: a POST that takes streams alone gets refusals on the stream. */
export const acceptStream = 'text/event-stream, application/json;q=0.5'

/** Black-box client of a gateway at `url`, with sockets of its own. */
export interface Client extends Disposable {
  readonly url: string
  call(operation: Operation): Promise<Answer>
  /** The same with a file as `file` of the variable `input`. */
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
      form.append(
        'operations',
        JSON.stringify({
          query,
          variables: { ...variables, input: { ...Object(variables?.['input']), file: null } },
        }),
      )
      form.append('map', '{"0":["variables.input.file"]}')
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
        accept: acceptStream,
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      })
      return openStream(response, cutAfter)
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

function openStream(response: IncomingMessage, cutAfter: number): Stream {
  const { statusCode: status = 0, headers } = response
  const inlet = createStream({
    status,
    headers,
    cutAfter,
    stop: () => void response.destroy(),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
  })
  response.on('error', () => inlet.close())
  response.on('close', () => inlet.close())
  if (inlet.isEvents) response.on('data', (chunk: Buffer) => inlet.take(chunk))
  else
    readText(response).then(
      (body) => inlet.refuse(body),
      () => inlet.refuse(''),
    )
  return inlet.stream
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}
