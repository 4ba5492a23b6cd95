import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import type { Stream } from '../kit/clients/stream.ts'
import { readMeter } from '../kit/process/metrics.ts'
import { gauged, readGauge } from '../kit/process/gauge.ts'
import { figure, isSoak } from '../kit/process/soak.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const idle = figure(300, 10_000)
const storm = figure(200, 5_000)
/** As they come to rest: so many at once. */
const wave = 250
const maxStallMs = 250
const people = 250
const query = RepliesDocument.toString()
const openMeter = 'coze_gateway_subscriptions_open'

describe('F37: many subscribers', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      env: gauged,
      limits: { maxSubscriptionsPerSession: 20_000, maxSubscriptions: idle + storm / 2 },
      config: { logging: { level: 'info' } },
    })
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it(
    `are ${idle} at rest and ${storm} more at once: each is let in or told when to come again, and nobody waits`,
    async () => {
      const who = (at: number) => system.person(`person ${at % people}`)
      const resting: Stream[] = []
      while (resting.length < idle) {
        const size = Math.min(wave, idle - resting.length)
        resting.push(...(await openAll(size, (at) => ({ who: who(at), variables: {} }))))
      }
      for (const { status } of resting) expect(status).toBe(200)
      expect(await readMeter(system.gateway, openMeter)).toBe(idle)

      const talk = createTalk(system)
      const speaker = system.person('speaker')
      const { id } = await talk.send(speaker, '/long 50')
      await talk.ending(speaker, id)
      await readGauge(system.gateway)
      const stormed = await openAll(storm, () => ({ who: speaker, variables: { replyId: id } }))
      let whole = 0
      for (const stream of stormed) {
        if (stream.status === 200) {
          expect(await stream.ended).toBe('complete')
          const told = stream.frames.findLast(({ event }) => event === 'next')
          expect(told?.data).toContain('stone-1 lamp-2')
          whole += 1
        } else {
          expect(stream.status).toBe(503)
          expect(stream.headers['retry-after']).toBeDefined()
        }
      }
      expect(whole).toBeGreaterThan(storm / 10)
      const { delayMs } = await readGauge(system.gateway)
      console.log(
        `${whole} of ${storm} whole beside ${idle} at rest, the event loop stood still for ${delayMs.toFixed(0)} ms at most`,
      )
      if (isSoak) expect(delayMs).toBeLessThan(maxStallMs)
      for (const stream of resting) stream.cut()
      const open = () => readMeter(system.gateway, openMeter)
      await until(async () => (await open()) === 0, 'all to be gone')
    },
    figure(120_000, 600_000),
  )

  async function openAll(
    count: number,
    ask: (at: number) => { readonly who: Person; readonly variables: Record<string, string> },
  ): Promise<readonly Stream[]> {
    return Promise.all(
      Array.from({ length: count }, (_, at) => {
        const { who, variables } = ask(at)
        return system.client.stream({ token: who.token, query, variables })
      }),
    )
  }
})
