import { toChatError } from './chat-error.ts'
import { onPageWake } from './platform.ts'
import {
  jsonHeaders,
  readResult,
  readStream,
  streamType,
  uploadFields,
  uploadHeaders,
} from './responses.ts'
import type { DataResult, Request, Transport, Upload } from './transport.ts'

export interface FetchTransportOptions {
  readonly fetch?: typeof globalThis.fetch
  /** `include` sends the cookie to another origin. Default: as `fetch` does. */
  readonly credentials?: 'include' | 'omit' | 'same-origin'
}

/** Requests by `fetch`, and streams as server-sent events, in browsers and Node. */
export function fetchTransport({
  fetch = (...request) => globalThis.fetch(...request),
  credentials = 'same-origin',
}: FetchTransportOptions = {}): Transport {
  const send = async (request: Request, headers: object, init: RequestInit = {}) =>
    await fetch(request.url, {
      method: 'POST',
      body: JSON.stringify(request.operation),
      credentials,
      ...init,
      headers: { ...request.headers, ...headers },
    })

  return {
    onWake: onPageWake,
    request: (request) => failing(async () => await read(await send(request, jsonHeaders()))),
    subscribe(request, sink) {
      const abort = new AbortController()
      const { signal } = abort
      failing(async () => {
        const response = await send(request, jsonHeaders(streamType), { signal })
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
      }).then(
        () => signal.aborted || sink.end(),
        (error) => signal.aborted || sink.end(error),
      )
      return { close: () => abort.abort() }
    },
    upload: (upload) => {
      const body = formOf(upload)
      return failing(async () => await read(await send(upload, uploadHeaders, { body })))
    },
  }
}

/** @throws `TypeError` for a file that is none. */
export function formOf({ file, ...request }: Upload): FormData {
  const form = new FormData()
  // The gateway reads the fields first, and then streams the file.
  for (const [name, value] of Object.entries(uploadFields(request))) form.append(name, value)
  if (!(file instanceof Blob)) throw new TypeError('"file" must be a File or a Blob')
  form.append('0', file)
  return form
}

async function read<Data>(response: Response): Promise<DataResult<Data>> {
  return readResult(response.status, await response.text(), response.headers.get('retry-after'))
}

/** Whatever is not an answer of the gateway is a failure of the network. */
async function failing<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    throw toChatError(error)
  }
}
