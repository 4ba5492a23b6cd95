import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** A GraphQL client of a gateway, for one caller. */
export interface GraphClient {
  /** The result of a query or mutation. */
  ask(query: string, variables: object, signal: AbortSignal): Promise<unknown>
  /** The results of a subscription, until it is complete. */
  subscribe(query: string, variables: object, signal: AbortSignal): AsyncIterable<unknown>
}

/** The used part of `Response`. */
export interface GraphResponse {
  readonly body: AsyncIterable<Uint8Array> | null
  text(): Promise<string>
}

/** Sends a POST to the gateway. */
export type SendGraph = (request: {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}) => Promise<GraphResponse>

export function createGraphClient(send: SendGraph, token: string): GraphClient {
  function post(accept: string, query: string, variables: object, signal: AbortSignal) {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept,
    }
    return send({ headers, body: JSON.stringify({ query, variables }), signal })
  }
  return {
    async ask(query, variables, signal) {
      const response = await post('application/json', query, variables, signal)
      return JSON.parse(await response.text())
    },
    async *subscribe(query, variables, signal) {
      const { body } = await post('text/event-stream', query, variables, signal)
      for await (const { event, data } of readEvents(body)) {
        if (event === 'complete') return
        if (event === 'next') yield JSON.parse(data)
      }
    },
  }
}

async function* readEvents(
  body: AsyncIterable<Uint8Array> | null,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  if (body === null) return
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => void events.push(event) })
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* events.splice(0)
  }
}
