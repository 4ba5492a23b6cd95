import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RepliesDocument, SendMessageDocument } from '../../schema/operations/generated/graphql.ts'
import { createClient } from '../kit/clients/client.ts'
import { readMeter, readMetrics } from '../kit/process/metrics.ts'
import { gauged, readGauge } from '../kit/process/gauge.ts'
import { figure, isSoak } from '../kit/process/soak.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const people = 50
const atOnce = 32
/** Until every bounded cache is full. */
const warmUp = { cycles: figure(200, 10_000), replies: figure(50, 8_000) }
const load = { cycles: figure(400, 100_000), replies: figure(100, 20_000) }
const heapTolerance = 0.05
const descriptorTolerance = 5
/** So long the emulator keeps a connection that rests; how many do depends on how many replies ran at once. */
const upstreamIdleMs = 60_000

const repliesDocument = RepliesDocument.toString()
const sendDocument = SendMessageDocument.toString()

describe('connections and replies, however many', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      env: gauged,
      limits: {
        messagesPerMinute: 1_000_000,
        costPerSecond: 1_000_000_000,
        maxQueued: 1_000,
        maxOpenPerSession: 1_000,
      },
      config: { logging: { level: 'info' } },
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `leave nothing behind: ${load.cycles} connections and ${load.replies} replies`,
    async () => {
      await live(warmUp)
      const before = await measure()
      await live(load)
      const after = await measure()
      const growth = (after.heapBytes - before.heapBytes) / before.heapBytes
      console.log(
        `heap ${mib(before.heapBytes)} → ${mib(after.heapBytes)} MiB (${(growth * 100).toFixed(1)} %), descriptors ${before.descriptors} → ${after.descriptors}`,
      )
      if (isSoak) expect(growth).toBeLessThan(heapTolerance)
      const areFree = async () => {
        const open = await countDescriptors(system.gateway.pid)
        return open - before.descriptors <= descriptorTolerance
      }
      await until(areFree, 'the descriptors to be free again', upstreamIdleMs + 20_000)
      const gauges = (await readMetrics(system.gateway)).match(
        /^coze_gateway_(subscriptions_open|replies_waiting|replies_running)(\{.*\})? .*$/gm,
      )
      expect(gauges?.length).toBeGreaterThan(2)
      for (const gauge of gauges ?? []) expect(gauge).toMatch(/ 0$/)
    },
    figure(120_000, 3_600_000),
  )

  async function live({ cycles, replies }: { cycles: number; replies: number }): Promise<void> {
    using client = createClient(system.gateway.url)
    const tokens = Array.from({ length: people }, (_, at) => system.person(`person ${at}`).token)
    const tokenOf = (at: number) => tokens[at % people]
    await repeat(cycles, async (at) => {
      using stream = await client.stream({ token: tokenOf(at), query: repliesDocument })
      expect(stream.status).toBe(200)
    })
    await repeat(replies, async (at) => {
      const token = tokenOf(at)
      const input = { text: 'hello', assistantId: at % 2 === 0 ? 'flow' : 'bot' }
      const { body } = await client.call({ token, query: sendDocument, variables: { input } })
      const replyId: string = JSON.parse(body).data.sendMessage.reply.id
      using stream = await client.stream({ token, query: repliesDocument, variables: { replyId } })
      expect(await stream.ended).toBe('complete')
    })
  }

  /** Once everybody has gone. */
  async function measure() {
    const open = () => readMeter(system.gateway, 'coze_gateway_subscriptions_open')
    await until(async () => (await open()) === 0, 'the streams to end')
    const { pid } = system.gateway
    // Sockets that are closed on our side go a little later on the other.
    let descriptors = await countDescriptors(pid)
    await until(async () => {
      const last = descriptors
      descriptors = await countDescriptors(pid)
      return descriptors === last
    }, 'the descriptors to settle')
    const { heapBytes } = await readGauge(system.gateway)
    return { heapBytes, descriptors }
  }
})

/** Calls `run` so often, some at once. */
async function repeat(count: number, run: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) {
        next += 1
        await run(next)
      }
    }),
  )
}

async function countDescriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

function mib(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1)
}
