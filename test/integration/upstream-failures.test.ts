import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, type Server, createServer as createTcpServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { cozeOptions } from '../kit/fakes/coze-options.ts'
import { createRemoteKeys } from '../../src/auth/jwks.ts'
import { type CozeCall, callRules } from '../../src/coze/calls.ts'
import { createCozeClient } from '../../src/coze/client.ts'
import type { UpstreamCall, UpstreamFailure } from '../../src/domain/upstream.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { createFetchJson } from '../../src/lib/fetch-json.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createLogger } from '../../src/observe/log.ts'
import { createPrometheusMetrics } from '../../src/observe/prometheus.ts'
import { createUpstreamFailureLog } from '../../src/observe/upstream-failures.ts'
import { platformCalls } from '../kit/process/platform-calls.ts'
import { createSelfSigned } from '../kit/credentials/self-signed.ts'
import { untraced } from '../kit/fakes/metrics.ts'
import { closedPort, openDroppingPort } from '../kit/process/unreachable.ts'
import { within } from '../kit/process/until.ts'

const fetchJson = createFetchJson()

/** A host that fails all that is asked of it. */
interface Broken extends AsyncDisposable {
  readonly url: string
}

async function listen(server: Server, scheme = 'http'): Promise<Broken> {
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const serve = (answer: RequestListener) =>
  listen(
    createServer((request, response) => {
      request.on('error', () => undefined)
      request.resume()
      request.once('end', () => answer(request, response))
    }),
  )

/** Answers with an error of the platform, whose words no log may hold. */
const refuse = (status: number, body: object, headers: Readonly<Record<string, string>> = {}) =>
  serve((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  })

const nothing: AsyncDisposable = { async [Symbol.asyncDispose]() {} }
const detail = { logid: 'log-1' }
const msg = 'words of the platform that no log may hold'

interface Way {
  readonly open: () => Promise<Broken>
  /** The call ends only when the time is over for its connection, or for its answer: that passes quickly. */
  readonly endsWithTime?: 'to connect' | 'to answer'
  /** What the log and the meters tell. Of a key set, `keySet` where that differs. */
  readonly told: Told | ((call: CozeCall) => Told)
  readonly keySet?: Told
}

type Told = { readonly [Fact in keyof UpstreamFailure]?: unknown } & { readonly label: unknown }

/** How a connection broke depends on what was on its way. */
const broke: unknown = expect.stringMatching(/^(UND_ERR_\w+|ECONNRESET)$/)
const isRun = (call: CozeCall) => callRules[call].stage === 'run'

/** Each way in which a call can fail, in its unkind form. */
const ways: Readonly<Record<string, Way>> = {
  'the name of its host cannot be resolved': {
    open: async () => ({ ...nothing, url: 'http://api.coze.invalid' }),
    told: {
      kind: 'unavailable',
      host: 'api.coze.invalid',
      systemCode: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
      label: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
    },
  },
  'nothing listens at its port': {
    open: async () => ({ ...nothing, url: `http://127.0.0.1:${await closedPort()}` }),
    told: { kind: 'unavailable', systemCode: 'ECONNREFUSED', label: 'ECONNREFUSED' },
  },
  'packets to its host are dropped': {
    async open() {
      const dropping = await openDroppingPort()
      return {
        url: `http://127.0.0.1:${dropping.port}`,
        [Symbol.asyncDispose]: () => dropping[Symbol.asyncDispose](),
      }
    },
    endsWithTime: 'to connect',
    told: { kind: 'unavailable', systemCode: 'CONNECT_TIMEOUT', label: 'CONNECT_TIMEOUT' },
  },
  'nobody vouches for the certificate of its host': {
    open: () => listen(createTlsServer(createSelfSigned()), 'https'),
    told: {
      kind: 'tls',
      systemCode: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      label: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    },
  },
  'its host speaks no TLS': {
    open: () => listen(createServer(), 'https'),
    told: {
      kind: 'tls',
      systemCode: expect.stringMatching(/^(ERR_SSL_\w+|EPROTO)$/),
      label: expect.stringMatching(/^(ERR_SSL_\w+|EPROTO)$/),
    },
  },
  'its host speaks no HTTP': {
    open: () =>
      listen(createTcpServer((socket) => void socket.on('error', () => {}).end('SSH-2.0\r\n'))),
    told: {
      kind: 'protocol',
      systemCode: 'HTTP_PARSER',
      label: 'HTTP_PARSER',
    },
    keySet: { kind: 'protocol', systemCode: expect.stringMatching(/^HPE_/), label: 'any' },
  },
  'the connection is reset before an answer': {
    open: () => serve(({ socket }) => void socket.resetAndDestroy()),
    told: { kind: 'unavailable', systemCode: 'ECONNRESET', label: 'ECONNRESET' },
  },
  'no answer comes': {
    open: () => serve(() => undefined),
    endsWithTime: 'to answer',
    told: (call) => {
      const systemCode = isRun(call) ? 'FIRST_EVENT_TIMEOUT' : 'ANSWER_TIMEOUT'
      return { kind: 'timeout', systemCode, label: systemCode }
    },
    keySet: { kind: 'timeout', systemCode: 'ANSWER_TIMEOUT', label: 'ANSWER_TIMEOUT' },
  },
  'the answer breaks off': {
    open: () =>
      serve((request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
        response.write('{"code":0,', () => request.socket.destroy())
      }),
    told: { kind: 'truncated', systemCode: broke, label: broke },
    keySet: { kind: 'unavailable', systemCode: 'ECONNRESET', label: 'ECONNRESET' },
  },
  'its credentials are refused': {
    open: () => refuse(200, { code: 4100, msg, detail }),
    told: { kind: 'auth', upstreamCode: '4100', logId: 'log-1', httpStatus: 200, label: '4100' },
    keySet: { kind: 'protocol', label: 'uncoded' },
  },
  'it is refused with a code that nobody knows': {
    open: () => refuse(400, { code: 987_654_321, msg, detail }),
    told: {
      kind: 'refused',
      upstreamCode: '987654321',
      logId: 'log-1',
      httpStatus: 400,
      label: 'other',
    },
    keySet: { kind: 'refused', httpStatus: 400, label: 'HTTP_400' },
  },
  'there were too many requests': {
    open: () => refuse(429, {}, { 'retry-after': '3600', 'x-tt-logid': 'log-1' }),
    told: { kind: 'rate-limited', httpStatus: 429, logId: 'log-1', label: 'HTTP_429' },
    keySet: { kind: 'refused', httpStatus: 429, label: 'HTTP_429' },
  },
  'a proxy in between fails': {
    open: () =>
      serve((_request, response) => {
        response.writeHead(502, { 'x-tt-logid': 'log-1' }).end(`<html>${msg}</html>`)
      }),
    told: { kind: 'server', httpStatus: 502, logId: 'log-1', label: 'HTTP_502' },
    keySet: { kind: 'refused', httpStatus: 502, label: 'HTTP_502' },
  },
  'the answer cannot be read': {
    open: () =>
      serve((_request, response) => {
        response.writeHead(200, { 'x-tt-logid': 'log-1' }).end(`<html>${msg}</html>`)
      }),
    told: { kind: 'protocol', logId: 'log-1', label: 'uncoded' },
    keySet: { kind: 'protocol', label: 'uncoded' },
  },
}

/** Time in which a minute passes within 300 ms, for what ends only when its time is over. */
const quick: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * 200,
  sleep: (ms, signal) => systemClock.sleep(ms / 200, signal),
  timer: (ms, run) => systemClock.timer(ms / 200, run),
}
const patient: Clock = { ...systemClock, sleep: async () => undefined }

/** Runs work against a log and meters, and tells what they say of it. */
async function observe(
  work: (by: {
    readonly metrics: ReturnType<typeof createPrometheusMetrics>
    readonly onFailure: (failure: UpstreamFailure) => void
  }) => Promise<unknown>,
) {
  let log = ''
  const logger = createLogger({ level: 'debug', destination: { write: (line) => (log += line) } })
  const metrics = createPrometheusMetrics()
  using failures = createUpstreamFailureLog({ clock: systemClock, logger })
  await expect(
    work({ metrics, onFailure: (failure) => failures.failed(failure) }),
  ).rejects.toThrow()
  const lines = log.split('\n').filter((line) => line !== '')
  const meters = (await metrics.text()).split('\n')
  const told = meters.flatMap((line) => {
    const meter = /upstream_errors_total\{call="(.+)",kind="(.+)",code="(.+)"\}/.exec(line)
    return meter === null ? [] : [meter.slice(1, 4)]
  })
  return { log, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), told }
}

function check(
  call: UpstreamCall,
  { label, ...told }: Told,
  url: string,
  { log, lines, told: labels }: Awaited<ReturnType<typeof observe>>,
) {
  const { host } = new URL(url)
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      msg: 'upstream call failed',
      call,
      host,
      count: 1,
      ...told,
    }),
  ])
  expect(log).not.toMatch(/no log may hold|access-token|czs_|eyJ/)
  expect(labels.length).toBeGreaterThan(0)
  for (const meter of labels) expect(meter).toEqual([call, told.kind, label])
}

const calls = Object.keys(callRules) as CozeCall[]

describe.each(Object.entries(ways))('when %s', (_name, { open, endsWithTime, told, keySet }) => {
  it.each(calls)('the log and the meters tell it of %s', async (call) => {
    await using broken = await open()
    const clock = endsWithTime === undefined ? patient : quick
    const connectMs = endsWithTime === 'to connect' ? 5_000 : 10_000_000
    const observed = await observe(async ({ metrics, onFailure }) => {
      await using client = createCozeClient({
        clock,
        random: () => 0.5,
        tracer: untraced,
        metrics,
        onFailure,
        timeouts: { ...cozeOptions.timeouts, connectMs },
        limits: cozeOptions.limits,
      })
      const target = { baseUrl: broken.url, token: new Secret('access-token') }
      await within(platformCalls[call]({ client, target, clock }), `the end of ${call}`)
    })
    check(call, typeof told === 'function' ? told(call) : told, broken.url, observed)
  })

  it('the log and the meters tell it of a key set', async () => {
    await using broken = await open()
    const observed = await observe(async ({ onFailure, metrics }) => {
      using keys = createRemoteKeys(
        {
          type: 'jwks',
          url: `${broken.url}/keys`,
          timeoutMs: endsWithTime === undefined ? 20_000 : 100,
          maxBytes: 10_000,
          cooldownSeconds: 30,
          maxAgeSeconds: 600,
          maxStaleSeconds: 600,
        },
        'https://id.test',
        {
          clock: systemClock,
          fetchJson,
          onFetchFailure(failure) {
            onFailure(failure)
            metrics.upstreamError(failure.call, failure.kind, 'any')
          },
        },
      )
      await keys.find({ alg: 'RS256', kid: 'k' }, { payload: '', signature: '' }, 'https://id.test')
    })
    const common = typeof told === 'function' ? undefined : told
    const expected = keySet ?? common
    if (expected === undefined) throw new Error('nothing to tell')
    check('key-set', { ...expected, label: 'any' }, broken.url, observed)
  })
})
