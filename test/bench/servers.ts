import type { ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import type { ServerKind, Target } from './commands.ts'
import { startPart, type Part } from './processes.ts'
import { benchAudience, benchIssuer } from './protocols.ts'

/** A server under measurement, and how the load client speaks to it. */
export interface Subject extends Part {
  readonly target: Target
  /** What its database server has done until now. */
  readonly database?: () => Promise<DatabaseUse>
}

export interface DatabaseUse {
  readonly statements: number
  /** User and kernel time of all of its processes. */
  readonly cpuMicros: number
}

/** A server that the gateway is compared with. */
export async function startPeer(
  server: Exclude<ServerKind, 'gateway'>,
  upstream: string,
): Promise<Subject> {
  const part = await startPart('server', `peers/${server}.ts`, [upstream])
  return { ...part, target: { server, port: part.port } }
}

type Limits = Readonly<Record<string, number>>

/** One person of the benchmark sends as fast as the answers come, which no person does: the rates of a session are lifted. */
export const liftedRates: Limits = { messagesPerMinute: 1_000_000, costPerSecond: 1_000_000_000 }

export interface GatewaySubject extends Subject {
  /** Where its host speaks HTTP/2, if it does. */
  readonly http2Port?: number
  /** Bytes of the store's file now, without what is written ahead of it. */
  storeBytes(): Promise<number>
}

/** The gateway as anybody runs it: its own process, real auth and tokens, a SQLite file, default limits. */
export async function startGateway(
  upstream: string,
  issuerSecret: string,
  limits: Limits = {},
  /** Further assistants, and the origin of each. */
  others: Readonly<Record<string, string>> = {},
): Promise<GatewaySubject> {
  return await startConfigured(
    createGatewayConfig({ bench: upstream, ...others }, issuerSecret, limits),
    serve,
  )
}

/** The same gateway in a host that has it under HTTP/2, and under HTTP/1.1 for the honest. */
export async function startHttp2Gateway(
  upstream: string,
  issuerSecret: string,
  limits: Limits,
  others: Readonly<Record<string, string>>,
): Promise<GatewaySubject> {
  const http2Port = await freePort()
  const config = createGatewayConfig({ bench: upstream, ...others }, issuerSecret, limits)
  const subject = await startConfigured(config, (file, port) =>
    startPart('server', 'http2-host.ts', [file, String(http2Port)], (child) => ready(child, port)),
  )
  return { ...subject, http2Port }
}

/** The gateway by its command line, in one process. */
const serve = (file: string, port: number) =>
  startPart('server', '../../src/cli.ts', ['serve', '--config', file], (child) =>
    ready(child, port),
  )

/** The gateway in so many processes, which have all cores. */
export const serveByWorkers = (count: number) => (file: string, port: number) =>
  startPart(
    'any',
    '../../src/cli.ts',
    ['serve', '--config', file, '--workers', String(count)],
    (child) => ready(child, port),
  )

/** Settings without a port. Several gateways with the same ones share what they name. */
export type GatewayConfig = Readonly<Record<string, unknown>>

export async function startConfigured(
  config: GatewayConfig,
  start: (configFile: string, port: number) => Promise<Part> = serve,
): Promise<GatewaySubject> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const port = await freePort()
  const file = join(directory, 'config.json')
  await writeFile(file, JSON.stringify({ ...config, listen: { host: '127.0.0.1', port } }))
  const part = stack.use(await start(file, port))
  const owned = stack.move()
  return {
    port,
    ask: part.ask,
    target: { server: 'gateway', port },
    async storeBytes() {
      return (await stat(join(directory, 'gateway.db'))).size
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export function createGatewayConfig(
  upstreams: Readonly<Record<string, string>>,
  issuerSecret: string,
  limits: Limits,
): GatewayConfig {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    logging: { level: 'error' },
    issuers: [{ issuer: benchIssuer, audience: benchAudience, secret: issuerSecret }],
    session: {
      key: randomBytes(32).toString('hex'),
      nameKeys: [{ version: 1, key: randomBytes(32).toString('hex') }],
    },
    assistants: Object.entries(upstreams).map(([id, baseUrl]) => ({
      id,
      name: id,
      strategy: 'workflow',
      baseUrl,
      credentials: {
        type: 'oauth',
        appId: '1100000000000000001',
        keyId: 'bench-key',
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      },
      workflow: {
        workflowId: '7300000000000000001',
        appId: '7300000000000000002',
        conversationKeying: 'create',
      },
      // the fake upstream has no quota: the platform's, which a gateway keeps to by default, would be measured instead
      quota: { startsPerSecond: 100_000 },
    })),
    limits,
    probe: { checkAtStart: false },
    store: 'sqlite:gateway.db',
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (typeof address !== 'object' || address === null) throw new Error('no port is free')
  return address.port
}

/** Polls until the gateway says that it is ready; it is not asked for more than its public face. */
async function ready(child: ChildProcess, port: number): Promise<number> {
  const deadline = performance.now() + 15_000
  while (child.exitCode === null && performance.now() < deadline) {
    await delay(50)
    const status = await request(`http://127.0.0.1:${port}/health/ready`, { reset: true }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      () => 0,
    )
    if (status === 200) return port
  }
  throw new Error('the gateway did not get ready')
}
