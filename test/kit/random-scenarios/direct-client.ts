import { onAbort } from '../../../src/lib/on-abort.ts'
import {
  acceptStream,
  type Answer,
  type Client,
  type Operation,
  type StreamRequest,
} from '../clients/client.ts'
import { createStream, type Stream } from '../clients/stream.ts'
import type { Life, Lives } from './lives.ts'

/** Looks at everything that the holder of a credential is told. */
export type Look = (text: string) => void

export interface DirectClientOptions {
  readonly lives: Lives
  /** The headers of who holds a credential. */
  readonly headersOf: (token: string) => Readonly<Record<string, string>>
  /** Who will look, from this moment on. */
  readonly lookerOf: (token: string) => Look
}

const url = 'http://gateway.test'

/** A client without sockets: it hands its requests to the gateway that lives. Fails with `DiedError` when that one dies. */
export function createDirectClient({ lives, headersOf, lookerOf }: DirectClientOptions): Client {
  function requestOf(method: 'GET' | 'POST', operation: Operation, more: Record<string, string>) {
    const { token, query, variables } = operation
    const headers = { ...(token !== undefined && headersOf(token)), ...operation.headers, ...more }
    const target = new URL('/graphql', url)
    if (method === 'GET') {
      target.searchParams.set('query', query)
      if (variables) target.searchParams.set('variables', JSON.stringify(variables))
      return new Request(target, { headers })
    }
    return new Request(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, ...(variables && { variables }) }),
    })
  }

  async function answer(request: Request, look: Look): Promise<Answer> {
    const life = await lives.current()
    const response = await lasting(life, life.gateway.fetch(request))
    const body = await lasting(life, response.text())
    look(body)
    return { status: response.status, headers: Object.fromEntries(response.headers), body }
  }

  async function stream(wanted: StreamRequest): Promise<Stream> {
    const { method = 'POST', lastEventId, cutAfter = Infinity, token = '' } = wanted
    const look = lookerOf(token)
    const request = requestOf(method, wanted, {
      accept: acceptStream,
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    })
    const life = await lives.current()
    return openStream(life, await lasting(life, life.gateway.fetch(request)), cutAfter, look)
  }

  return {
    url,
    call: (operation) =>
      answer(
        requestOf('POST', operation, { accept: 'application/json' }),
        lookerOf(operation.token ?? ''),
      ),
    upload({ token = '', query, variables, headers }, { name, mediaType, text }) {
      const body = new FormData()
      body.append(
        'operations',
        JSON.stringify({
          query,
          variables: { ...variables, input: { ...Object(variables?.['input']), file: null } },
        }),
      )
      body.append('map', '{"0":["variables.input.file"]}')
      body.append('0', new Blob([text], { type: mediaType }), name)
      const more = { accept: 'application/json', 'graphql-require-preflight': '1' }
      const request = new Request(new URL('/graphql', url), {
        method: 'POST',
        headers: { ...headersOf(token), ...headers, ...more },
        body,
      })
      return answer(request, lookerOf(token))
    },
    stream,
    [Symbol.dispose]: () => undefined,
  }
}

async function openStream(
  life: Life,
  response: Response,
  cutAfter: number,
  look: Look,
): Promise<Stream> {
  const { status } = response
  const stopped = new AbortController()
  const inlet = createStream({
    status,
    headers: Object.fromEntries(response.headers),
    cutAfter,
    stop: () => stopped.abort(),
    pause: () => undefined,
    resume: () => undefined,
  })
  if (!inlet.isEvents) {
    const body = await lasting(life, response.text())
    look(body)
    inlet.refuse(body)
    inlet.close()
  } else if (response.body) {
    void pour(response.body, AbortSignal.any([life.ended, stopped.signal]))
  }
  return inlet.stream

  async function pour(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
    const reader = body.getReader()
    using _ = onAbort(signal, () => void reader.cancel().catch(() => undefined))
    let looked = 0
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }))
      if (done || value === undefined || signal.aborted) break
      inlet.take(value)
      const { frames } = inlet.stream
      for (; looked < frames.length; looked += 1) look(frames[looked]?.data ?? '')
    }
    inlet.close()
  }
}

async function lasting<T>(life: Life, promise: Promise<T>): Promise<T> {
  life.ended.throwIfAborted()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  using _ = onAbort(life.ended, () => reject(life.ended.reason))
  return await Promise.race([promise, ended])
}
