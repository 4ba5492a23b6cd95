import { responseError, toChatError } from './chat-error.ts'
import { createEventReader } from './event-reader.ts'
import type { DataResult, Request, Result, StreamSink } from './transport.ts'

/** The headers of a request whose response is to be of this type. */
export const jsonHeaders = (accept = 'application/json') => ({
  accept,
  'content-type': 'application/json',
})
export const streamType = 'text/event-stream'

/** A browser sends a form without asking only if it has no header of its own. */
export const uploadHeaders = {
  accept: 'application/json',
  'graphql-require-preflight': '1',
} as const

/** The form fields that stand before the file, which is the field `0`. */
export const uploadFields = ({ operation }: Request) => ({
  operations: JSON.stringify(operation),
  map: '{"0":["variables.input.file"]}',
})

/** @throws a ChatError for a response without data. */
export function readResult<Data>(
  status: number,
  body: string,
  retryAfter?: string | null,
): DataResult<Data> {
  const result = parseResult<Data>(body)
  if (hasData(result)) return result
  // A proxy in between answers in its own words.
  if (!result.errors && status >= 500) throw toChatError()
  throw responseError(result.errors, retryAfter ? Number(retryAfter) * 1_000 : null)
}

/** Reads an event stream of the gateway from pieces of text. */
export const readStream = <Data>(sink: StreamSink<Data>) =>
  createEventReader({
    event({ type, data, id }) {
      if (type === 'next') takeResult(sink, parseResult<Data>(data), id)
      if (type === 'complete') sink.complete()
    },
    retry: (ms) => sink.retry(ms),
  })

/** Hands a result to the reader of a stream, which ends with one that has no data. */
export function takeResult<Data>(
  sink: StreamSink<Data>,
  result: Result<Data>,
  cursor: string | undefined,
): void {
  if (hasData(result)) sink.next(result, cursor)
  else sink.end(responseError(result.errors))
}

function hasData<Data>(result: Result<Data>): result is DataResult<Data> {
  return Boolean(result.data)
}

function parseResult<Data>(text: string): Result<Data> {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}
