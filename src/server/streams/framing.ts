import type { Cursor } from '../../domain.ts'
import { mediaTypes, webSocketMessages } from '../accept.ts'
import type { MediaType } from '../accept.ts'

/** The format of a stream of results. Payloads are JSON such as `{"data":…}`, without a line break. */
export interface Framing {
  readonly headers: Readonly<Record<string, string>>
  /** Sent at once, since some clients wait for the body before they read the head. */
  readonly opening: string
  /** Sent while nothing else is sent, to keep the connection open. */
  readonly keepAlive: string
  /** A result with the cursor to resume after. */
  next(payload: string, cursor: Cursor): string
  /** A result after which nothing can be resumed. */
  placeless(payload: string): string
  /** The operation has ended. */
  readonly complete: string
  /** The operation has ended with errors, a list of them in JSON. */
  failed(errors: string): string
  /** How long the client should wait before it connects again. Empty if the protocol cannot say it. */
  retry(ms: number): string
  /** The text before and after the payload of a response with one result. */
  readonly result: readonly [before: string, after: string]
}

const unbuffered = {
  'cache-control': 'private, no-store, no-transform',
  'x-accel-buffering': 'no',
} as const

/** `data:` must be there, or browsers drop the event. */
const sseComplete = 'event: complete\ndata:\n\n'
const sseNext = 'event: next\ndata: '

/**
 * GraphQL over server-sent events, distinct-connections mode. Beyond it: the cursor as `id:`, and `retry:`.
 * @see https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
 */
export const serverSentEvents: Framing = {
  headers: { 'content-type': 'text/event-stream; charset=utf-8', ...unbuffered },
  opening: ':\n\n',
  keepAlive: ':\n\n',
  // The data comes before the id: a client that reads line by line and is cut between the two then gets the event again
  // instead of never.
  next: (payload, cursor) => `${sseNext}${payload}\nid: ${cursor}\n\n`,
  placeless: (payload) => `${sseNext}${payload}\n\n`,
  complete: sseComplete,
  failed: (errors) => `${sseNext}{"errors":${errors}}\n\n${sseComplete}`,
  retry: (ms) => `retry: ${ms}\n\n`,
  result: [`:\n\n${sseNext}`, `\n\n${sseComplete}`],
}

const delimiter = '\r\n--graphql'
const partHead = '\r\ncontent-type: application/json\r\n\r\n'
const lastPart = '--\r\n'
const heartbeat = `${partHead}{}${delimiter}`

/**
 * Apollo's subscriptions over multipart HTTP. The cursor is in `extensions` of the result. Each part ends with the
 * delimiter of
 * the next one, since clients read a part up to that delimiter.
 * @see https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
 */
export const multipartResults: Framing = {
  headers: {
    'content-type': 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    ...unbuffered,
  },
  opening: `${delimiter}${heartbeat}`,
  keepAlive: heartbeat,
  next: (payload, cursor) =>
    `${partHead}{"payload":${payload.slice(0, -1)},"extensions":{"cursor":"${cursor}"}}}${delimiter}`,
  placeless: (payload) => `${partHead}{"payload":${payload}}${delimiter}`,
  complete: lastPart,
  failed: (errors) => `${partHead}{"payload":null,"errors":${errors}}${delimiter}${lastPart}`,
  retry: () => '',
  result: [`${delimiter}${partHead}{"payload":`, `}${delimiter}${lastPart}`],
}

/**
 * Messages of GraphQL over WebSocket, without the id of their operation; a line break follows each. The connection sends
 * pings of its own. No message tells a client to resume, so the connection is closed instead.
 * @see https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 */
const messages: Framing = {
  headers: {},
  opening: '',
  keepAlive: '',
  next: (payload, cursor) =>
    `{"type":"next","payload":${payload.slice(0, -1)},"extensions":{"cursor":"${cursor}"}}}\n`,
  placeless: (payload) => `{"type":"next","payload":${payload}}\n`,
  complete: '{"type":"complete"}\n',
  failed: (errors) => `{"type":"error","payload":${errors}}\n`,
  retry: () => '',
  result: ['{"type":"next","payload":', '}\n{"type":"complete"}\n'],
}

/** Returns undefined for a type that is not a stream. */
export function framingOf(type: MediaType): Framing | undefined {
  if (type === mediaTypes.events) return serverSentEvents
  if (type === webSocketMessages) return messages
  return type === mediaTypes.multipart ? multipartResults : undefined
}
