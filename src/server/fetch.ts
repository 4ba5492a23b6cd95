import { streamToBody } from './fetch-sink.ts'
import type { Answer, Incoming } from './http.ts'
import type { SinkLimits } from './node-sink.ts'

export function fromFetchRequest(request: Request): Incoming {
  return {
    method: request.method,
    url: new URL(request.url),
    headers: request.headers,
    body: request.body ?? noBody(),
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

async function* noBody(): AsyncGenerator<Uint8Array, void, undefined> {}
