import { expect, it } from 'vitest'
import type { Lane } from '../../../src/lane/lane.ts'
import { openSharedQuota } from '../../../src/lane/shared-quota.ts'
import { createEqualShare } from '../../../src/reply/quota-share.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const quota = { maxRunning: 6, startsPerSecond: 1_000 }

/** A lane that gives all of the quota, until it is away. */
function createFakeLane() {
  let isHere = true
  const lane: Lane = {
    get isHere() {
      return isHere
    },
    command: async () => undefined,
    run: async () => (isHere ? [quota.maxRunning, quota.maxRunning, 0] : undefined),
    publish() {},
    subscribe: () => ({ [Symbol.dispose]() {} }),
    async [Symbol.asyncDispose]() {},
  }
  return { lane, goAway: () => void (isHere = false) }
}

it('F46: asks no lane that is away to take back what it had too much, over and over in one turn of the event loop', async () => {
  const { lane, goAway } = createFakeLane()
  const clock = createFakeClock()
  using share = openSharedQuota({
    lane,
    clock,
    instance: 'one',
    name: 'permits:assistant',
    quota,
    equal: createEqualShare(quota, () => 2),
    instances: () => 2,
  })
  let calls = 0
  let running = 6
  // As admission does: each time it is told, it says what it uses.
  share.listen(() => {
    calls += 1
    if (calls < 1_000) share.use(running, 0)
  })
  share.use(running, 0)
  await nextTurn()
  expect(share.maxRunning).toBe(6)
  goAway()
  running = 1
  share.use(running, 0)
  await nextTurn()
  expect(share.maxRunning).toBe(3)
  expect(calls).toBeLessThan(10)
})

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
