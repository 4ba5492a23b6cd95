import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { until } from '../kit/process/until.ts'

const replies = repliesOr(80)

describe('three instances that are restarted one after another', () => {
  let server: PostgresServer
  let cluster: Cluster
  beforeAll(async () => {
    server = await startPostgres()
    cluster = await startCluster({
      store: await server.newDatabase(),
      emulator: { wordsPerSecond: 100 },
      timeouts: { drainMs: 20_000 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it(`F20: fail no message of a client that retries once with its key, and leave no gap, in ${replies} replies`, async () => {
    const load = startLoad(cluster, { leastWords: 50, retries: 1, replies })
    const { seed, talk } = load
    const share = Math.floor(replies / (cluster.instances.length + 1))
    for (const [turn, instance] of cluster.instances.entries()) {
      await until(() => load.ended >= (turn + 1) * share, 'some replies have ended')
      expect(await instance.kill('SIGTERM')).toBe(0)
      await instance.restart()
    }
    await load.done
    expect(load.failures, `seed ${seed}`).toEqual([])
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `rolling-restart-${seed}`)).toEqual([])
    expect([...load.ends]).toEqual([['ReplyCompleted', replies]])
  })
})
