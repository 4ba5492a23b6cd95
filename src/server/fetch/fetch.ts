import { streamToBody } from './fetch-sink.ts'
import { bodyCutShort, bodyTaken, bodyTooLarge } from '../http.ts'
import type { HttpResponse, HttpRequest } from '../http.ts'
import type { SinkLimits } from '../node/node-sink.ts'
import { findHostedRoute } from '../routes.ts'

export function fromFetchRequest(request: Request): HttpRequest {
  const url = new URL(request.url)
  return {
    method: request.method,
    url,
    route: findHostedRoute(url.pathname),
    headers: request.headers,
    isBodyParsed: false,
    readBody: (maxBytes) => readBody(request, maxBytes),
    readStream: () => readStream(request),
  }
}

/** `signal`: the request's signal, which aborts when nobody waits for the response any more. */
export function toFetchResponse(
  answer: HttpResponse,
  signal: AbortSignal,
  limits: SinkLimits,
): Response {
  const { status, headers } = answer
  if (answer.stream) {
    const hasLength = 'content-length' in headers
    const body = streamToBody(answer.stream, { signal, hasLength }, limits)
    return new Response(body, { status, headers })
  }
  // The host does not tell when the response has been sent.
  answer.held?.[Symbol.dispose]()
  return new Response(answer.body === undefined ? null : Buffer.from(answer.body), {
    status,
    headers,
  })
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of readStream(request)) {
    length += chunk.byteLength
    if (length > maxBytes) throw bodyTooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

async function* readStream({
  body,
  bodyUsed,
  signal,
}: Request): AsyncGenerator<Uint8Array, void, undefined> {
  if (bodyUsed || body?.locked) throw bodyTaken()
  try {
    // The body of an aborted request gets neither more data nor an end.
    yield* body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal }) ?? []
  } catch (error) {
    throw bodyCutShort(error)
  }
}
