import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'

/** Metrics that can be scraped. */
export interface MetricsSource {
  readonly contentType: string
  text(): Promise<string>
}

/** No cache may keep a response, and no browser may guess its type. */
const safeHeaders = new Headers({
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
})

/** `/metrics` on a port of its own, which should not be reachable from outside. */
export interface MetricsServer extends AsyncDisposable {
  readonly url: string
}

/** @throws if the port is taken. */
export async function openMetricsServer(
  address: { readonly host: string; readonly port: number },
  source: MetricsSource,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    response.setHeaders(safeHeaders)
    if (request.method === 'GET' && request.url === '/metrics') void answer(response, source)
    else response.writeHead(404).end()
  })
  server.listen(address.port, address.host)
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return {
    url: `http://${host}:${port}/metrics`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Never rejects. */
async function answer(response: ServerResponse, source: MetricsSource): Promise<void> {
  try {
    const text = await source.text()
    response.writeHead(200, { 'content-type': source.contentType }).end(text)
  } catch {
    response.writeHead(500).end()
  }
}
