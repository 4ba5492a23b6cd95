import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Agent, fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoSecrets } from '../../../src/config/demo-secrets.ts'
import { signDemoCaller } from '../../../src/demo/callers.ts'
import { createDemoKeys, emulatorSettings, gatewaySettings } from '../../../src/demo/settings.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { type RunningEmulator, startEmulator } from '../../kit/process/emulator.ts'
import { openSeparateNetwork } from '../../kit/process/network.ts'
import { until } from '../../kit/process/until.ts'

const program = fileURLToPath(new URL('./host.ts', import.meta.url))
const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))
const bin = (name: string) =>
  fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url))
const runtimes = {
  node: [process.execPath],
  bun: [bin('bun')],
  // The package's own command starts the program as a child, which a signal to it does not reach.
  deno: [fileURLToPath(new URL('../../../node_modules/deno/deno', import.meta.url)), 'run', '-A'],
} as const

const timeouts = { keepAliveMs: 4_000 }

const hosts = [
  ['Express with a body parser', 'node', 'express'],
  ['Fastify', 'node', 'fastify'],
  ['Hono', 'node', 'hono'],
  ['a route handler of Next.js', 'node', 'next'],
  ['node:http2', 'node', 'http2'],
  ['Bun.serve', 'bun', 'fetch'],
  ['node:http of Bun', 'bun', 'http'],
  ['Deno.serve', 'deno', 'fetch'],
  ['node:http of Deno', 'deno', 'http'],
] as const

interface Host extends AsyncDisposable {
  readonly url: string
  /** Why subscriptions have ended, in order. */
  readonly ends: readonly string[]
}

let emulator: RunningEmulator
let privateKey: string
let token: string | undefined
beforeAll(async () => {
  const keys = createDemoKeys()
  privateKey = keys.privateKey
  emulator = await startEmulator(emulatorSettings(keys.publicKey, 'cloud', undefined))
  const alice = await signDemoCaller('Alice', demoSecrets.issuer, systemClock)
  token = alice.token
})
afterAll(() => emulator[Symbol.asyncDispose]())

/** `within`: a command that runs it in another network, where it listens on all addresses. */
async function startHost(
  runtime: keyof typeof runtimes,
  name: string,
  within: readonly string[] = [],
): Promise<Host> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'host-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const configFile = join(directory, 'config.json')
  const settings = gatewaySettings({
    emulatorUrl: emulator.url,
    dialect: 'cloud',
    privateKey,
    host: '127.0.0.1',
    port: 0,
    file: join(directory, 'gateway.db'),
    origins: [],
    checkAtStart: false,
  })
  await writeFile(configFile, JSON.stringify({ ...settings, timeouts }))
  const address = within.length > 0 ? '0.0.0.0' : '127.0.0.1'
  const [command = '', ...args] = [...within, ...runtimes[runtime]]
  const child = spawn(command, [...args, program, name, configFile, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const ends: string[] = []
  const listening = Promise.withResolvers<string>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { url, ended }: { url?: string; ended?: string } = JSON.parse(line)
    if (url !== undefined) listening.resolve(url)
    if (ended !== undefined) ends.push(ended)
  })
  const url = await Promise.race([
    listening.promise,
    exited.then(() => Promise.reject(new Error('the host has ended before it listened'))),
  ])
  const owned = stack.move()
  return { url, ends, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe.each(hosts)('%s', (_name, runtime, hostName) => {
  const dispatcher = new Agent({ allowH2: true, connect: { rejectUnauthorized: false } })
  let host: Host
  beforeAll(async () => {
    host = await startHost(runtime, hostName)
  }, 300_000)
  afterAll(async () => {
    await dispatcher.destroy()
    await host[Symbol.asyncDispose]()
  })

  function ask(query: string, accept: string, signal?: AbortSignal, variables?: object) {
    return fetch(host.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept },
      body: JSON.stringify({ query, variables }),
      dispatcher,
      ...(signal && { signal }),
    })
  }

  it('sends a message, streams its answer, and is told of a client that leaves', async () => {
    const leaving = new AbortController()
    const stream = await ask(
      'subscription { replies { __typename ... on ReplyCompleted { text } } }',
      'text/event-stream',
      leaving.signal,
    )
    expect(stream.status).toBe(200)
    let received = ''
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) received += Buffer.from(chunk).toString()
    })()
    await until(() => received.startsWith(':\n\n'), 'the first comment')

    const sent = await ask(
      'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }',
      'application/json',
      undefined,
      { input: { text: 'my secret is swordfish' } },
    )
    expect(await sent.json()).toEqual({
      data: { sendMessage: { __typename: 'SendMessageSuccess' } },
    })
    await until(() => received.includes('ReplyCompleted'), 'the answer')
    expect(received).toContain('ReplyDelta')

    leaving.abort()
    await reading.catch(() => undefined)
    await until(() => host.ends.length > 0, 'the gateway to notice')
    expect(host.ends).toEqual(['client-gone'])
  })

  it('refuses what is no request, and goes on', async () => {
    const malformed = await ask('{', 'application/graphql-response+json')
    expect(malformed.status).toBe(400)
    const fine = await ask('{ __typename }', 'application/json')
    expect([fine.status, await fine.json()]).toEqual([200, { data: { __typename: 'Query' } }])
  })

  it('shows GraphiQL with all that its page loads', async () => {
    const page = await fetch(host.url, { headers: { accept: 'text/html' }, dispatcher })
    expect(page.status).toBe(200)
    const assets = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)]
    expect(assets.length).toBeGreaterThan(2)
    for (const [, asset = ''] of assets) {
      const answer = await fetch(new URL(asset, page.url), { dispatcher })
      expect([asset, answer.status]).toEqual([asset, 200])
      await answer.arrayBuffer()
    }
  })
})

describe('node:http2 and a client whose network is gone without a word', () => {
  it('F35 F42: its streams end long before the kernel gives up', async () => {
    await using network = await openSeparateNetwork()
    await using host = await startHost('node', 'http2', network.command)
    const client = connectHttp2(
      Object.assign(new URL(host.url), { hostname: network.fragileAddress }),
      {
        rejectUnauthorized: false,
      },
    )
    client.on('error', () => undefined)
    const streams = Array.from({ length: 2 }, () => {
      const stream = client.request({
        ':method': 'POST',
        ':path': '/api/graphql',
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
      })
      stream.on('error', () => undefined)
      stream.end(JSON.stringify({ query: 'subscription { replies { cursor } }' }))
      return stream
    })
    await Promise.all(streams.map((stream) => once(stream, 'data')))
    network.cut()
    await until(() => host.ends.length === 2, 'the silent client to be noticed')
    expect(host.ends).toEqual(['client-gone', 'client-gone'])
    client.destroy()
  })
})

describe('a runtime without node:sqlite', () => {
  it('is told at the start what to run the gateway with', async () => {
    const child = spawn(
      process.execPath,
      ['--no-experimental-sqlite', cli, 'demo', '--port', '0', '--data', ':memory:'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const [said] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect([child.exitCode, said]).toEqual([
      1,
      expect.stringMatching(/^.* Node\.js 24 or later.*\n$/),
    ])
  })
})
