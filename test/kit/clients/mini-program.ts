import { readFileSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { createContext, runInContext } from 'node:vm'
import type {
  MiniProgramRequest,
  MiniProgramUpload,
} from '../../../src/client/mini-program-transport.ts'
import { bundleClient } from './bundle.ts'
import { basename } from 'node:path'

/** How a platform's `request` differs: what it returns, and whether its failure rejects too. */
export type MiniProgramKind = 'wx' | 'uni' | 'Taro'

export interface MiniProgramOptions {
  readonly kind: MiniProgramKind
  /** A request ends so many ms after it began, whatever arrives. The real limit is 60,000. */
  readonly timeoutMs?: number
}

/** As programs may call it, which need not pass a callback. */
interface RequestOptions extends Partial<MiniProgramRequest> {
  readonly url: string
  readonly complete?: (outcome: object) => void
}

/**
 * A fake of the runtime of a mini-program: a realm without `fetch`, `EventSource`, `TextDecoder`, `URL`, `AbortController`,
 * `crypto` and `performance`. Its `request` has the habits that programs run into: chunks that end within a character and are
 * lost if nobody listens yet, bytes of another realm, a `fail` that comes twice, a limit on the time of a request, a body that is parsed
 * unasked, and no body for `success` of a chunked request.
 */
export async function openMiniProgram({ kind, timeoutMs = 60_000 }: MiniProgramOptions) {
  const requests = new Set<ClientRequest>()
  const shown = new Set<() => void>()
  /** How many streams were open at the same time. */
  let openStreams = 0
  let mostStreams = 0

  function start(options: RequestOptions) {
    const { url, method = 'GET', header, data, enableChunked = false } = options
    const chunkListeners = new Set<(chunk: object) => void>()
    const rejected = Promise.withResolvers<object>()
    let isOver = false
    const request = httpRequest(url, { method, headers: { ...header } })
    requests.add(request)
    if (enableChunked) mostStreams = Math.max(mostStreams, ++openStreams)
    const finish = () => {
      if (!isOver && enableChunked) openStreams -= 1
      isOver = true
      clearTimeout(timer)
      requests.delete(request)
    }
    const fail = (errMsg: string) => {
      if (isOver) return
      finish()
      request.destroy()
      const failure = { errMsg, errno: 5 }
      options.fail?.(failure)
      options.complete?.(failure)
      rejected.reject(failure)
      // Some versions report a failure of the network, and then the end of the request as another.
      setImmediate(() => options.fail?.({ errMsg: 'request:fail' }))
    }
    const timer = setTimeout(() => fail('request:fail timeout'), timeoutMs)
    request.on('error', () => fail('request:fail net::ERR_CONNECTION_RESET'))
    request.on('response', (response: IncomingMessage) => {
      const body: Buffer[] = []
      response.on('data', (bytes: Buffer) => {
        if (!enableChunked) return void body.push(bytes)
        for (let from = 0; from < bytes.length; from += 7) {
          const chunk = bytes.subarray(from, from + 7)
          const buffer = chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.length)
          for (const listener of chunkListeners) listener({ data: buffer })
        }
      })
      response.on('error', () => fail('request:fail net::ERR_INCOMPLETE_CHUNKED_ENCODING'))
      response.on('end', () => {
        if (isOver) return
        finish()
        const outcome = {
          statusCode: response.statusCode ?? 0,
          header: Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
          ),
          data: enableChunked ? '' : parsed(Buffer.concat(body).toString()),
        }
        options.success?.(outcome)
        options.complete?.(outcome)
        rejected.resolve(outcome)
      })
    })
    request.end(data)
    const task = {
      abort: () => fail('request:fail abort'),
      onChunkReceived: (listener: (chunk: object) => void) => void chunkListeners.add(listener),
      offChunkReceived: (listener: (chunk: object) => void) => void chunkListeners.delete(listener),
    }
    if (kind === 'Taro') return Object.assign(rejected.promise, task)
    rejected.promise.catch(() => undefined)
    const hasCallback = options.success ?? options.fail ?? options.complete
    return kind === 'uni' && !hasCallback ? rejected.promise : task
  }

  /** As `wx.uploadFile` sends it: the fields of the form, then the file. */
  function upload({ url, header, filePath, name, formData, success, fail }: MiniProgramUpload) {
    const listeners = new Set<(progress: object) => void>()
    const form = new FormData()
    for (const [field, value] of Object.entries(formData)) form.append(field, value)
    form.append(
      name,
      new Blob([readFileSync(filePath)], { type: 'text/plain' }),
      basename(filePath),
    )
    fetch(url, { method: 'POST', headers: { ...header }, body: form })
      .then(async (response) => {
        const data = await response.text()
        for (const totalBytesSent of [50, 100]) {
          for (const listener of listeners) {
            listener({ progress: totalBytesSent, totalBytesSent, totalBytesExpectedToSend: 100 })
          }
        }
        success({ statusCode: response.status, header: {}, data })
      })
      .catch(() => fail({ errMsg: 'uploadFile:fail' }))
    return {
      abort: () => undefined,
      onProgressUpdate: (listener: (progress: object) => void) => void listeners.add(listener),
    }
  }

  const api = {
    request: start,
    uploadFile: upload,
    onAppShow: (listener: () => void) => void shown.add(listener),
    offAppShow: (listener: () => void) => void shown.delete(listener),
    onNetworkStatusChange: () => undefined,
    offNetworkStatusChange: () => undefined,
  }
  const realm = createContext({ setTimeout, clearTimeout, console, [kind]: api })
  runInContext(await bundleClient(), realm)
  return {
    api,
    /** Evaluates an expression in the realm, where the package is `client`. */
    evaluate: (expression: string): unknown => runInContext(expression, realm),
    get mostStreams() {
      return mostStreams
    },
    [Symbol.dispose]() {
      for (const request of requests) request.destroy()
    },
  }
}

/** As the platforms do unless they are asked for another `dataType`. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
