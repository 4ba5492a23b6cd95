import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createSharedSpans } from '../../../src/lane/shared-rates.ts'
import { createTokenSeal } from '../../../src/lane/token-seal.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSharedRateLimiter } from '../../../src/rate/shared-limiter.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { openTestLane } from '../../kit/fakes/lane.ts'
import { type RedisServer, startRedis } from '../../kit/process/redis.ts'
import { until } from '../../kit/process/until.ts'

const minuteMs = 60_000

/** The limit of one gateway of three. */
async function openLimit(server: RedisServer, { points = 6, durationMs = minuteMs } = {}) {
  const test = openTestLane(server.url)
  await test.whenHere()
  const seal = createTokenSeal(new Secret('a key of all instances'))
  const limiter = createSharedRateLimiter({
    points,
    durationMs,
    message: 'Too often.',
    clock: createFakeClock(),
    instances: () => 3,
    spans: createSharedSpans(test.lane, 'messages', (key) => seal.digest('messages', key)),
  })
  return { ...test, limiter, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() }
}

const isTaken = (taking: Promise<void>) =>
  taking.then(
    () => true,
    () => false,
  )

describe('a limit on the lane', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis()))
  afterAll(() => server[Symbol.asyncDispose]())
  afterEach(async () => void (await server.command('FLUSHALL')))

  it('gives all gateways together what it has, to each key, and not one more', async () => {
    await using stack = new AsyncDisposableStack()
    const gateways = await Promise.all(
      [1, 2, 3].map(async () => stack.use(await openLimit(server))),
    )
    const asked = gateways.flatMap(({ limiter }) =>
      Array.from({ length: 5 }, () => isTaken(limiter.take('alice'))),
    )
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(6)
    const [first] = gateways
    await expect(first?.limiter.take('alice')).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      message: 'Too often.',
      retryAfterMs: expect.toSatisfy((ms) => ms > 0 && ms <= minuteMs),
    })
    await first?.limiter.take('bob')
    const keys = [...(await server.contents()).keys()].filter((key) => key.includes('rate'))
    expect(keys).toHaveLength(2)
    expect(keys.join()).not.toMatch(/alice|bob/)
    for (const key of keys) expect(await server.command('PTTL', key)).toBeGreaterThan(0)
  })

  it('tells every gateway what is left, and takes back what was not used', async () => {
    await using one = await openLimit(server)
    await using two = await openLimit(server)
    expect(await two.limiter.state('alice')).toEqual({
      limit: 6,
      remaining: 6,
      resetAfterMs: undefined,
    })
    await one.limiter.take('alice')
    await one.limiter.take('alice')
    one.limiter.giveBack('alice')
    await until(
      async () => (await two.limiter.state('alice')).remaining === 5,
      'the other gateway to see it',
    )
    const { resetAfterMs } = await two.limiter.state('alice')
    expect(resetAfterMs).toBeGreaterThan(0)
  })

  it('is whole again when its span has ended', async () => {
    await using one = await openLimit(server, { points: 1, durationMs: 200 })
    await one.limiter.take('alice')
    expect(await isTaken(one.limiter.take('alice'))).toBe(false)
    await until(() => isTaken(one.limiter.take('alice')), 'the span to end')
  })

  it('goes on with an equal part for each gateway while the lane is away, counted from what it used', async () => {
    await using own = await startRedis()
    await using one = await openLimit(own)
    await using two = await openLimit(own)
    await one.limiter.take('alice')
    await own.crash()
    await Promise.all([one.whenAway(), two.whenAway()])
    const take = async ({ limiter }: typeof one) => {
      const taken = []
      for (let count = 0; count < 4; count += 1) taken.push(await isTaken(limiter.take('alice')))
      return taken.filter(Boolean).length
    }
    expect(await take(one)).toBe(1)
    expect(await take(two)).toBe(2)
    expect(await one.limiter.state('alice')).toMatchObject({ limit: 2, remaining: 0 })
  })
})
