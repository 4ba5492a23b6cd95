import type { ExecutionResult, GraphQLError } from 'graphql'
import type { GatewayError } from '../../errors.ts'
import { gatewayErrorOf } from '../../graphql/execution/errors.ts'
import { mediaTypes } from '../accept.ts'
import type { MediaType } from '../accept.ts'
import { createResultStream, createTextStream } from '../streams/response-stream.ts'
import { jsonResponse } from '../http.ts'
import type { HttpResponse } from '../http.ts'
import type { JsonText } from '../../lib/json-text.ts'
import { framingOf } from '../streams/framing.ts'

/** Bad input is not answered with more than it is worth. */
const maxErrors = 20
/** UTF-16 code units. */
const maxMessageLength = 1_000

/**
 * A result over HTTP. What was executed is 200. What was refused before (credentials, limits, cursors) has its status in
 * every media type, except where the client is known to read its code on the stream only; a request error of GraphQL
 * itself is 400 only where clients expect it, and is sent on the stream of a POST.
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
  // A browser's EventSource stops on a status, and would ask again after every stream.
  if (framing && (isExecuted || method === 'POST')) {
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
 * A long result as a text that is sent at the pace of its reader. `done`: nothing of it waits any more.
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
 * Whether the client reads nothing but streams: graphql-sse, by which Apollo, Relay and urql subscribe, takes every status
 * but 200 for a broken connection, and repeats the request. A browser's `EventSource`, which asks by GET, stops on a
 * status, and would repeat a stream.
 */
function readsOnlyStreams(method: string, accepted: readonly MediaType[]): boolean {
  return method === 'POST' && accepted.every((type) => type === mediaTypes.events)
}

/** Codes that no repetition of the request mends: BAD_REQUEST, BAD_USER_INPUT, NOT_FOUND, SUBSCRIPTION_CURSOR_EXPIRED. */
const streamedStatuses: ReadonlySet<number> = new Set([400, 404, 410])

/** An error of ours before any GraphQL. */
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

/** What Yoga notes on the errors of its own checks; `spec`: the status that GraphQL over HTTP leaves open. */
interface YogaHttp {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly spec?: boolean
}

function httpOf(error: GraphQLError): YogaHttp | undefined {
  const http: YogaHttp | undefined = Object(error.extensions['http'])
  return error.extensions['http'] === undefined ? undefined : http
}

/** A result as its client sees it. */
export function shownResult(result: ExecutionResult): object {
  if (!result.errors) return { data: result.data }
  const errors = result.errors.slice(0, maxErrors).map(showError)
  return 'data' in result ? { errors, data: result.data } : { errors }
}

/** GraphQL's messages quote what they refuse, however long; errors of Yoga's own checks have codes of their own, or none. */
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
