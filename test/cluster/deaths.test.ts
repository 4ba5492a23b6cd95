import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from '../kit/clients/load.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { createRandom } from '../kit/random.ts'

/** `CLUSTER_REPLIES=<count>` runs so many. */
// oxlint-disable-next-line node/no-process-env
const replies = Number(process.env['CLUSTER_REPLIES'] ?? 80)

describe('three instances of which one after another dies', () => {
  let server: PostgresServer
  let cluster: Cluster
  beforeAll(async () => {
    server = await startPostgres()
    cluster = await startCluster({
      store: await server.newDatabase(),
      emulator: { wordsPerSecond: 60 },
      timeouts: { recoverMs: 20_000 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it(`P2 P3 P5 P10: F21: F23: loses no message and doubles none in ${replies} replies, whichever is killed or stands still and goes on`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = createRandom(seed)
    const talk = createTalk(cluster)
    const load = startLoad({
      talk,
      client: cluster.client,
      random,
      people: Array.from({ length: 12 }, (_, index) => cluster.person(`person-${index}`)),
      assistants: ['bot', 'flow'],
      text: () => `/long ${20 + random.int(100)}`,
      retries: 50,
      replies,
    })
    const acts = { kill: 0, stop: 0 }
    let isDone = false
    void load.done.finally(() => (isDone = true))
    while (!isDone) {
      const victim = cluster.instances[random.int(cluster.instances.length)]
      if (victim === undefined) throw new Error('expected an instance')
      talk.recorder.add({ type: 'crash' })
      if (random.next() < 0.5) {
        acts.kill += 1
        await victim.kill('SIGKILL')
        await delay(random.int(1_000))
        await victim.restart()
      } else {
        acts.stop += 1
        victim.signal('SIGSTOP')
        // Longer than the others wait until it is dead to them, or shorter.
        await delay(random.int(6_000))
        victim.signal('SIGCONT')
      }
      await delay(random.int(1_500))
    }
    await load.done
    expect(load.failures, `seed ${seed}`).toEqual([])
    expect(Math.min(acts.kill, acts.stop)).toBeGreaterThan(0)
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `deaths-${seed}`)).toEqual([])
    // Most of them go on: the platform tells how a Bot's reply ended.
    expect(load.ends.get('ReplyCompleted') ?? 0).toBeGreaterThan(replies / 2)
  })
})
