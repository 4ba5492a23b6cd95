import { get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'
import { json } from 'node:stream/consumers'
import { Transform } from 'node:stream'

export interface FetchJsonOptions {
  /** For the whole answer. */
  readonly timeoutMs: number
  /** A longer body is refused before it is read to its end. */
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** Gets a JSON document. Anything but a 200 answer is an error, redirects too: nobody may send us elsewhere. */
export type FetchJson = (url: string, options: FetchJsonOptions) => Promise<unknown>

/** {@link FetchJson} over node:http and node:https, without a connection that outlives the call. */
export const fetchJson: FetchJson = async (url, { timeoutMs, maxBytes, signal }) => {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  ended.throwIfAborted()
  const get = url.startsWith('https:') ? getHttps : getHttp
  const request = get(url, {
    agent: false,
    signal: ended,
    headers: { accept: 'application/json', 'accept-encoding': 'identity' },
  })
  try {
    const {
      promise: responded,
      resolve,
      reject,
    } = Promise.withResolvers<NodeJS.ReadableStream & { statusCode?: number | undefined }>()
    request.once('response', resolve).on('error', reject)
    const response = await responded
    if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`)
    return await json(response.pipe(limit(maxBytes)))
  } finally {
    request.destroy()
  }
}

function limit(maxBytes: number): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > maxBytes) done(new Error(`the body is larger than ${maxBytes} bytes`))
      else done(null, chunk)
    },
  })
}
