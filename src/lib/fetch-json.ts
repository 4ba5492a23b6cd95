import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'

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
  const { promise: responded, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { accept: 'application/json', 'accept-encoding': 'identity' }
  const request = get(url, { agent: false, signal: ended, headers })
  try {
    request.once('response', resolve).on('error', reject)
    const response = await responded
    if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`)
    return JSON.parse(await readText(response, maxBytes))
  } finally {
    request.destroy()
  }
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the body is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
