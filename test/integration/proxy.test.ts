import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readProxy, type ProxySettings } from '../../src/config/proxy.ts'
import { createCozeClient } from '../../src/coze/client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createFetchJson } from '../../src/lib/fetch-json.ts'
import { Secret } from '../../src/lib/secret.ts'
import { cozeOptions, streamTimeouts } from '../kit/fakes/coze-options.ts'
import { createSelfSigned } from '../kit/credentials/self-signed.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'
import { completed, created, done } from '../unit/coze/wire-samples.ts'

const never = new AbortController().signal
const { cert, key } = createSelfSigned()
const before = getCACertificates()
beforeAll(() => setDefaultCACertificates([cert]))
afterAll(() => setDefaultCACertificates(before))

async function listen(server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A platform over TLS, which also publishes keys. */
async function openPlatform() {
  const held: (() => void)[] = []
  const server = createTlsServer({ cert, key }, (request, response) => {
    if (request.url === '/keys') return response.end('{"keys":[]}')
    if (request.method === 'GET') return response.end('{"code":0,"data":{}}')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(created)
    held.push(() => response.end(completed + done))
    return undefined
  })
  const port = await listen(server)
  return {
    port,
    held,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/**
 * A proxy that resolves every name to this machine. `refuse`: the status of its refusal; 0: it does not respond. `ignored`:
 * to so many it does not respond at first.
 */
async function openProxy({
  refuse,
  ignored = 0,
}: { readonly refuse?: number; readonly ignored?: number } = {}) {
  const tunnels: { readonly to: string; readonly authorization: string | undefined }[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connection', (socket) => sockets.add(socket))
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const to = request.url ?? ''
    tunnels.push({ to, authorization: request.headers['proxy-authorization'] })
    if (refuse === 0 || tunnels.length <= ignored) return
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`)
    const upstream = connect(Number(to.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
    })
    sockets.add(upstream)
    for (const end of [socket, upstream]) end.on('error', () => undefined)
  })
  const port = await listen(server)
  return {
    tunnels,
    port,
    proxy: (noProxy = '') => proxyOf(`http://me:p%40ss@127.0.0.1:${port}`, noProxy),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function proxyOf(HTTPS_PROXY: string, NO_PROXY: string): ProxySettings {
  const proxy = readProxy({ HTTPS_PROXY, NO_PROXY })
  if (proxy === undefined || 'problem' in proxy) throw new Error('no proxy')
  return proxy
}

function openClient(proxy: ProxySettings, timeouts = {}, limits = cozeOptions.limits) {
  return createCozeClient({
    clock: systemClock,
    random: () => 0,
    metrics: { ...uncounted, upstreamOddity: () => undefined, upstreamRetried: () => undefined },
    tracer: untraced,
    onFailure: () => undefined,
    proxy,
    limits,
    timeouts: { ...cozeOptions.timeouts, retryMs: 0, ...timeouts },
  })
}
type Client = ReturnType<typeof openClient>

const token = new Secret('access-token')
function call(client: Client, baseUrl: string) {
  const target = { baseUrl, token }
  const request = { call: 'retrieve-conversation', target, method: 'GET', path: '/x' } as const
  return client.request({ ...request, read: ({ body }) => body['data'] }, never)
}
function stream(client: Client, baseUrl: string, seen: string[]) {
  const request = {
    call: 'bot-chat' as const,
    target: { baseUrl, token },
    path: '/v3/chat',
    body: {},
    timeouts: streamTimeouts,
  }
  return client.stream(
    request,
    (events) => {
      seen.push(...events.map(({ type }) => type))
      return undefined
    },
    never,
  )
}

describe('behind a proxy', () => {
  it('reaches the platform by a tunnel, with the password of the proxy', async () => {
    await using platform = await openPlatform()
    await using way = await openProxy()
    await using client = openClient(way.proxy())
    expect(await call(client, `https://localhost:${platform.port}`)).toEqual({})
    const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
    expect(way.tunnels).toEqual([{ to: `localhost:${platform.port}`, authorization }])
  })

  it('has a tunnel for each stream, and one that is free serves the next call', async () => {
    await using platform = await openPlatform()
    await using way = await openProxy()
    await using client = openClient(way.proxy())
    const seen: string[] = []
    const url = `https://localhost:${platform.port}`
    const streams = [stream(client, url, seen), stream(client, url, seen)]
    await until(() => platform.held.length === 2, 'both streams at once')
    await call(client, url)
    const { length } = way.tunnels
    await turn() // in which the connection becomes free
    await call(client, url)
    expect(way.tunnels).toHaveLength(length)
    for (const end of platform.held) end()
    await Promise.all(streams)
    expect(seen.filter((type) => type === 'completed')).toHaveLength(2)
  })

  it('fetches key sets by a tunnel', async () => {
    await using platform = await openPlatform()
    await using way = await openProxy()
    const fetchJson = createFetchJson(way.proxy())
    const options = { timeoutMs: 60_000, maxBytes: 1_000, signal: never }
    const keys = await fetchJson(`https://localhost:${platform.port}/keys`, options)
    expect(keys).toEqual({ keys: [] })
    expect(way.tunnels).toMatchObject([{ to: `localhost:${platform.port}` }])
  })

  it.each(['localhost', '*', 'other.test, localhost'])(
    'reaches hosts that NO_PROXY names directly: %s',
    async (noProxy) => {
      await using platform = await openPlatform()
      await using way = await openProxy()
      await using client = openClient(way.proxy(noProxy))
      const url = `https://localhost:${platform.port}`
      await call(client, url)
      const options = { timeoutMs: 60_000, maxBytes: 1_000, signal: never }
      await createFetchJson(way.proxy(noProxy))(`${url}/keys`, options)
      expect(way.tunnels).toEqual([])
    },
  )

  it.each([
    [407, 'PROXY_REFUSED', /ERR_PROXY_TUNNEL/],
    [0, 'CONNECT_TIMEOUT', /CONNECT_TIMEOUT|ERR_PROXY_TUNNEL/],
  ])('says that it is the proxy that fails: %s', async (refuse, code, keySetCode) => {
    await using way = await openProxy({ refuse })
    await using client = openClient(way.proxy(), { connectMs: 50 })
    const failure = { kind: 'unavailable', accepted: 'no', systemCode: code }
    await expect(call(client, 'https://platform.test')).rejects.toMatchObject(failure)
    const options = { timeoutMs: 50, maxBytes: 1_000, signal: never }
    const keys = createFetchJson(way.proxy())('https://id.test/keys', options)
    const systemCode = expect.stringMatching(keySetCode)
    await expect(keys).rejects.toMatchObject({ kind: 'unavailable', systemCode })
  })

  it('a tunnel that the proxy never makes keeps no later call out', async () => {
    await using platform = await openPlatform()
    await using way = await openProxy({ ignored: 1 })
    const limits = { ...cozeOptions.limits, maxUpstreamConnections: 1 }
    await using client = openClient(way.proxy(), { connectMs: 300 }, limits)
    const url = `https://localhost:${platform.port}`
    await expect(call(client, url)).rejects.toMatchObject({ systemCode: 'CONNECT_TIMEOUT' })
    const answered = () => call(client, url).catch(() => undefined)
    expect(await until(answered, 'the connection to be given up as well')).toEqual({})
  })

  it('says that nobody listens at the address of the proxy', async () => {
    const proxy = proxyOf('http://127.0.0.1:1', '')
    await using client = openClient(proxy)
    await expect(call(client, 'https://platform.test')).rejects.toMatchObject({
      kind: 'unavailable',
      systemCode: 'PROXY_ECONNREFUSED',
    })
  })

  it('trusts no host that the tunnel leads to instead', async () => {
    await using platform = await openPlatform()
    await using way = await openProxy()
    await using client = openClient(way.proxy())
    const url = `https://platform.test:${platform.port}`
    await expect(call(client, url)).rejects.toMatchObject({
      kind: 'tls',
      systemCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })
})
