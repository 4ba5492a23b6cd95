import { ChatError, networkError } from './chat-error.ts'
import { onPageWake } from './platform.ts'
import {
  readResult,
  readStream,
  requestHeaders,
  streamHeaders,
  uploadFields,
  uploadHeaders,
} from './responses.ts'
import type { Request, Result, Transport, Upload } from './transport.ts'

export interface FetchTransportOptions {
  readonly fetch?: typeof globalThis.fetch
  /** `include` sends the cookie to another origin. Default: as `fetch` does. */
  readonly credentials?: 'include' | 'omit' | 'same-origin'
}

/** Requests by `fetch`, and streams as server-sent events, in browsers and Node. */
export function fetchTransport({ fetch, credentials }: FetchTransportOptions = {}): Transport {
  const send = async (request: Request, headers: object, init: object = {}) =>
    await (fetch ?? globalThis.fetch)(request.url, {
      method: 'POST',
      body: JSON.stringify(request.operation),
      ...(credentials && { credentials }),
      ...init,
      headers: { ...request.headers, ...headers },
    })

  return {
    onWake: onPageWake,
    request: (request) => failing(async () => await read(await send(request, requestHeaders))),
    subscribe(request, sink) {
      const abort = new AbortController()
      const { signal } = abort
      const reading = failing(async () => {
        const response = await send(request, streamHeaders, { signal })
        if (response.status !== 200 || !response.body) return void (await read(response))
        const decoder = new TextDecoder()
        const take = readStream(sink)
        const reader = response.body.getReader()
        for (;;) {
          const { done, value } = await reader.read()
          if (done || signal.aborted) return
          sink.alive()
          take(decoder.decode(value, { stream: true }))
        }
      })
      reading.then(
        () => signal.aborted || sink.end(),
        (error: unknown) =>
          signal.aborted || sink.end(error instanceof ChatError ? error : undefined),
      )
      return { close: () => abort.abort() }
    },
    upload: (upload) => {
      const form = new FormData()
      // The gateway reads the fields first, and then streams the file.
      for (const [name, value] of uploadFields(upload)) form.append(name, value)
      if (!(upload.file instanceof Blob)) throw new TypeError('"file" must be a File or a Blob')
      form.append('0', upload.file)
      const { XMLHttpRequest } = browser
      return failing(async () =>
        upload.onProgress && XMLHttpRequest
          ? await uploadWithProgress(new XMLHttpRequest(), upload, form, credentials)
          : await read(await send(upload, uploadHeaders, { body: form })),
      )
    },
  }
}

async function read<Data>(response: Response): Promise<Result<Data>> {
  return readResult(response.status, await response.text(), response.headers.get('retry-after'))
}

/** Whatever is not an answer of the gateway is a failure of the network. */
async function failing<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ChatError ? error : networkError(error)
  }
}

/** The part of a browser's XMLHttpRequest that reports progress, which `fetch` does not. */
interface ProgressRequest {
  readonly status: number
  readonly responseText: string
  readonly upload: {
    addEventListener(
      type: 'progress',
      listener: (event: { readonly loaded: number; readonly total: number }) => void,
    ): void
  }
  withCredentials: boolean
  addEventListener(type: 'load' | 'error', listener: () => void): void
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  getResponseHeader(name: string): string | null
  send(form: FormData): void
}
const browser: { readonly XMLHttpRequest?: new () => ProgressRequest } = globalThis

function uploadWithProgress<Data>(
  xhr: ProgressRequest,
  { url, headers, onProgress }: Upload,
  form: FormData,
  credentials: FetchTransportOptions['credentials'],
): Promise<Result<Data>> {
  return new Promise((resolve, reject) => {
    xhr.open('POST', url)
    xhr.withCredentials = credentials === 'include'
    for (const [name, value] of Object.entries({ ...headers, ...uploadHeaders })) {
      xhr.setRequestHeader(name, value)
    }
    xhr.upload.addEventListener('progress', ({ loaded, total }) =>
      onProgress?.({ sentBytes: loaded, totalBytes: total }),
    )
    xhr.addEventListener('error', () => reject(networkError()))
    xhr.addEventListener('load', () => {
      const { status, responseText } = xhr
      try {
        resolve(readResult(status, responseText, xhr.getResponseHeader('retry-after')))
      } catch (error) {
        reject(error)
      }
    })
    xhr.send(form)
  })
}
