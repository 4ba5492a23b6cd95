import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'

/** A key server of our own, which can be rotated and broken. */
export interface KeyServer extends AsyncDisposable {
  readonly url: string
  /** Requests seen so far. */
  readonly requests: number
  /** Publishes these keys from now on. */
  publish(...keys: readonly JWK[]): void
  /** Answers in this way from now on, instead of with the keys. */
  answer(how: (response: ServerResponse) => void): void
}

export async function openKeyServer(...keys: readonly JWK[]): Promise<KeyServer> {
  let requests = 0
  let respond: (response: ServerResponse) => void
  const publish = (...published: readonly JWK[]) => {
    respond = (response) => response.end(JSON.stringify({ keys: published }))
  }
  publish(...keys)
  const server = createServer((_request, response) => {
    requests += 1
    respond(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/jwks`,
    get requests() {
      return requests
    },
    publish,
    answer: (how) => void (respond = how),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
