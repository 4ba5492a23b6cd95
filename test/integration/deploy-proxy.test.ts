import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, createClient } from '../kit/clients/client.ts'
import { isTerminal } from '../kit/clients/recorder.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { type GatewayProcess, startGateway } from '../kit/process/gateway.ts'
import { type Haproxy, startHaproxy } from '../kit/process/haproxy.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const configuration = fileURLToPath(new URL('../../deploy/haproxy.cfg', import.meta.url))

/** The configuration of `deploy/`, on ports of this machine, with minutes that last for seconds. */
function configOf(port: number, gateways: readonly (string | undefined)[]): string {
  const [first, second] = gateways.map((url) =>
    url === undefined ? '127.0.0.1:1' : new URL(url).host,
  )
  return readFileSync(configuration, 'utf8')
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace('gateway-a:4000', String(first))
    .replace('gateway-b:4000', String(second))
    .replaceAll(/(timeout (?:client|server|tunnel)) 65s/g, '$1 3s')
    .replace('inter 2s', 'inter 100ms')
}

describe('the load balancer of the deploy kit', () => {
  let system: System
  let proxy: Haproxy
  let client: Client
  let talk: Talk
  let second: GatewayProcess
  beforeAll(async () => {
    system = await startSystem({ timeouts: { drainMs: 60_000, keepAliveMs: 1_000 } })
    const { configFile, url } = system.gateway
    second = await startGateway(`${configFile}.second`, {
      ...system.config,
      store: `sqlite:${system.storeFile}.second`,
    })
    // The second one is found once the first one is gone: both have stores of their own here.
    proxy = await startHaproxy((port) =>
      configOf(port, [url, second.url]).replace(/(server gateway-b .*)/, '$1 backup'),
    )
    client = createClient(proxy.url)
    talk = createTalk({ client, emulator: system.emulator })
    await until(async () => (await fetch(`${proxy.url}/graphql`)).status !== 503, 'a gateway')
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await proxy[Symbol.asyncDispose]()
    await second[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('has a configuration that HAProxy accepts', async () => {
    const checked = await promisify(execFile)('/usr/sbin/haproxy', [
      '-c',
      '-V',
      '-f',
      configuration,
    ])
    const warnings = checked.stderr.split('\n').filter((line) => line.startsWith('[WARNING]'))
    // The names of the gateways are known in their network alone.
    const unknown = /'server gateways\/gateway-[ab]' : could not resolve address/
    expect(warnings.filter((line) => !unknown.test(line))).toEqual([])
    expect(checked.stdout).toContain('Configuration file is valid')
  })

  it('shows nobody outside how the gateways are', async () => {
    const answers = await Promise.all(
      ['/health/ready', '/health/live'].map((path) => fetch(`${proxy.url}${path}`)),
    )
    expect(answers.map(({ status }) => status)).toEqual([404, 404])
  })

  it('passes words on while the reply is held, and keeps a stream that is silent for longer than its time limits', async () => {
    const who = system.person('held')
    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 3 })
    const { id } = await talk.send(who, '/long 12')
    const stream = await client.stream({
      token: who.token,
      query: `subscription { replies(replyId: "${id}") { __typename ... on ReplyDelta { text } } }`,
    })
    const words = () => stream.frames.filter(({ data }) => data?.includes('"ReplyDelta"')).length
    await system.emulator.until({ held: 'pause' })
    await until(() => words() > 0, 'the words before the silence')
    const comments = () => stream.frames.filter(({ comment }) => comment !== undefined).length
    await until(() => comments() >= 6, 'six seconds of silence', 60_000)
    await system.emulator.release()
    expect(await stream.ended).toBe('complete')
    expect((await talk.snapshot(who, id))?.status).toBe('COMPLETED')
  })

  it('F20: lets a gateway that drains end its streams, and brings what is new to another one', async () => {
    const who = system.person('drained')
    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 3 })
    const { id } = await talk.send(who, '/long 12')
    const followed = await talk.recorder.follow(client, {
      reader: 'drained',
      as: who.name,
      token: who.token,
      replyId: id,
    })
    await followed.take((event) => event.__typename === 'ReplyDelta')
    await system.emulator.until({ held: 'pause' })
    system.gateway.signal('SIGTERM')
    const other = system.person('other')
    const message = { text: 'hello', assistantId: 'bot' }
    await until(
      async () => (await talk.trySend(other, message))?.__typename === 'SendMessageSuccess',
      'the second gateway to take a message',
    )
    await system.emulator.release()
    const events = await followed.take()
    expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    expect(events.filter(isTerminal)).toHaveLength(1)
    expect(await system.gateway.exited).toBe(0)
  })
})
