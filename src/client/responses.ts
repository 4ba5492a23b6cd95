import { networkError, responseError } from './chat-error.ts'
import { createEventReader } from './event-reader.ts'
import type { Request, Result, StreamSink } from './transport.ts'

export const streamHeaders = {
  accept: 'text/event-stream',
  'content-type': 'application/json',
} as const
export const requestHeaders = {
  accept: 'application/json',
  'content-type': 'application/json',
} as const

/** A browser sends a form without asking only if it has no header of its own. */
export const uploadHeaders = {
  accept: 'application/json',
  'graphql-require-preflight': '1',
} as const

/** The form fields that stand before the file, which is the field `0`. */
export function uploadFields({ operation }: Request): readonly (readonly [string, string])[] {
  return [
    ['operations', JSON.stringify(operation)],
    ['map', '{"0":["variables.input.file"]}'],
  ]
}

/** @throws a ChatError for a response without data. */
export function readResult<Data>(
  status: number,
  body: string,
  retryAfter?: string | null,
): Result<Data> {
  const result = parseResult<Data>(body)
  if (result?.data) return result
  // A proxy in between answers in its own words.
  if (!result?.errors && status >= 500) throw networkError()
  throw responseError(result?.errors, retryAfter ? Number(retryAfter) * 1_000 : undefined)
}

/** Reads an event stream of the gateway from pieces of text. */
export function readStream<Data>(sink: StreamSink<Data>): (text: string) => void {
  return createEventReader({
    event({ type, data, id }) {
      if (type === 'next') sink.next(parseResult<Data>(data) ?? {}, id)
      else if (type === 'complete') sink.complete()
    },
    retry: (ms) => sink.retry(ms),
  })
}

function parseResult<Data>(text: string): Result<Data> | undefined {
  try {
    const result: Result<Data> | null = JSON.parse(text)
    return result ?? undefined
  } catch {
    return undefined
  }
}
