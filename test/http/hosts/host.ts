/**
 * One gateway in one host, as a program of its own, for Node, Bun and Deno: `host.ts HOST CONFIG-FILE [ADDRESS]`. It prints one line
 * of JSON with its URL, and one for each subscription that has ended. GraphQL is under `/api/graphql`.
 */
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { serve as serveHono } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { createGateway, type Gateway, parseConfig } from '../../../src/index.ts'
import { createSelfSigned } from '../../kit/credentials/self-signed.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'

const path = '/api/graphql'
const [name = '', file, hostname = '127.0.0.1'] = process.argv.slice(2)

/** Starts to listen, and returns the port. */
type Host = (gateway: Gateway) => Promise<number>

/** Of Bun and of Deno, as much as is used. */
interface FetchServers {
  readonly Bun?: {
    serve(options: {
      readonly port: number
      readonly hostname: string
      readonly idleTimeout: number
      fetch(request: Request): Promise<Response>
    }): { readonly port: number }
  }
  readonly Deno?: {
    serve(
      options: { readonly port: number; readonly hostname: string; onListen(): void },
      handler: (request: Request) => Promise<Response>,
    ): { readonly addr: { readonly port: number } }
  }
}
const { Bun, Deno }: FetchServers = Object(globalThis)

const hosts: Readonly<Record<string, Host>> = {
  async express(gateway) {
    const app = express()
    // A parser for all routes, as most applications have it.
    app.use(express.json())
    app.use(path, (req, res) => gateway.handle(req, res))
    return listening(createServer(app))
  },

  async fastify(gateway) {
    const app = Fastify()
    app.all(`${path}*`, (request, reply) => {
      reply.hijack()
      // Fastify keeps what it has parsed to itself.
      gateway.handle(Object.assign(request.raw, { body: request.body }), reply.raw)
    })
    await app.listen({ port: 0, host: hostname })
    return portOf(app.server.address())
  },

  async hono(gateway) {
    const app = new Hono()
    app.all(`${path}/*`, (context) => gateway.fetch(context.req.raw))
    const { promise, resolve } = Promise.withResolvers<number>()
    serveHono({ fetch: app.fetch, port: 0, hostname }, ({ port }) => resolve(port))
    return promise
  },

  /** The handlers that a file `app/api/graphql/route.ts` of Next.js exports, called as its server calls them. */
  async next(gateway) {
    const GET = (request: Request) => gateway.fetch(request)
    const POST = GET
    const route: Readonly<Record<string, (request: Request) => Promise<Response>>> = { GET, POST }
    const { promise, resolve } = Promise.withResolvers<number>()
    const fetch = (request: Request) =>
      route[request.method]?.(request) ?? new Response(null, { status: 405 })
    serveHono({ fetch, port: 0, hostname }, ({ port }) => resolve(port))
    return promise
  },

  http2(gateway) {
    return listening(createSecureServer(createSelfSigned(), (req, res) => gateway.handle(req, res)))
  },

  /** `node:http`, as Bun and Deno have it too. */
  http(gateway) {
    return listening(createServer((req, res) => gateway.handle(req, res)))
  },

  async fetch(gateway) {
    const fetch = (request: Request) => gateway.fetch(request)
    if (Bun) return Bun.serve({ port: 0, hostname, idleTimeout: 255, fetch }).port
    if (Deno) return Deno.serve({ port: 0, hostname, onListen() {} }, fetch).addr.port
    throw new TypeError('this runtime has no server for fetch')
  },
}

async function listening(server: ReturnType<typeof createServer>): Promise<number>
async function listening(server: ReturnType<typeof createSecureServer>): Promise<number>
async function listening(server: {
  listen(port: number, host: string, done: () => void): unknown
  address(): unknown
}): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve))
  return portOf(server.address())
}

function portOf(address: unknown): number {
  const { port }: { port?: unknown } = Object(address)
  if (typeof port !== 'number') throw new TypeError('not a TCP address')
  return port
}

const host = hosts[name]
if (!host) throw new TypeError(`no host "${name}"`)
const config = parseConfig({ file, env: {}, mode: 'demo' })
const metrics = { ...uncounted, subscriptionEnded: (ended: string) => print({ ended }) }
const gateway = await createGateway(config, { metrics })
const port = await host(gateway)
print({ url: `${name === 'http2' ? 'https' : 'http'}://${hostname}:${port}${path}` })

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
