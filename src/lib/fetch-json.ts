import { get as getHttp, type IncomingMessage } from 'node:http'
import { Agent, get as getHttps } from 'node:https'
import { TLSSocket } from 'node:tls'
import type { Secret } from './secret.ts'
import { findSystemCode, isTlsCode } from './system-code.ts'

export interface FetchJsonOptions {
  /** For the whole answer. */
  readonly timeoutMs: number
  /** A longer body is refused before it is read to its end. */
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** A document could not be had. The message quotes nothing that the server said. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  /** `refused`: another status than 200. `protocol`: no HTTP, or no JSON. */
  readonly kind: 'unavailable' | 'tls' | 'timeout' | 'refused' | 'protocol' | 'too-large'
  /** `ENOTFOUND`, `ECONNREFUSED`, `CONNECT_TIMEOUT`, `ANSWER_TIMEOUT`, `CERT_HAS_EXPIRED`, … */
  readonly systemCode: string | undefined
  readonly httpStatus: number | undefined
  constructor(
    kind: FetchError['kind'],
    message: string,
    details: { readonly systemCode?: string | undefined; readonly httpStatus?: number | undefined },
  ) {
    super(message)
    this.kind = kind
    this.systemCode = details.systemCode
    this.httpStatus = details.httpStatus
  }
}

/**
 * Gets a JSON document. Anything but a 200 answer is an error, redirects too: nobody may send us elsewhere.
 *
 * @throws {FetchError}, or the signal's reason
 */
export type FetchJson = (url: string, options: FetchJsonOptions) => Promise<unknown>

/**
 * {@link FetchJson} over node:http and node:https, without a connection that outlives the call. https goes through the proxy,
 * unless its list of exceptions names the host.
 */
export function createFetchJson(proxy?: {
  readonly url: Secret
  readonly noProxy: string
}): FetchJson {
  const proxyEnv = proxy && { HTTPS_PROXY: proxy.url.reveal(), NO_PROXY: proxy.noProxy }
  const agent = proxyEnv === undefined ? false : new Agent({ proxyEnv })
  return (url, options) => fetchFrom(url, agent, options)
}

async function fetchFrom(
  url: string,
  tunnel: Agent | false,
  { timeoutMs, maxBytes, signal }: FetchJsonOptions,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const ended = AbortSignal.any([signal, timeout])
  ended.throwIfAborted()
  const isHttps = url.startsWith('https:')
  const get = isHttps ? getHttps : getHttp
  const { promise: responded, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { accept: 'application/json', 'accept-encoding': 'identity' }
  // Until the proxy has made a tunnel, only the time ends the request.
  const options = { agent: isHttps && tunnel, timeout: timeoutMs, signal: ended, headers }
  const request = get(url, options)
  let isConnected = false
  request.once('socket', (socket) => {
    const event = socket instanceof TLSSocket ? 'secureConnect' : 'connect'
    socket.once(event, () => (isConnected = true))
  })
  try {
    request.once('response', resolve).on('error', reject)
    const response = await responded
    const { statusCode } = response
    if (statusCode !== 200) {
      throw new FetchError('refused', `HTTP status ${statusCode}`, { httpStatus: statusCode })
    }
    return parse(await readText(response, maxBytes))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof FetchError) throw error
    if (!timeout.aborted) throw connectionError(error)
    throw isConnected
      ? new FetchError('timeout', 'no answer in time', { systemCode: 'ANSWER_TIMEOUT' })
      : new FetchError('unavailable', 'no connection in time', { systemCode: 'CONNECT_TIMEOUT' })
  } finally {
    request.destroy()
  }
}

function connectionError(error: unknown): FetchError {
  const systemCode = findSystemCode(error)
  if (systemCode?.startsWith('HPE_')) {
    return new FetchError('protocol', 'the answer is not HTTP', { systemCode })
  }
  return isTlsCode(systemCode)
    ? new FetchError('tls', 'the connection cannot be secured', { systemCode })
    : new FetchError('unavailable', 'the server cannot be reached', { systemCode })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes what it read.
    throw new FetchError('protocol', 'the body is not JSON', {})
  }
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      throw new FetchError('too-large', `the body is larger than ${maxBytes} bytes`, {})
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
