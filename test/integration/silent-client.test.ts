import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../kit/clients/client.ts'
import { openSeparateNetwork } from '../kit/process/network.ts'
import { startSystem } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const query = 'subscription { replies { cursor } }'
const limit = 5

describe('a client whose network is gone without a word', () => {
  it('F35 F42: does not keep its person out elsewhere, and is noticed long before the kernel gives up', async () => {
    await using network = await openSeparateNetwork()
    const anyAddress = { host: '0.0.0.0', port: 0 }
    await using system = await startSystem({
      config: { listen: anyAddress, metrics: anyAddress },
      limits: { maxSubscriptionsPerSession: limit },
      timeouts: { keepAliveMs: 4_000, stalledMs: 600_000 },
      within: network.command,
    })
    async function subscribeByWebSocket(url: URL) {
      const { token: other } = system.person('bob')
      const headers = { authorization: `Bearer ${other}` }
      const socket = new WebSocket(new URL('/graphql', url), 'graphql-transport-ws', { headers })
      socket.on('error', () => undefined)
      const acknowledged = once(socket, 'message')
      await once(socket, 'open')
      socket.send('{"type":"connection_init"}')
      await acknowledged
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
      await until(async () => (await open()) === limit + 1, 'its subscription')
      return { [Symbol.dispose]: () => socket.terminate() }
    }
    const at = (address: string, url = '') => Object.assign(new URL(url), { hostname: address })
    async function meter(line: string): Promise<number> {
      const answer = await fetch(at(network.address, system.gateway.metricsUrl))
      const found = (await answer.text()).split('\n').find((text) => text.startsWith(`${line} `))
      return Number(found?.slice(line.length + 1) ?? 0)
    }
    const ended = (reason: string) =>
      meter(`coze_gateway_subscriptions_ended_total{reason="${reason}"}`)
    const open = () => meter('coze_gateway_subscriptions_open')
    const { token } = system.person('alice')
    using silent = createClient(at(network.fragileAddress, system.gateway.url).href)
    using elsewhere = createClient(at(network.address, system.gateway.url).href)
    const lost = await Promise.all(
      Array.from({ length: limit }, () => silent.stream({ token, query })),
    )
    expect(lost.map(({ status }) => status)).toEqual(Array.from({ length: limit }, () => 200))
    await until(() => lost.every(({ frames }) => frames.length > 0), 'a comment for each')
    using _ofBob = await subscribeByWebSocket(at(network.fragileAddress, system.gateway.url))
    network.cut()

    const found: number[] = []
    for (let count = 0; count < limit - 1; count += 1) {
      found.push((await elsewhere.stream({ token, query })).status)
    }
    expect(found).toEqual(Array.from({ length: limit - 1 }, () => 200))
    expect([await ended('replaced'), await ended('client-gone')]).toEqual([limit - 1, 0])

    // The last of them, and the WebSocket, are noticed though nobody takes their place. The kernel alone would take a
    // quarter of an hour.
    await until(async () => (await ended('client-gone')) === 2, 'both silent clients to be noticed')
    expect(await ended('replaced')).toBe(limit - 1)
  })
})
