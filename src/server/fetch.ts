import { streamToBody } from './fetch-sink.ts'
import { bodyCutShort, bodyTooLarge } from './http.ts'
import type { Answer, Incoming } from './http.ts'
import type { SinkLimits } from './node-sink.ts'

export function fromFetchRequest(request: Request): Incoming {
  return {
    method: request.method,
    url: new URL(request.url),
    headers: request.headers,
    readBody: (maxBytes) => readBody(request, maxBytes),
    readStream: () => readStream(request),
  }
}

export function toFetchResponse(answer: Answer, limits: SinkLimits): Response {
  const { status, headers } = answer
  if (answer.stream) return new Response(streamToBody(answer.stream, limits), { status, headers })
  return new Response(answer.body === undefined ? null : Buffer.from(answer.body), {
    status,
    headers,
  })
}

async function readBody({ body }: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.byteLength
    if (length > maxBytes) throw bodyTooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

async function* readStream({ body }: Request): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body ?? []
  } catch (error) {
    throw bodyCutShort(error)
  }
}
