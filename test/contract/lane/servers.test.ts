import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSharedQuota } from '../../../src/lane/shared-quota.ts'
import { createSharedSpans } from '../../../src/lane/shared-rates.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { createSelfSigned } from '../../kit/credentials/self-signed.ts'
import { openTestLane, prefix, type TestLane } from '../../kit/fakes/lane.ts'
import { freePort } from '../../kit/process/free-port.ts'
import { startRedis } from '../../kit/process/redis.ts'
import { until } from '../../kit/process/until.ts'

/** Everything that the lane is used for. */
async function useAll({ lane, whenHere }: TestLane): Promise<void> {
  const heard: string[] = []
  using _ = lane.subscribe('channel', (message) => void heard.push(message))
  await whenHere()
  await until(() => {
    lane.publish('text', 'channel', 'hello')
    return heard.includes('hello')
  }, 'the message to arrive')
  const write = () => lane.command('token', 'SET', 'a', '1', 'PX', '1000')
  await until(async () => (await write()) === 'OK', 'a command to be done')
  expect(await lane.command('token', 'GET', 'a')).toBe('1')
  const spans = createSharedSpans(lane, crypto.randomUUID(), (key) => key)
  expect(await spans.take('alice', 2, 60_000)).toMatchObject({ isTaken: true })
  spans.giveBack('alice')
  await until(async () => (await spans.state('alice'))?.used === 0, 'what was given back')
  expect(await spans.take('alice', 1, 60_000)).toMatchObject({ isTaken: true, used: 1 })
  expect(await spans.state('alice')).toMatchObject({ used: 1 })
  const quota = { maxRunning: 10, startsPerSecond: 1 }
  const equal = createEqualShare(quota, () => 10)
  using share = openSharedQuota({
    lane,
    clock: systemClock,
    quota,
    equal,
    instance: 'one',
    name: 'permits:assistant',
    instances: () => 2,
  })
  share.use(1, 0)
  await until(() => share.maxRunning > 1, 'a share of the quota')
}

const manual = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

describe('the lane', () => {
  it.each([2, 3])('speaks version %i of the protocol', async (protocol) => {
    await using server = await startRedis()
    await using test = openTestLane(server.url, { protocol })
    await useAll(test)
  })

  it('needs a user of few rights, on its own keys and channels', async () => {
    await using server = await startRedis()
    const [, rights = ''] = /^ACL SETUSER gateway on >PASSWORD (.*)$/m.exec(manual) ?? []
    const user = ['ACL', 'SETUSER', 'gateway', 'on', '>pass']
    await server.command(...user, ...rights.replaceAll('coze-gateway:', prefix).split(' '))
    const url = `redis://gateway@127.0.0.1:${server.port}`
    await using test = openTestLane(url, { password: new Secret('pass') })
    await useAll(test)
    await using elsewhere = openTestLane(url, { password: new Secret('pass'), prefix: 'other:' })
    await until(() => elsewhere.log.length > 0, 'the lane to be told')
    expect(elsewhere.log[0]).toContain('(refused)')
  })

  it('is away with a wrong password, which no line of the log has', async () => {
    await using server = await startRedis(['--requirepass', 'right'])
    await using test = openTestLane(server.url, { password: new Secret('wrong-password') })
    await until(() => test.log.length > 0, 'the lane to be told')
    expect(test.log[0]).toMatch(/\(refused\)$/)
    expect(test.log.join()).not.toContain('wrong-password')
  })

  it('checks the certificate of a server with TLS', async () => {
    const { cert, key } = createSelfSigned()
    const home = await mkdtemp(join(tmpdir(), 'gateway-tls-'))
    const [certFile, keyFile] = [join(home, 'cert.pem'), join(home, 'key.pem')]
    await writeFile(certFile, cert)
    await writeFile(keyFile, key)
    const port = await freePort()
    const tls = ['--tls-port', port, '--tls-cert-file', certFile, '--tls-key-file', keyFile]
    await using server = await startRedis([
      ...tls.map(String),
      '--tls-ca-cert-file',
      certFile,
      '--tls-auth-clients',
      'yes',
    ])
    const pem = { certificate: new Secret(cert), privateKey: new Secret(key) }
    await using test = openTestLane(`rediss://localhost:${port}`, { ...pem, ca: new Secret(cert) })
    await useAll(test)
    await using unknown = openTestLane(`rediss://localhost:${port}`, pem)
    await until(() => unknown.log.length > 0, 'the lane to be told')
    expect(unknown.lane.isHere).toBe(false)
    expect(await server.command('PING')).toBe('PONG')
    await rm(home, { recursive: true })
  })

  it.each([2, 3])('follows Sentinel to another server (version %i)', async (protocol) => {
    await using main = await startRedis()
    await using replica = await startRedis(['--replicaof', '127.0.0.1', String(main.port)])
    const monitor = [
      `--sentinel monitor main 127.0.0.1 ${main.port} 1`,
      '--sentinel down-after-milliseconds main 500',
      '--sentinel failover-timeout main 2000',
    ].flatMap((line) => line.split(' '))
    await using sentinel = await startRedis(monitor, { isSentinel: true })
    await until(
      async () =>
        JSON.stringify(await sentinel.command('SENTINEL', 'replicas', 'main')).includes(
          String(replica.port),
        ),
      'the sentinel to know the replica',
    )
    await using test = openTestLane(`redis+sentinel://127.0.0.1:${sentinel.port}/main`, {
      protocol,
    })
    await useAll(test)
    await main.crash()
    await useAll(test)
    expect(await replica.command('ROLE')).toContain('master')
  })

  it.each([2, 3])('uses a cluster (version %i)', async (protocol) => {
    await using stack = new AsyncDisposableStack()
    const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
    const nodes = await Promise.all(
      [1, 2, 3].map(async () => {
        // By default it is 10,000 above the port, where anybody's connection may be.
        const busPort = String(await freePort())
        const node = stack.use(await startRedis([...cluster, '--cluster-port', busPort]))
        return { ...node, busPort }
      }),
    )
    const [first] = nodes
    if (first === undefined) return
    for (const [index, node] of nodes.entries()) {
      await node.command(
        'CLUSTER',
        'ADDSLOTSRANGE',
        String(index * 5462),
        String(Math.min(16_383, index * 5462 + 5461)),
      )
      await first.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port), node.busPort)
    }
    await until(async () => {
      const states = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')))
      return states.every((state) => String(state).includes('cluster_state:ok'))
    }, 'the cluster to be whole')
    await using test = openTestLane(`redis+cluster://127.0.0.1:${first.port}`, { protocol })
    await useAll(test)
    for (let count = 0; count < 50; count += 1) {
      const write = () => test.lane.command('token', 'SET', `k${count}`, '1', 'PX', '1000')
      await until(async () => (await write()) === 'OK', 'a write to succeed')
    }
  })
})
