import { toChatError } from './chat-error.ts'
import { type FetchTransportOptions, fetchTransport, formOf } from './fetch-transport.ts'
import { readResult, uploadHeaders } from './responses.ts'
import { shareAmongTabs } from './tabs.ts'
import type { DataResult, Transport, Upload } from './transport.ts'

/** Requests of a page: by `fetch`, with one stream for all tabs of the browser, and uploads that report their progress. */
export function browserTransport(options: FetchTransportOptions = {}): Transport {
  const requests = fetchTransport(options)
  const { XMLHttpRequest } = browser
  return shareAmongTabs({
    ...requests,
    upload: (upload) =>
      upload.onProgress && XMLHttpRequest
        ? uploadWithProgress(new XMLHttpRequest(), upload, options)
        : requests.upload(upload),
  })
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
  upload: Upload,
  { credentials }: FetchTransportOptions,
): Promise<DataResult<Data>> {
  const form = formOf(upload)
  return new Promise((resolve, reject) => {
    xhr.open('POST', upload.url)
    xhr.withCredentials = credentials === 'include'
    for (const [name, value] of Object.entries({ ...upload.headers, ...uploadHeaders })) {
      xhr.setRequestHeader(name, value)
    }
    xhr.upload.addEventListener('progress', ({ loaded, total }) =>
      upload.onProgress?.({ sentBytes: loaded, totalBytes: total }),
    )
    xhr.addEventListener('error', () => reject(toChatError()))
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
