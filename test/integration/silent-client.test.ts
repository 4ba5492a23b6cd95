import { describe, expect, it } from 'vitest'
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
    const at = (address: string, url = '') => Object.assign(new URL(url), { hostname: address })
    const ended = async (reason: string) => {
      const answer = await fetch(at(network.address, system.gateway.metricsUrl))
      const line = `coze_gateway_subscriptions_ended_total{reason="${reason}"} `
      const found = (await answer.text()).split('\n').find((text) => text.startsWith(line))
      return Number(found?.slice(line.length) ?? 0)
    }
    const { token } = system.person('alice')
    using silent = createClient(at(network.fragileAddress, system.gateway.url).href)
    using elsewhere = createClient(at(network.address, system.gateway.url).href)
    const lost = await Promise.all(
      Array.from({ length: limit }, () => silent.stream({ token, query })),
    )
    expect(lost.map(({ status }) => status)).toEqual(Array.from({ length: limit }, () => 200))
    await until(() => lost.every(({ frames }) => frames.length > 0), 'a comment for each')
    network.cut()

    const found: number[] = []
    for (let count = 0; count < limit - 1; count += 1) {
      found.push((await elsewhere.stream({ token, query })).status)
    }
    expect(found).toEqual(Array.from({ length: limit - 1 }, () => 200))
    expect([await ended('replaced'), await ended('client-gone')]).toEqual([limit - 1, 0])

    // The last of them is noticed though nobody takes its place. The kernel alone would take a quarter of an hour.
    await until(async () => (await ended('client-gone')) === 1, 'the silent client to be noticed')
    expect(await ended('replaced')).toBe(limit - 1)
  })
})
