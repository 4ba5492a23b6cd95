import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { check } from '../kit/history/checker.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { type RedisServer, startRedis } from '../kit/process/redis.ts'
import { openRelay, type Relay } from '../kit/process/relay.ts'

const replies = repliesOr(80)

describe('three instances with a lane', () => {
  let server: PostgresServer
  let redis: RedisServer
  let relay: Relay
  let cluster: Cluster
  beforeAll(async () => {
    ;[server, redis] = await Promise.all([startPostgres(), startRedis()])
    relay = await openRelay(redis.port)
    cluster = await startCluster({
      store: await server.newDatabase(),
      config: { lane: `redis://127.0.0.1:${relay.port}` },
      emulator: { wordsPerSecond: 60 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await relay[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  /** Each for so many ms, and then as before. */
  const faults: readonly (readonly [number, () => unknown, (() => unknown)?])[] = [
    [1_500, () => redis.signal('SIGSTOP'), () => redis.signal('SIGCONT')],
    [1_000, () => redis.crash(), () => redis.start()],
    [500, () => redis.command('FLUSHALL')],
    [500, () => relay.cut()],
    [1_500, () => relay.delay(1_000), () => relay.delay(0)],
    [1_500, () => relay.silence(), () => relay.restore()],
    [1_000, () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')],
    [
      1_000,
      () => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
      () => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    ],
  ]

  it(`P2 P3 P10: F46: lose nothing and double nothing in ${replies} replies, whatever becomes of Redis`, async () => {
    const load = startLoad(cluster, { leastWords: 20, retries: 5, replies })
    const { seed, talk } = load
    const breaking = breakRedis(load.done)
    await load.done
    await breaking
    expect(load.failures, `seed ${seed}`).toEqual([])
    expect(load.ends).toEqual(new Map([['ReplyCompleted', replies]]))
    await talk.settle()
    expect(check(talk.recorder.history), `seed ${seed}`).toEqual([])
    const output = cluster.instances.map((one) => one.output).join('')
    expect(output).toContain('the lane is away')
    expect(output).toContain('the lane is back')
    const kept = JSON.stringify([...(await redis.contents())])
    for (const secret of cluster.secrets) expect(kept).not.toContain(secret)
    expect(kept).not.toMatch(/person-|\/long/)
  })

  async function breakRedis(done: Promise<void>): Promise<void> {
    let isDone = false
    void done.finally(() => (isDone = true))
    for (let turn = 0; !isDone; turn += 1) {
      const [ms, begin, end] = faults[turn % faults.length] ?? [0, () => {}]
      await begin()
      await delay(ms)
      await end?.()
      await delay(500)
    }
  }
})
