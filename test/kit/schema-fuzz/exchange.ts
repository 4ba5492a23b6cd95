import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createFrameParser } from '../clients/sse-frames.ts'

/** One HTTP request, in any form. */
export interface FuzzRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined
  /** Of a stream: it is left after so many events, or when it has been silent for a while. */
  readonly events?: number
}

export interface FuzzAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Of a stream: the data of its events, one by line. */
  readonly body: string
  readonly isStream: boolean
}

/** The way to the gateway, on sockets of its own. */
export interface Exchange extends Disposable {
  /** Undefined: the connection was closed without an answer. */
  send(request: FuzzRequest): Promise<FuzzAnswer | undefined>
}

const patienceMs = 20_000
/** A stream that says nothing for so long is left. */
const silenceMs = 40

export function createExchange(url: string): Exchange {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  return {
    async send({ method, path, headers, body, events = 0 }) {
      const call = request(new URL(path, url), { method, headers, agent })
      call.on('error', () => undefined)
      call.setTimeout(patienceMs, () => call.destroy(new Error('no answer')))
      call.end(body)
      const response = await answerOf(call)
      if (!response) return undefined
      const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false
      const { statusCode: status = 0 } = response
      const text = isStream ? await readEvents(response, events) : await readBody(response)
      return { status, headers: response.headers, body: text, isStream }
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

async function answerOf(call: ClientRequest): Promise<IncomingMessage | undefined> {
  try {
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    if (error instanceof Error && error.message === 'no answer') throw error
    return undefined
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(Buffer.from(chunk))
  } catch {
    // What came is looked at all the same.
  }
  return Buffer.concat(chunks).toString()
}

async function readEvents(response: IncomingMessage, count: number): Promise<string> {
  const parse = createFrameParser()
  const lines: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  let silence = setTimeout(resolve, silenceMs)
  response.on('data', (chunk: Buffer) => {
    clearTimeout(silence)
    silence = setTimeout(resolve, silenceMs)
    for (const { event, data } of parse(chunk)) {
      if (event === 'next' && data !== undefined) lines.push(data)
      if (event === 'complete') resolve()
    }
    if (lines.length > count) resolve()
  })
  response.on('close', resolve).on('error', () => undefined)
  await promise
  clearTimeout(silence)
  response.destroy()
  return lines.join('\n')
}
