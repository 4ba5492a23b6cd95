import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repliesOr, startLoad } from '../kit/clients/load.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { openRelay, type Relay } from '../kit/process/relay.ts'

const replies = repliesOr(80)

describe('three instances that die, stand still and lose their connections', () => {
  let server: PostgresServer
  let relay: Relay
  let cluster: Cluster
  beforeAll(async () => {
    server = await startPostgres()
    relay = await openRelay(server.port)
    const { pathname } = new URL(await server.newDatabase())
    cluster = await startCluster({
      store: `postgres://postgres@127.0.0.1:${relay.port}${pathname}`,
      emulator: { wordsPerSecond: 60 },
      timeouts: { recoverMs: 20_000 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await relay[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it(`P2 P3 P5 P10: F21: F23: loses no message and doubles none in ${replies} replies, whichever is killed or stands still, and whichever connections to the database break or fall silent`, async () => {
    const load = startLoad(cluster, { leastWords: 20, retries: 50, replies })
    const { seed, random, talk } = load
    const acts = { kill: 0, stop: 0, cut: 0, silence: 0 }
    let isDone = false
    void load.done.finally(() => (isDone = true))
    while (!isDone) {
      const victim = cluster.instances[random.int(cluster.instances.length)]
      if (victim === undefined) throw new Error('expected an instance')
      talk.recorder.add({ type: 'crash' })
      const act = random.pick(['kill', 'stop', 'cut', 'silence'] as const)
      acts[act] += 1
      switch (act) {
        case 'kill':
          await victim.kill('SIGKILL')
          await delay(random.int(1_000))
          await victim.restart()
          break
        case 'stop':
          victim.signal('SIGSTOP')
          // Longer than the others wait until it is dead to them, or shorter.
          await delay(random.int(6_000))
          victim.signal('SIGCONT')
          break
        case 'cut':
          relay.cut()
          break
        case 'silence':
          relay.silence()
          await delay(random.int(2_000))
          relay.restore()
      }
      await delay(random.int(1_500))
    }
    await load.done
    expect(load.failures, `seed ${seed}`).toEqual([])
    expect(Object.values(acts).reduce((sum, count) => sum + count)).toBeGreaterThan(3)
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `deaths-${seed}`)).toEqual([])
    // Most of them go on: the platform tells how a Bot's reply ended.
    expect(load.ends.get('ReplyCompleted') ?? 0).toBeGreaterThan(replies / 2)
  })
})
