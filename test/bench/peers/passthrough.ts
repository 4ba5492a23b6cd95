import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Agent } from 'undici'
import { listenAndTell } from '../rpc.ts'

/** The yardstick: `node:http` and undici, bytes through, back-pressure honoured, nothing else. */

const origin = process.argv[2]
if (origin === undefined) throw new TypeError('usage: passthrough.ts <upstream origin>')
const agent = new Agent({ bodyTimeout: 0, headersTimeout: 0 })

const server = createServer((request, response) => {
  forward(request, response).catch((error: unknown) => response.destroy(toError(error)))
})
listenAndTell(server)

async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request)
  agent.dispatch(
    {
      origin: origin ?? '',
      path: request.url ?? '/',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    },
    {
      onRequestStart(controller) {
        response.on('drain', () => controller.resume())
        response.on('close', () => {
          if (!response.writableFinished) controller.abort(new Error('client gone'))
        })
      },
      onResponseStart(_controller, statusCode) {
        response.writeHead(statusCode, { 'content-type': 'text/event-stream' })
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) controller.pause()
      },
      onResponseEnd() {
        response.end()
      },
      onResponseError(_controller, error) {
        response.destroy(error)
      },
    },
  )
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
