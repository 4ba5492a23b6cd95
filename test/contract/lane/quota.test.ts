import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { openSharedQuota } from '../../../src/lane/shared-quota.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createSessionRuns } from '../../../src/reply/admission.ts'
import { createCircuit } from '../../../src/reply/circuit.ts'
import { createPermits, type Permit } from '../../../src/reply/permits.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { openTestLane } from '../../kit/fakes/lane.ts'
import { type RedisServer, startRedis } from '../../kit/process/redis.ts'
import { until } from '../../kit/process/until.ts'

const forever = new AbortController().signal

/** The permits of one gateway of three. */
async function openGateway(server: RedisServer, maxRunning = 6) {
  const test = openTestLane(server.url)
  await test.whenHere()
  const instances = () => 3
  const quota = { maxRunning, startsPerSecond: 1_000 }
  const share = openSharedQuota({
    lane: test.lane,
    clock: systemClock,
    instance: crypto.randomUUID(),
    name: 'permits:assistant',
    quota,
    equal: createEqualShare(quota, instances),
    instances,
  })
  let running = 0
  const permits = createPermits({
    share,
    sessions: createSessionRuns(100),
    circuit: createCircuit({ failures: 1, openMs: 500, clock: systemClock, onChange() {} }),
    clock: systemClock,
    onLength: (_waiting, runningNow) => void (running = runningNow),
  })
  const held: Permit[] = []
  return {
    ...test,
    share,
    get running() {
      return running
    },
    /** Asks for so many permits, and keeps them. */
    ask(count: number) {
      for (let left = count; left > 0; left -= 1) {
        const permit = permits.permit(`session-${left}` as SessionId)
        void permit.take(forever).then(() => held.push(permit))
      }
    },
    /** Ends one of its runs. */
    end: () => held.shift()?.release(),
    /** Ends as a killed process does: it says nothing to the lane. */
    async [Symbol.asyncDispose]() {
      permits[Symbol.dispose]()
      share[Symbol.dispose]()
      await test[Symbol.asyncDispose]()
    },
  }
}

describe("an assistant's quota on the lane", () => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis()))
  afterAll(() => server[Symbol.asyncDispose]())
  afterEach(async () => void (await server.command('FLUSHALL')))

  it('is all used by whoever has work, and never more than all of it', async () => {
    await using one = await openGateway(server)
    await using two = await openGateway(server)
    one.ask(60)
    await until(() => one.running === 6, 'the first to use all')
    two.ask(10)
    await until(() => {
      one.end()
      expect(one.running + two.running).toBeLessThanOrEqual(6)
      return two.running === 3
    }, 'the other to have an equal part of what ends')
    for (const next of [one, two, one, two, one, two]) {
      next.end()
      await until(() => {
        expect(one.running + two.running).toBeLessThanOrEqual(6)
        return one.running + two.running === 6
      }, 'what ended to make room')
    }
  })

  it('is given back by whoever keeps a reserve where others lack, so that nobody starves', async () => {
    await using one = await openGateway(server, 1)
    await using two = await openGateway(server, 1)
    one.ask(1)
    await until(() => one.running === 1, 'the only permit')
    two.ask(1)
    one.end()
    await until(() => two.running === 1, 'it to go to the other')
    expect(one.running).toBe(0)
  })

  it('is free again when the gateway that had it is gone', async () => {
    await using one = await openGateway(server, 2)
    {
      await using dead = await openGateway(server, 2)
      dead.ask(2)
      await until(() => dead.running === 2, 'all to be used')
    }
    one.ask(2)
    await until(() => one.running === 2, 'the permits of the dead one')
  })

  it('is divided into equal parts while the lane is away, and whole again when it is back', async () => {
    await using own = await startRedis()
    await using one = await openGateway(own)
    await own.crash()
    await one.whenAway()
    one.ask(10)
    await until(() => one.running === 2, 'its part')
    await own.start()
    await until(() => one.running === 6, 'all of it')
  })

  it('is written with an end, and with no name', async () => {
    await using one = await openGateway(server)
    one.ask(1)
    await until(() => one.running === 1, 'a permit')
    expect(await server.command('PTTL', 'test:permits:assistant')).toBeGreaterThan(0)
  })
})
