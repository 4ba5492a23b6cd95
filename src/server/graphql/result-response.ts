import type { ExecutionResult, GraphQLError } from 'graphql'
import type { GatewayError } from '../../errors.ts'
import { gatewayErrorOf } from '../../graphql/execution/errors.ts'
import { mediaTypes, webSocketMessages } from '../accept.ts'
import type { MediaType } from '../accept.ts'
import { createResultStream, createTextStream } from '../streams/response-stream.ts'
import { jsonResponse } from '../http.ts'
import type { HttpResponse } from '../http.ts'
import type { JsonText } from '../../lib/json-text.ts'
import { framingOf } from '../streams/framing.ts'

/** Limits the size of the response to bad input. */
const maxErrors = 20
/** UTF-16 code units. */
const maxMessageLength = 1_000

/**
 * A result over HTTP. An executed operation is 200. One that was refused before (credentials, limits, cursors) has its status
 * in every media type, unless its client reads the code from the stream only. A request error of GraphQL itself is 400 only
 * where clients expect that, and is sent on the stream of a POST.
 */
export function resultResponse(
  result: ExecutionResult,
  method: string,
  accepted: readonly MediaType[],
): HttpResponse {
  const type = accepted[0] ?? mediaTypes.json
  const errors = result.errors ?? []
  const isExecuted = 'data' in result
  const refusal = isExecuted ? undefined : refusalOf(errors)
  const isOnStream = readsOnlyStreams(method, accepted)
  if (refusal && !(isOnStream && streamedStatuses.has(refusal.status))) {
    return jsonResponse(refusal.status, shownResult(result), refusal.headers)
  }
  const framing = framingOf(type)
  // A browser's EventSource stops on an error status, but would reconnect after every stream. A WebSocket has an error message.
  if (framing && (isExecuted || (method === 'POST' && type !== webSocketMessages))) {
    const { headers } = framing
    const stream = createResultStream(framing, JSON.stringify(shownResult(result)))
    return { status: 200, headers, stream }
  }
  const status = isExecuted || type === mediaTypes.json ? 200 : 400
  const shownType = framing ? mediaTypes.json : type
  return jsonResponse(status, shownResult(result), {
    'content-type': `${shownType}; charset=utf-8`,
  })
}

/**
 * A long result as a text that is sent at the pace of its reader. `done`: called when all of it has left.
 */
export function textResponse(
  { pieces, bytes }: JsonText,
  accepted: readonly MediaType[],
  done: () => void,
): HttpResponse {
  const type = accepted[0] ?? mediaTypes.json
  const framing = framingOf(type)
  if (framing) {
    const [before, after] = framing.result
    const stream = createTextStream([before, ...pieces, after], done)
    return { status: 200, headers: framing.headers, stream }
  }
  const headers = { 'content-type': `${type}; charset=utf-8`, 'content-length': String(bytes) }
  return { status: 200, headers, stream: createTextStream(pieces, done) }
}

/**
 * Whether the client reads the outcome from a stream only. graphql-sse, which Apollo, Relay and urql use, takes every status
 * but 200 for a broken connection, and repeats the request. A browser's `EventSource` uses GET: it stops on an error status,
 * and would repeat a stream.
 */
function readsOnlyStreams(method: string, accepted: readonly MediaType[]): boolean {
  return method === 'POST' && accepted.every((type) => type === mediaTypes.events)
}

/**
 * Codes that stay the same when the request is repeated: BAD_REQUEST, BAD_USER_INPUT, NOT_FOUND,
 * SUBSCRIPTION_CURSOR_EXPIRED.
 */
const streamedStatuses: ReadonlySet<number> = new Set([400, 404, 410])

/** One of our errors, before GraphQL is reached. */
export function errorResponse(error: GatewayError, shownError: GraphQLError): HttpResponse {
  return jsonResponse(error.status, shownResult({ errors: [shownError] }), headersOf(error))
}

interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

function refusalOf(errors: readonly GraphQLError[]): Refusal | undefined {
  for (const error of errors) {
    const ours = gatewayErrorOf(error)
    if (ours) return { status: ours.status, headers: headersOf(ours) }
    if (error.extensions['code'] === 'INTERNAL_SERVER_ERROR') return { status: 500, headers: {} }
    const http = httpOf(error)
    if (http?.status && !http.spec) return { status: http.status, headers: http.headers ?? {} }
  }
  return undefined
}

function headersOf(error: GatewayError): Record<string, string> {
  if (!('retryAfterMs' in error) || typeof error.retryAfterMs !== 'number') return {}
  return { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) }
}

/** Yoga's note on the errors of its own checks. `spec`: GraphQL over HTTP leaves the status open. */
interface YogaHttp {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly spec?: boolean
}

function httpOf(error: GraphQLError): YogaHttp | undefined {
  const http: YogaHttp | undefined = Object(error.extensions['http'])
  return error.extensions['http'] === undefined ? undefined : http
}

/** A result as the client sees it. */
export function shownResult(result: ExecutionResult): object {
  if (!result.errors) return { data: result.data }
  const errors = result.errors.slice(0, maxErrors).map(showError)
  return 'data' in result ? { errors, data: result.data } : { errors }
}

/** GraphQL's messages quote the refused text, however long it is. Errors of Yoga's own checks have other codes, or none. */
function showError(error: GraphQLError): object {
  const { message, extensions, ...rest } = error.toJSON()
  const { http, code, ...more } = extensions ?? {}
  const isOurs =
    http === undefined || code === 'GRAPHQL_PARSE_FAILED' || code === 'GRAPHQL_VALIDATION_FAILED'
  return {
    message: message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message,
    ...rest,
    extensions: { code: isOurs ? code : 'BAD_REQUEST', ...more },
  }
}
