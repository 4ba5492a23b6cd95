import { type ChatError, clientError, toChatError } from './chat-error.ts'
import {
  jsonHeaders,
  readResult,
  readStream,
  streamType,
  uploadFields,
  uploadHeaders,
} from './responses.ts'
import type { DataResult, Request, Transport } from './transport.ts'
import { createUtf8Decoder } from './utf8-decoder.ts'

/** The part of `wx`, `uni` or `Taro` that is used. */
export interface MiniProgram {
  request(options: MiniProgramRequest): unknown
  uploadFile(options: MiniProgramUpload): unknown
  onAppShow?(listener: () => void): void
  offAppShow?(listener: () => void): void
  onNetworkStatusChange?(listener: (status: { readonly isConnected: boolean }) => void): void
  offNetworkStatusChange?(listener: (status: { readonly isConnected: boolean }) => void): void
}

interface Callbacks {
  readonly success: (response: MiniProgramResponse) => void
  readonly fail: (failure: { readonly errMsg?: string }) => void
}

export interface MiniProgramRequest extends Callbacks {
  readonly url: string
  readonly method: 'POST'
  readonly header: Readonly<Record<string, string>>
  readonly data: string
  readonly enableChunked?: boolean
  readonly responseType?: 'arraybuffer' | 'text'
}

export interface MiniProgramUpload extends Callbacks {
  readonly url: string
  readonly header: Readonly<Record<string, string>>
  readonly filePath: string
  readonly name: string
  readonly formData: Readonly<Record<string, string>>
}

export interface MiniProgramResponse {
  readonly statusCode: number
  /** A parsed object, a text, or bytes. */
  readonly data?: unknown
  readonly header?: object
}

/** What the calls return. Taro returns a promise that has the methods. */
interface Task {
  abort?(): void
  onChunkReceived?(listener: (chunk: { readonly data: unknown }) => void): void
  onProgressUpdate?(
    listener: (progress: {
      readonly totalBytesSent: number
      readonly totalBytesExpectedToSend: number
    }) => void,
  ): void
  catch?(ignore: () => void): void
}

/**
 * Requests and streams of mini-programs (小程序), which have neither `fetch` nor `EventSource`. A stream lasts as long as the
 * platform's limit of a request, 60 seconds by default; the client then goes on after the last cursor.
 * @param platform `wx`, `uni` or `Taro`
 */
export function miniProgramTransport(platform: MiniProgram): Transport {
  const start = (run: (callbacks: Callbacks) => unknown, callbacks: Callbacks): Task => {
    const task: Task = Object(run(callbacks))
    // The callbacks have its failure already.
    task.catch?.(() => undefined)
    return task
  }
  const ask = <Data>(run: (callbacks: Callbacks) => unknown, started?: (task: Task) => void) =>
    new Promise<DataResult<Data>>((resolve, reject) => {
      const task = start(run, {
        success: (response) => {
          try {
            resolve(resultOf(response, textOf(response.data)))
          } catch (error) {
            reject(error)
          }
        },
        fail: (failure) => reject(clientError('NETWORK', { cause: failure })),
      })
      started?.(task)
    })
  const post = ({ url, headers, operation }: Request, header: object) => ({
    url,
    method: 'POST' as const,
    header: { ...headers, ...header },
    data: JSON.stringify(operation),
  })

  return {
    request: (request) =>
      ask((callbacks) => platform.request({ ...post(request, jsonHeaders()), ...callbacks })),
    subscribe(request, sink) {
      const decode = createUtf8Decoder()
      const take = readStream(sink)
      let isOver = false
      let body = ''
      // A `fail` may come twice, and after an abort.
      const end = (error?: ChatError) => {
        if (isOver) return
        isOver = true
        sink.end(error)
      }
      const receive = (data: unknown) => {
        if (isOver) return
        sink.alive()
        const text = isBytes(data) ? decode(new Uint8Array(data)) : String(data)
        // A refusal is JSON of one piece or a few.
        if (body.length < 10_000) body += text
        take(text)
      }
      const task = start(
        (callbacks) =>
          platform.request({
            ...post(request, jsonHeaders(streamType)),
            enableChunked: true,
            responseType: 'arraybuffer',
            ...callbacks,
          }),
        {
          success(response) {
            if (response.statusCode === 200) return end()
            try {
              resultOf(response, body || textOf(response.data))
              end()
            } catch (error) {
              end(toChatError(error))
            }
          },
          fail: () => end(),
        },
      )
      task.onChunkReceived?.(({ data }) => receive(data))
      return {
        close() {
          isOver = true
          task.abort?.()
        },
      }
    },
    upload: (upload) => {
      const { file, onProgress, url, headers } = upload
      if (typeof file !== 'string') throw new TypeError('"file" must be the path of a file')
      const formData = uploadFields(upload)
      return ask(
        (callbacks) =>
          platform.uploadFile({
            url,
            header: { ...headers, ...uploadHeaders },
            filePath: file,
            name: '0',
            formData,
            ...callbacks,
          }),
        (task) =>
          task.onProgressUpdate?.(({ totalBytesSent, totalBytesExpectedToSend }) =>
            onProgress?.({ sentBytes: totalBytesSent, totalBytes: totalBytesExpectedToSend }),
          ),
      )
    },
    onWake(listener) {
      const shown = () => listener(false)
      const changed = ({ isConnected }: { readonly isConnected: boolean }) => {
        if (isConnected) listener(true)
      }
      platform.onAppShow?.(shown)
      platform.onNetworkStatusChange?.(changed)
      return () => {
        platform.offAppShow?.(shown)
        platform.offNetworkStatusChange?.(changed)
      }
    },
  }
}

/** @throws a ChatError for a response without data. */
function resultOf<Data>(
  { statusCode, header = {} }: MiniProgramResponse,
  body: string,
): DataResult<Data> {
  const [, wait] = Object.entries(header).find(([name]) => /^retry-after$/i.test(name)) ?? []
  return readResult(statusCode, body, wait)
}

/** The platform may have parsed the body already. */
function textOf(data: unknown): string {
  if (typeof data === 'string') return data
  return isBytes(data) ? createUtf8Decoder()(new Uint8Array(data)) : JSON.stringify(data ?? null)
}

/** Bytes are of another realm than the program, so `instanceof` does not know them. */
function isBytes(data: unknown): data is ArrayBuffer | Uint8Array<ArrayBuffer> {
  return typeof data === 'object' && data !== null && 'byteLength' in data
}
